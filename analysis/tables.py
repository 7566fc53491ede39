"""How is each result laid out as a table, with an id for every number in it?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import pandas as pd

from analysis.compliance import COUNTS
from analysis.disposition import CONSORT
from analysis.numbers import Cell, Numbers
from analysis.results import CannotEstimate
from analysis.survival import Cox, KaplanMeier, LogRank


class Modelled(Protocol):
    """A model with a row of ratios for each term."""

    @property
    def terms(self) -> pd.DataFrame: ...


NOT_REACHED = "not reached"
COX_NOTE = (
    "Cox model with Efron's handling of ties, Wald intervals. A ratio below 1: fewer events in the arm named first."
)
SHORT = "not estimable: follow-up is shorter"


@dataclass(frozen=True)
class Row:
    """head: what the row is about. cells: one for each further column."""

    head: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """caption: what the table shows, from whom. head: its columns. note: what its reader must know besides."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""

    @property
    def words(self) -> list[int]:
        """Columns that hold words in every row, by their place in the head."""
        columns = zip(*(row.cells for row in self.rows), strict=False)
        return [at for at, cells in enumerate(columns, 1) if all(_is_words(cell) for cell in cells)]


def _is_words(cell: Cell) -> bool:
    return len(cell) == 1 and isinstance(cell[0], str)


def consort(numbers: Numbers, counts: pd.DataFrame, arms: Mapping[str, str]) -> Table:
    """counts: as from `disposition.consort`. arms: code: label."""
    rows = [
        Row(CONSORT[key], tuple((numbers.count(f"consort.{key}.{arm}", _row(counts, key)[arm]),) for arm in arms))
        for key in CONSORT
        if key in counts.index
    ]
    return Table("What became of the randomised patients", ("Patients", *arms.values()), tuple(rows))


def completion(
    numbers: Numbers,
    rates: pd.DataFrame,
    instrument: str,
    title: str,
    arms: Mapping[str, str],
    visits: Mapping[str, str],
) -> Table:
    """rates: as from `compliance.rates`. instrument: its id; title: its name. arms, visits: code: label."""
    rows = []
    for visit, name in visits.items():
        for arm, label in arms.items():
            if (instrument, arm, visit) not in rates.index:
                continue
            row, id = _row(rates, (instrument, arm, visit)), f"completion.{instrument}.{arm}.{visit}"
            counts: list[Cell] = [(numbers.count(f"{id}.{key}", row[key]),) for key in COUNTS]
            shares: list[Cell] = [
                (numbers.percent(f"{id}.{key}", row[key], missing="none expected"),)
                for key in ("received_per_expected", "received_per_randomised")
            ]
            rows.append(Row(name, ((label,), *counts, *shares)))
    return Table(
        f"Completion of {title} by visit and arm",
        ("Visit", "Arm", *(key.capitalize() for key in COUNTS), "Received of expected", "Received of randomised"),
        tuple(rows),
        "Expected: the patient was alive and in the study on the due day, and the window is over or the form was "
        "submitted. Received: at least one answer. Complete: submitted. Unexpected forms are in no rate. "
        "Received of randomised counts everybody randomised, also those whose visit is still to come.",
    )


def profile(
    numbers: Numbers, means: pd.DataFrame, scale: str, title: str, arms: Mapping[str, str], visits: Mapping[str, str]
) -> Table:
    """means: as from `profiles.mean_profile`. arms, visits: code: label."""
    rows = []
    for visit, name in visits.items():
        cells: list[Cell] = []
        for arm in arms:
            id = f"profile.{scale}.{arm}.{visit}"
            if (arm, visit) not in means.index:
                cells += [(numbers.count(f"{id}.n", 0),), ("no scores",)]
                continue
            row = _row(means, (arm, visit))
            mean = numbers.with_interval(
                partial(numbers.decimal, places=1), f"{id}.mean", *row[["mean", "lower", "upper"]]
            )
            cells += [(numbers.count(f"{id}.n", row["n"]),), mean]
        rows.append(Row(name, tuple(cells)))
    head = [column for label in arms.values() for column in (f"{label}: n", f"{label}: mean (95 % interval)")]
    note = "Student's t; of a few scores an interval may reach beyond the scale."
    return Table(title, ("Visit", *head), tuple(rows), note)


