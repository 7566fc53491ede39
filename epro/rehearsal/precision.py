"""How precisely, and with which power, would the trial answer its main questions, as it was rehearsed?

The rehearsed trial is exported and analysed like any other; the effect that the scenario holds comes from many more
invented patients. Power is that of a two-sided test at 5 %: for survival the share of four hundred replicates that find
a difference, else from the standard error that was found and the effect that is true.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from analysis import mmrm
from analysis.mmrm import CovarianceFellBack
from analysis.numbers import Numbers
from analysis.planned import Estimand
from analysis.results import BadInput, CannotEstimate
from analysis.sections.material import Material, row_of
from analysis.sections.repeated import changes
from analysis.simulation import hazard_ratios, simulate
from analysis.survival import cox
from epro.house import House
from epro.queries.export import export
from epro.rehearsal.rehearsing import Asked

REPLICATES = 400
PATIENTS = 3000  # in whom the true difference of a score is looked up
Z = NormalDist().inv_cdf(0.975)
SURVIVAL, SCORE = "cox", "mmrm"
SIMULATED = "qlq-c30"
TRUE_SCORE = "QL"  # the scale whose truth the simulation keeps


@dataclass(frozen=True)
class Precision:
    """One estimand: what the rehearsed trial finds, what is true, and how often such a trial would find it.

    estimate: a hazard ratio, or a difference in points; None = not estimable, and `note` says why. power: 0 to 1.
    """

    id: str
    title: str
    measure: str
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    true: float | None = None
    power: float | None = None
    note: str = ""


def precisions(house: House, asked: Asked, folder: Path, follow_up_months: float, now: Any) -> list[Precision]:
    """The estimands of the plan that test superiority by Cox's model or a model for repeated measures."""
    if not house.protocol.analysis:
        return []
    trial = export(house, folder, now=now)
    material = Material(trial, trial.plan, Numbers())
    key = {
        id: one
        for id, one in trial.plan.analysis.estimand.items()
        if one.objective == "superiority" and one.method in (SURVIVAL, SCORE)
    }
    return [found for id, one in key.items() for found in _of(material, id, one, house, asked, follow_up_months)]


def _of(
    material: Material, id: str, estimand: Estimand, house: House, asked: Asked, follow_up_months: float
) -> Iterator[Precision]:
    try:
        if estimand.method == SURVIVAL:
            yield from _survival(material, id, estimand, asked, follow_up_months)
        else:
            yield from _scores(material, id, estimand, house, asked)
    except (CannotEstimate, BadInput) as reason:
        measure = "hazard ratio" if estimand.method == SURVIVAL else "difference, points"
        yield Precision(id, estimand.title, measure, note=str(reason).partition("\n")[0])


def _survival(
    material: Material, id: str, estimand: Estimand, asked: Asked, follow_up_months: float
) -> Iterator[Precision]:
    times, patients = material.times(estimand), material.randomised
    model = cox(
        times["time"], times["event"], material.indicators(patients), strata=material.strata(patients, times["event"])
    )
    true, power, note = _replicated(asked, estimand, follow_up_months)
    for arm in material.plan.other_arms:
        row: dict[str, float] = row_of(model.terms, arm)
        if power is None and true is None:
            note = note or f"standard error of the logarithm {row['se']:.2f}"
        yield Precision(id, estimand.title, "hazard ratio", row["hr"], row["lower"], row["upper"], true, power, note)


def _replicated(asked: Asked, estimand: Estimand, follow_up_months: float) -> tuple[float | None, float | None, str]:
    """The hazard ratio that is true on average, and the share of trials that find it. For death alone."""
    if estimand.endpoint != "overall survival" or asked.scenario.answers == "shared parameter":
        return None, None, ""
    with np.errstate(all="ignore"):  # a trial too small to be estimated is told as such
        found = hazard_ratios(
            trials=REPLICATES,
            seed=asked.seed,
            subjects=asked.patients,
            accrual_months=asked.accrual_months,
            follow_up_months=follow_up_months,
            scenario=asked.scenario.answers,
        ).dropna()
    if found.empty:
        return None, None, "no replicate could be estimated"
    power = float((abs(found["coef"] / found["se"]) > Z).mean())
    return math.exp(float(found["coef"].mean())), power, f"{len(found)} replicates"


def _scores(material: Material, id: str, estimand: Estimand, house: House, asked: Asked) -> Iterator[Precision]:
    for scale in estimand.scales:
        data, _ = changes(material, scale)
        if data.empty:
            raise CannotEstimate("no patient has two scores")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CovarianceFellBack)
            model = mmrm.fit("chg ~ base * visit + arm * visit", data, subject="subject", visit="visit")
        apart = model.contrasts("arm", by="visit")
        true = _true_difference(house, asked, estimand) if _is_simulated(material, scale) else None
        for arm in material.plan.other_arms:
            rows = apart[apart["contrast"] == f"{arm} - {material.reference}"]
            if estimand.visit not in rows.index:
                raise CannotEstimate(f"no score of both arms at {estimand.visit}")
            row: dict[str, float] = row_of(rows, estimand.visit)
            title = f"{estimand.title}: {scale}"
            power = None if true is None else _power(true, row["se"])
            yield Precision(id, title, "difference, points", row["estimate"], row["lower"], row["upper"], true, power)


def _is_simulated(material: Material, scale: str) -> bool:
    return scale == TRUE_SCORE and material.plan.analysis.instrument == SIMULATED


def _true_difference(house: House, asked: Asked, estimand: Estimand) -> float:
    """The difference in mean true change between the arms, among those alive at the visit."""
    visits = {code: visit.month for code, visit in house.protocol.schedule.visits.items()}
    many = simulate(
        seed=asked.seed,
        subjects=PATIENTS,
        visits={code: month for code, month in visits.items() if month == 0 or code == estimand.visit},
        start_on=date(2027, 1, 1),
        accrual_months=asked.accrual_months,
        scenario=asked.scenario.answers,
    )
    truth = many.truth.reset_index()
    at = truth[(truth["visit"] == estimand.visit) & truth["alive"]].set_index("subject")["QL"]
    first = truth[truth["visit"] != estimand.visit].set_index("subject")["QL"].groupby(level=0).first()
    change = at - first.reindex(at.index)
    arms = many.patients.set_index("subject")["arm"].reindex(at.index)
    means = change.groupby(arms).mean()
    return float(means["surgery"] - means["control"])


def _power(effect: float, se: float) -> float:
    """Of a two-sided test at 5 %, by the normal distribution."""
    normal = NormalDist()
    return normal.cdf(abs(effect) / se - Z) + normal.cdf(-abs(effect) / se - Z)
