"""What does every section of the report draw on, and what is a section?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from analysis import estimands
from analysis.deterioration import DAYS_A_MONTH
from analysis.figures.canvas import Figure
from analysis.mmrm import MMRM
from analysis.numbers import Cell, Numbers
from analysis.plan import TrialPlan
from analysis.planned import Estimand
from analysis.results import BadInput, CannotEstimate
from analysis.tables import Table
from analysis.trial import Trial
from questionnaires.definition import Composite, Scale

Found = TypeVar("Found")
NOT_RECORDED = "not recorded"
POINTS = 10.0  # of a score, per which its hazard ratios are


@dataclass(frozen=True)
class Section:
    """A part of the report: its paragraphs, tables and figures in the order of reading.

    estimand: whose attributes are printed above, as they are meant here; None where the section answers none.
    """

    id: str
    title: str
    parts: list[Cell | Table | Figure] = field(default_factory=list)
    estimand: Estimand | None = None

    @property
    def figures(self) -> list[Figure]:
        return [part for part in self.parts if isinstance(part, Figure)]


@dataclass(frozen=True, eq=False)
class Material:
    """The trial, the plan it is analysed by, and the numbers shown so far. models: fitted once for several sections."""

    trial: Trial
    plan: TrialPlan
    numbers: Numbers
    models: dict[str, MMRM | CannotEstimate] = field(default_factory=dict)

    @cached_property
    def randomised(self) -> pd.DataFrame:
        return self.trial.randomised

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Of the plan's instrument, as `Trial.scores`."""
        return self.trial.scores(self.plan.analysis.instrument)

    @cached_property
    def arms(self) -> dict[str, str]:
        """Code: label, up to the colon of its description; the reference arm first.

        An arm that nobody was randomised to hides nothing from the others: where two have patients it is left out.
        """
        labels = {code: self.plan.arms[code].partition(":")[0] for code in (self.reference, *self.plan.other_arms)}
        present = {code: label for code, label in labels.items() if code in set(self.randomised["arm"])}
        return present if self.reference in present and len(present) > 1 else labels

    @property
    def others(self) -> list[str]:
        """Every arm but the reference."""
        return [arm for arm in self.arms if arm != self.reference]

    @property
    def without_patients(self) -> list[str]:
        """Labels of the planned arms that are left out."""
        return [label.partition(":")[0] for arm, label in self.plan.arms.items() if arm not in self.arms]

    @property
    def reference(self) -> str:
        return self.plan.analysis.reference_arm

    @property
    def visits(self) -> dict[str, str]:
        """Code: English title, in the order of time."""
        titles = {code: self.plan.visit[code].title for code in self.plan.months}
        return {code: title.get("en", next(iter(title.values()))) for code, title in titles.items()}

    @property
    def contrasts(self) -> dict[str, str]:
        """Arm: what its difference or ratio compares."""
        return {arm: f"{self.arms[arm]} against {self.arms[self.reference]}" for arm in self.others}

    @cached_property
    def baselines(self) -> pd.DataFrame:
        """Scores at baseline, indexed by subject."""
        return self.scores[self.scores["baseline"]].set_index("subject")

    def scale(self, code: str) -> Scale | Composite:
        instrument = self.trial.instruments[self.plan.analysis.instrument]
        parts: list[Scale | Composite] = [*instrument.scales, *instrument.composites]
        return next(part for part in parts if part.code == code)

    def times(self, estimand: Estimand) -> pd.DataFrame:
        """Time and event of the randomised for an estimand's endpoint, censored administratively where it says so."""
        of = {
            "overall survival": estimands.overall_survival,
            "progression-free survival": estimands.progression_free_survival,
        }[estimand.endpoint or "overall survival"]
        times = of(self.randomised)
        if estimand.until_month is not None:
            times["event"] &= times["time"] <= estimand.until_month
            times["time"] = times["time"].clip(upper=estimand.until_month)
        return times

    def strata(self, patients: pd.DataFrame, event: "pd.Series[bool]") -> "pd.Series[str] | None":
        """The planned strata of these patients, those with few events pooled; None where none are planned."""
        codes = list(self.plan.analysis.strata)
        if not codes:
            return None
        recorded = patients[codes].astype(object).fillna(NOT_RECORDED)
        return estimands.pooled(recorded, event, self.plan.analysis.pool_below)

    def indicators(self, patients: pd.DataFrame) -> pd.DataFrame:
        """One column for every arm but the reference: 1 for its patients."""
        return pd.DataFrame({arm: (patients["arm"] == arm).astype(float) for arm in self.others})


def months_after(patients: pd.DataFrame, days: "pd.Series[pd.Timestamp]") -> "pd.Series[float]":
    """Months from randomisation to these days, row by row."""
    return (days - patients["randomised_on"]).dt.days / DAYS_A_MONTH


def attempt(estimate: Callable[[], Found]) -> Found | CannotEstimate:
    """The estimate, or why there is none."""
    try:
        return estimate()
    except CannotEstimate as reason:
        return reason
    except (BadInput, np.linalg.LinAlgError) as reason:
        return CannotEstimate(str(reason).partition("\n")[0])


def row_of(table: Any, key: Any) -> dict[str, Any]:
    """One row of a table, by its label; not a number where it has none."""
    return dict(table.loc[key]) if key in table.index else dict.fromkeys(table.columns, float("nan"))


def against(table: Any, arm: str, reference: str) -> dict[str, float]:
    """The row "arm - reference" of a table of differences, turned round where it is the other way."""
    if f"{arm} - {reference}" in table.index:
        return row_of(table, f"{arm} - {reference}")
    if f"{reference} - {arm}" not in table.index:
        return dict.fromkeys(table.columns, float("nan"))
    row = row_of(table, f"{reference} - {arm}")
    turned = {"lower": -row["upper"], "upper": -row["lower"]}
    for name in ("estimate", "difference", "z", "t"):
        if name in row:
            turned[name] = -row[name]
    return {**row, **turned}


def direction(label: str, higher_is: str) -> str:
    """What a positive difference in a score between arms means, in words."""
    return f"{label}: higher is {higher_is}. A difference above 0 is {higher_is} for the arm named first."


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))