def survival(
    numbers: Numbers, id: str, curves: KaplanMeier, arms: Mapping[str, str], free: str, months: float | None
) -> Table:
    """Events, median and the share free of the event at so many months, by arm. free: "Alive", as a column's name."""
    summary = curves.to_frame()
    at = curves.survival_at(months) if months is not None else None
    rows = []
    for arm, label in arms.items():
        if arm not in summary.index:
            empty: tuple[Cell, ...] = (("no patients",), ("",), ("",))
            rows.append(Row(label, ((numbers.count(f"{id}.n.{arm}", 0),), *empty[: 3 if at is not None else 2])))
            continue
        one = _row(summary, arm)
        in_months = partial(numbers.decimal, places=1, missing=NOT_REACHED)
        median = numbers.with_interval(in_months, f"{id}.median.{arm}", *one[["median", "lower", "upper"]])
        shares: list[Cell] = []
        if at is not None:
            in_percent = partial(numbers.percent, missing=SHORT)
            later = _row(at, arm)[["survival", "lower", "upper"]]
            shares.append(numbers.with_interval(in_percent, f"{id}.at.{arm}", *later))
        n, events = numbers.count(f"{id}.n.{arm}", one["n"]), numbers.count(f"{id}.events.{arm}", one["events"])
        rows.append(Row(label, ((n,), (events,), median, *shares)))
    head = (
        "Arm",
        "Patients",
        "Events",
        "Median, months (95 % interval)",
        *([f"{free} at {months:g} months (95 % interval)"] if months is not None else []),
    )
    return Table("Kaplan-Meier estimates by arm", head, tuple(rows), "Intervals on the log-log scale.")


def at_risk(numbers: Numbers, id: str, curves: KaplanMeier, arms: Mapping[str, str], months: Sequence[float]) -> Table:
    """Numbers at risk, as under the axis of the figure."""
    table = curves.at_risk(months)
    rows = [
        Row(
            label, tuple((numbers.count(f"{id}.at-risk.{arm}.{month:g}", _row(table, arm)[month]),) for month in months)
        )
        for arm, label in arms.items()
        if arm in table.index
    ]
    return Table("Numbers at risk by month", ("Arm", *(f"{month:g}" for month in months)), tuple(rows))


def comparison(
    numbers: Numbers,
    id: str,
    tests: Mapping[str, tuple[LogRank | CannotEstimate, Cox | CannotEstimate]],
    contrasts: Mapping[str, str],
    *,
    tested: bool,
) -> Table:
    """Log-rank test and hazard ratios, a row per analysis and contrast.

    tests: by title ("Stratified by er"), what was found or why nothing could be. contrasts: Cox term: label.
    """
    rows = []
    for at, (title, (test, model)) in enumerate(tests.items()):
        for term, label in contrasts.items():
            key = f"{id}.{at + 1}"
            logrank: Cell = (f"not estimable: {test}",) if isinstance(test, CannotEstimate) else ()
            if isinstance(test, LogRank) and tested:
                chi_square = numbers.decimal(f"{key}.logrank.{term}.chi_square", test.chi_square, 2)
                logrank = (chi_square, ", p ", numbers.p(f"{key}.logrank.{term}.p", test.p))
            ratio = hazard_ratio(numbers, f"{key}.cox.{term}", model, term, tested=tested)
            rows.append(Row(f"{title}: {label}", (*([logrank] if tested else []), *ratio)))
    log_rank = ["Log-rank chi-square, p"] if tested else []
    head = ("Analysis", *log_rank, "Hazard ratio (95 % interval)", *(f"{name} (Wald)" for name in p_head(tested)))
    return Table("Comparison of the arms", head, tuple(rows), COX_NOTE)


def hazard_ratio(
    numbers: Numbers, id: str, model: Modelled | CannotEstimate, term: str, *, tested: bool, name: str = "hr"
) -> tuple[Cell, ...]:
    """A model's ratio with interval, and its p-value where it is tested. name: the column of the ratio."""
    if isinstance(model, CannotEstimate):
        return ((f"not estimable: {model}",), *([("",)] if tested else []))
    row = _row(model.terms, term)
    ratio = numbers.with_interval(partial(numbers.decimal, places=2), f"{id}.{name}", *row[[name, "lower", "upper"]])
    return (ratio, *([(numbers.p(f"{id}.p", row["p"]),)] if tested else []))


def estimated(numbers: Numbers, id: str, row: Mapping[str, float], places: int) -> Cell:
    """An estimate with its interval; row: estimate, lower, upper, NaN or absent where there is none."""
    show = partial(numbers.decimal, places=places)
    bounds = (row.get(name, float("nan")) for name in ("estimate", "lower", "upper"))
    return numbers.with_interval(show, id, *bounds)


def count_of(numbers: Numbers, id: str, n: int, size: int) -> Cell:
    """A number of patients, and its share of so many."""
    share = numbers.percent(f"{id}.share", n / size if size else float("nan"), missing="-")
    return (numbers.count(id, n), " (", share, ")")


def p_cell(numbers: Numbers, id: str, row: Mapping[str, float], tested: bool) -> Cell:
    """The p-value of a row; nothing where the objective is descriptive."""
    return (numbers.p(id, row.get("p", float("nan"))),) if tested else ("",)


def p_head(tested: bool) -> tuple[str, ...]:
    return ("p",) if tested else ()


def _row(table: Any, key: Any) -> Any:
    """One row of a table, by its label; its cells are numbers."""
    return table.loc[key]
