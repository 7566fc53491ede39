"""Which forms and patients enter a joint model, and at which times is the score needed?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula
from formulaic.errors import FormulaicError
from numpy.typing import NDArray

from analysis.formulas import columns_in
from analysis.results import BadInput, CannotEstimate, require, rows_of

Numbers = NDArray[np.float64]
Counts = NDArray[np.intp]

PIECES = 7  # of the follow-up, between quantiles of the times: R's JM
NODES_A_PIECE = 5  # of Gauss and Legendre


class FormAfterTheEnd(BadInput):
    """A form was filled in after the time at which the patient died or was last seen."""


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """N patients, R forms, p and g columns, K times at which the hazard is summed up.

    y, who, x, month: (R,), (R,), (R, p), (R,). time, event: (N,). x_end: (N, p), w: (N, g). at, weight: (N, K) times
    and lengths, 0 where the patient is no longer followed; x_at: (N, K, p). piece: (K,); last_piece: (N,).
    """

    y: Numbers
    who: Counts
    x: Numbers
    month: Numbers
    time: Numbers
    event: NDArray[np.bool_]
    x_end: Numbers
    w: Numbers
    at: Numbers
    weight: Numbers
    x_at: Numbers
    piece: Counts
    last_piece: Counts
    bounds: Numbers

    @property
    def pieces(self) -> int:
        return int(self.piece[-1]) + 1


@dataclass(frozen=True, eq=False, repr=False)
class Design:
    """Which columns a patient has at a time."""

    subjects: pd.DataFrame
    month: str
    score: Any

    def at(self, subjects: pd.DataFrame, month: Numbers) -> Numbers:
        """(rows, p) the design of these patients at these times. Raises BadInput."""
        return _dense(self.score, subjects.assign(**{self.month: month}))


@dataclass(frozen=True, eq=False, repr=False)
class Read:
    """The data, and what is needed to speak of them."""

    data: Data
    design: Design
    names: list[str]
    hazard_names: list[str]
    excluded: dict[str, int]


def read(
    formula: str,
    forms: pd.DataFrame,
    subjects: pd.DataFrame,
    subject: str,
    month: str,
    time: str,
    event: str,
    covariates: str,
) -> Read:
    """Arguments as fit. Raises BadInput, and CannotEstimate when there is nothing to estimate from."""
    parsed, hazard = _parsed(formula, sides=2), _parsed(covariates, sides=1) if covariates else None
    outcome = _outcome(parsed)
    covariates_of = columns_in(parsed.rhs, [*subjects, month]) | _variables(hazard, subjects)
    constant = sorted(covariates_of - {month})
    require(forms, [subject, month, outcome], "forms")
    require(subjects, [subject, time, event, *constant], "subjects")
    if (twice := subjects[subject].duplicated()).any():
        raise BadInput(f"subjects has row {rows_of(twice)} twice.\n  Keep one row a patient.")
    known = subjects[constant].notna().all(axis=1)
    people = subjects[known].reset_index(drop=True)
    mine = forms[forms[outcome].notna() & forms[month].notna() & forms[subject].isin(people[subject])]
    if len(mine) == 0 or len(people) == 0:
        raise CannotEstimate("no patient with all covariates has a form with a score")
    _check_times(people, mine, subject, month, time, event)
    people = _with_categories(people, constant)
    who = np.asarray(pd.Index(people[subject]).get_indexer(mine[subject]), dtype=np.intp)
    rows = (
        people.iloc[who]
        .reset_index(drop=True)
        .assign(**{month: mine[month].to_numpy(float), outcome: mine[outcome].to_numpy(float)})
    )
    spec = _spec(parsed, rows)
    score = spec.rhs
    names = [str(name) for name in score.column_names]
    w, hazard_names = _hazard_columns(hazard, people)
    end, happened = people[time].to_numpy(float), people[event].to_numpy().astype(np.bool_)
    design = Design(people, month, score)
    data = _data(design, rows, outcome, who, end, happened, w)
    _check_determined(data.x, names)
    excluded = {"no covariate": int((~known).sum()), "forms without a score": int(forms[outcome].isna().sum())}
    return Read(data, design, names, hazard_names, excluded)


def _data(
    design: Design, rows: pd.DataFrame, outcome: str, who: Counts, end: Numbers, happened: NDArray[np.bool_], w: Numbers
) -> Data:
    bounds = _bounds(end, happened)
    nodes, lengths = np.polynomial.legendre.leggauss(NODES_A_PIECE)
    low, high = np.minimum(bounds[:-1], end[:, None]), np.minimum(bounds[1:], end[:, None])
    share, length = (np.tile(each, (len(bounds) - 1, 1)) for each in ((nodes + 1) / 2, lengths / 2))
    share[0], length[0] = share[0] ** 3, 3 * share[0] ** 2 * length[0]  # a Weibull hazard bends sharply at 0
    at = (low[:, :, None] + (high - low)[:, :, None] * share).reshape(len(end), -1)
    weight = ((high - low)[:, :, None] * length).reshape(len(end), -1)
    everybody = design.subjects.loc[np.repeat(np.arange(len(end)), at.shape[1])].reset_index(drop=True)
    return Data(
        y=rows[outcome].to_numpy(float),
        who=who,
        x=_dense(design.score, rows),
        month=rows[design.month].to_numpy(float),
        time=end,
        event=happened,
        x_end=design.at(design.subjects, end),
        w=w,
        at=at,
        weight=weight,
        x_at=design.at(everybody, at.ravel()).reshape(*at.shape, -1),
        piece=np.repeat(np.arange(len(bounds) - 1), NODES_A_PIECE),
        last_piece=np.asarray(np.searchsorted(bounds[1:-1], end, side="left"), dtype=np.intp),
        bounds=bounds,
    )


def _bounds(end: Numbers, happened: NDArray[np.bool_]) -> Numbers:
    """Of pieces between sevenths of the times, those without an event joined to a neighbour."""
    deaths = np.sort(end[happened])
    bounds = [0.0]
    for bound in np.unique(np.quantile(end, np.arange(1, PIECES) / PIECES)):
        until = np.searchsorted(deaths, [bounds[-1], bound], side="right")
        if until[0] < until[1] < len(deaths):
            bounds.append(float(bound))
    return np.array([*bounds, np.inf])


def _parsed(formula: str, *, sides: int) -> Any:
    cure = 'Write the score as "QL ~ month * arm", and the hazard as "arm".'
    try:
        parsed = Formula(formula)
    except FormulaicError as error:
        raise BadInput(f'"{formula}" is no formula.\n  {cure}') from error
    if (sides == 2) != hasattr(parsed, "lhs"):
        raise BadInput(f'"{formula}" is no such formula.\n  {cure}')
    return parsed


def _outcome(parsed: Any) -> str:
    names = [str(name) for name in parsed.lhs.required_variables]
    if len(names) != 1 or [str(term) for term in parsed.lhs] != names:
        raise BadInput("the left side of the formula is not one column.\n  Put the score there as it is.")
    return names[0]


def _variables(parsed: Any, subjects: pd.DataFrame) -> set[str]:
    return set() if parsed is None else columns_in(parsed, list(subjects))


def _check_times(people: pd.DataFrame, forms: pd.DataFrame, subject: str, month: str, time: str, event: str) -> None:
    bad = ~(people[time] > 0) | ~np.isfinite(people[time].astype(float))
    if bad.any():
        raise BadInput(f"{time} is missing, infinite or not above 0 for row {rows_of(bad)}.\n  Give times after 0.")
    if (strange := ~people[event].isin([0, 1])).any():
        raise BadInput(f"{event} is neither true nor false for row {rows_of(strange)}.\n  Give True or False.")
    if not people[event].astype(bool).any():
        raise CannotEstimate(f"nobody has the event {event}: there is no hazard to model")
    if (twice := forms.duplicated([subject, month])).any():
        raise BadInput(f"forms has two scores at one time for row {rows_of(twice)}.\n  Keep one of them.")
    ends = forms[subject].map(people.set_index(subject)[time])
    if (after := forms[month] > ends).any():
        raise FormAfterTheEnd(
            f"a form comes after {time} for row {rows_of(after)}.\n  Nobody answers after death: correct either time."
        )


def _with_categories(people: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Text as categories, so that a table of one arm still knows the other."""
    texts = [name for name in names if not pd.api.types.is_numeric_dtype(people[name])]
    return people.assign(**{name: people[name].astype("category").cat.remove_unused_categories() for name in texts})


