"""How does the quality of life that a patient reports bear on how long she lives?

Three readings: at baseline, at a landmark among those still alive, and as it changes. All are descriptive: health that
falls because death is near predicts death. Hazard ratios are per so many points more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.results import Account, BadInput, CannotEstimate, Result, require, rows_of
from analysis.survival import Cox, cox

POINTS = 10.0


@dataclass(frozen=True)
class Prognosis(Result):
    """A Cox model of the hazard of death by a score. model: the model; excluded: patients by reason."""

    reading: str
    model: Cox
    points: float
    excluded: dict[str, int]

    @property
    def account(self) -> Account:
        excluded = {**self.excluded, **self.model.account.excluded}
        return Account(self.model.n, self.model.events, excluded, self.model.account.method)

    def title(self) -> str:
        left = ", ".join(f"{n} ({why})" for why, n in self.excluded.items() if n) or "none"
        return f"{self.reading}, per {self.points:g} points more; left out: {left}\n{self.model.title()}"

    def to_frame(self) -> pd.DataFrame:
        return self.model.terms


def at_baseline(
    forms: pd.DataFrame,
    subjects: pd.DataFrame,
    *,
    score: str,
    adjust: Sequence[str] = (),
    strata: Sequence[str] = (),
    points: float = POINTS,
) -> Prognosis:
    """Hazard of death by the score at baseline (month 0 or before; the last one).

    forms: subject, month, the score. subjects: one row each: subject, time, died (bool), and the covariates named in
    adjust (numbers, truths, or text, which becomes one column a level but the first) and strata.
    Raises BadInput, and CannotEstimate as survival.cox.
    """
    known = _scores(forms, subjects, score)
    return _of_one_score("Score at baseline", known[known["month"] <= 0], subjects, 0.0, score, adjust, strata, points)


def at_landmark(
    forms: pd.DataFrame,
    subjects: pd.DataFrame,
    *,
    score: str,
    month: float,
    adjust: Sequence[str] = (),
    strata: Sequence[str] = (),
    points: float = POINTS,
) -> Prognosis:
    """Hazard of death after a landmark by the last score until then, among those still followed (Anderson 1983).

    month: the landmark, > 0; time is counted from it. The rest as at_baseline.
    """
    if not month > 0:
        raise BadInput(f"the landmark is month {month:g}.\n  Give one after 0, or ask at_baseline.")
    known = _scores(forms, subjects, score)
    reading = f"Last score until month {month:g}"
    return _of_one_score(reading, known[known["month"] <= month], subjects, month, score, adjust, strata, points)


def as_it_changes(
    forms: pd.DataFrame,
    subjects: pd.DataFrame,
    *,
    score: str,
    adjust: Sequence[str] = (),
    strata: Sequence[str] = (),
    points: float = POINTS,
) -> Prognosis:
    """Hazard of death by the last score so far, carried forward; at risk from the first score on.

    Counting process (Andersen and Gill 1982), standard errors robust by patient. The rest as at_baseline.
    """
    known = _scores(forms, subjects, score).sort_values(["subject", "month"])
    known = known.assign(month=known["month"].clip(lower=0.0)).drop_duplicates(["subject", "month"], keep="last")
    rows = known.merge(subjects, on="subject", suffixes=("", "_of_subject"))
    late = rows["month"] >= rows["time"]
    rows = rows[~late]
    _check_any(rows, score)
    stop = rows.groupby("subject")["month"].shift(-1)
    last = stop.isna()
    model = cox(
        stop.fillna(rows["time"]),
        rows["died"].astype(bool) & last,
        _covariates(rows, score, adjust, points),
        start=rows["month"],
        cluster=rows["subject"],
        strata=rows[list(strata)] if strata else None,
    )
    without = int((~subjects["subject"].isin(rows["subject"])).sum())
    return Prognosis("Score as it changes, carried forward", model, points, {"no score": without})


def _of_one_score(
    reading: str,
    known: pd.DataFrame,
    subjects: pd.DataFrame,
    begin: float,
    score: str,
    adjust: Sequence[str],
    strata: Sequence[str],
    points: float,
) -> Prognosis:
    last = known.sort_values("month", kind="stable").drop_duplicates("subject", keep="last")
    require(subjects, [*adjust, *strata], "subjects")
    rows = subjects.merge(last[["subject", score]], on="subject", how="left")
    followed = rows["time"] > begin if begin > 0 else rows["time"] >= 0
    scored = rows[score].notna()
    excluded = {"no longer followed": int((~followed).sum()), "no score": int((followed & ~scored).sum())}
    kept = rows[followed & scored]
    _check_any(kept, score)
    chosen = kept[list(strata)] if strata else None
    model = cox(kept["time"] - begin, kept["died"], _covariates(kept, score, adjust, points), strata=chosen)
    return Prognosis(reading, model, points, excluded)


def _scores(forms: pd.DataFrame, subjects: pd.DataFrame, score: str) -> pd.DataFrame:
    require(forms, ["subject", "month", score], "forms")
    require(subjects, ["subject", "time", "died"], "subjects")
    if (twice := subjects["subject"].duplicated()).any():
        raise BadInput(f"subjects has a subject twice in rows {rows_of(twice)}.\n  Keep one row a patient.")
    return forms.loc[forms[score].notna(), ["subject", "month", score]]


def _covariates(rows: pd.DataFrame, score: str, adjust: Sequence[str], points: float) -> pd.DataFrame:
    require(rows, adjust, "subjects")
    if not points > 0:
        raise BadInput(f"points is {points}.\n  Give points above 0.")
    given = pd.get_dummies(rows[list(adjust)], drop_first=True) if adjust else pd.DataFrame(index=rows.index)
    return given.assign(**{score: rows[score] / points})[[score, *given.columns]]


def _check_any(rows: pd.DataFrame, score: str) -> None:
    if rows.empty:
        raise CannotEstimate(f"nobody has {score} while followed")
    if not np.isfinite(rows[score]).all():
        raise BadInput(f"{score} is infinite in some row of forms.")