def _spec(parsed: Any, rows: pd.DataFrame) -> Any:
    try:
        return parsed.get_model_matrix(rows, output="numpy").model_spec
    except FormulaicError as error:
        raise BadInput(f"the formula does not fit the data: {error}") from error


def _dense(spec: Any, rows: pd.DataFrame) -> Numbers:
    try:
        matrix = np.asarray(spec.get_model_matrix(rows), dtype=np.float64)
    except (FormulaicError, ValueError) as error:
        raise BadInput(f"the formula has no value at some time of follow-up: {error}") from error
    if len(matrix) != len(rows) or not np.isfinite(matrix).all():
        raise BadInput("a term of the formula is not finite at some time of follow-up, from 0 to the last one.")
    return matrix


def _hazard_columns(hazard: Any, people: pd.DataFrame) -> tuple[Numbers, list[str]]:
    """(N, g) and their names, without an intercept: the baseline hazard takes its place."""
    if hazard is None:
        return np.zeros((len(people), 0)), []
    matrix = hazard.get_model_matrix(people, output="pandas").drop(columns="Intercept", errors="ignore")
    return matrix.to_numpy(float), list(map(str, matrix.columns))


def _check_determined(x: Numbers, names: list[str]) -> None:
    scaled = x / np.maximum(np.sqrt((x**2).sum(axis=0)), 1e-300)
    if np.linalg.matrix_rank(scaled, tol=1e-7) < x.shape[1]:
        raise CannotEstimate(f"columns of the design determine each other: {', '.join(names)}")
