"""How do quality of life and survival hang together?"""

from functools import partial
from typing import Any

import pandas as pd

from analysis import estimands, joint, prognosis, tables
from analysis.deterioration import DAYS_A_MONTH
from analysis.figures.canvas import Figure
from analysis.numbers import Cell
from analysis.planned import Estimand
from analysis.prognosis import Prognosis
from analysis.results import CannotEstimate
from analysis.sections.material import NOT_RECORDED, Material, against, attempt, direction, months_after, row_of
from analysis.tables import Row, Table

Parts = list[Cell | Table | Figure]
HALF_A_DAY = 0.5 / DAYS_A_MONTH  # what a time of 0 is to a model of hazards


def baseline_prognosis(material: Material, id: str, estimand: Estimand) -> Parts:
    """Hazard of death by the score at baseline."""
    forms, subjects = answered(material), followed(material)
    return _prognoses(material, id, estimand, partial(prognosis.at_baseline, forms, subjects), "patients")


def changing_prognosis(material: Material, id: str, estimand: Estimand) -> Parts:
    """Hazard of death by the last score so far."""
    forms, subjects = answered(material), followed(material)
    estimate = partial(prognosis.as_it_changes, forms, subjects)
    parts = _prognoses(material, id, estimand, estimate, "spells with one score")
    return [*parts, ("Descriptive: health that falls because death is near foretells death.",)]


def _prognoses(material: Material, id: str, estimand: Estimand, estimate: Any, unit: str) -> Parts:
    numbers, rows, counted = material.numbers, [], list[Cell]()
    strata = {"strata": ["stratum"]} if material.plan.analysis.strata else {}
    for code in estimand.scales:
        found = attempt(partial(estimate, score=code, adjust=material.others, **strata))
        model = found if isinstance(found, CannotEstimate) else found.model
        label = f"{material.scale(code).label['en']} ({code}), 10 points more"
        for term, words in {code: label, **material.contrasts}.items():
            ratio = tables.hazard_ratio(numbers, f"{id}.{code}.{term}", model, term, tested=estimand.is_tested)
            rows.append(Row(words, ratio))
        if isinstance(found, Prognosis):
            counted += _counted(material, f"{id}.{code}", found, unit)
    head = ("Covariate", "Hazard ratio of death (95 % interval)", *tables.p_head(estimand.is_tested))
    return [Table("Cox model of overall survival, stratified as planned", head, tuple(rows)), *counted]


def _counted(material: Material, id: str, found: Prognosis, unit: str) -> list[Cell]:
    numbers = material.numbers
    rows = numbers.count(f"{id}.n", found.model.n)
    events = numbers.count(f"{id}.events", found.model.events)
    left = numbers.count(f"{id}.excluded", sum(found.excluded.values()))
    return [
        (f"{found.reading}: {unit} ", rows, ", deaths ", events, "; patients left out for want of a score: ", left, ".")
    ]


def followed(material: Material) -> pd.DataFrame:
    """subject, arm, time (months, above 0), died, an indicator per arm, and the stratum."""
    who, times = material.randomised, estimands.overall_survival(material.randomised)
    table = pd.DataFrame({"subject": who["subject"].astype(object), "arm": who["arm"].astype(object)})
    table = table.assign(time=times["time"].clip(lower=HALF_A_DAY), died=times["event"])
    strata = material.strata(who, times["event"])
    table = table.assign(**material.indicators(who))
    return table.assign(stratum=strata if strata is not None else NOT_RECORDED)


def answered(material: Material) -> pd.DataFrame:
    """subject, month of the answer (the baseline at 0), and the scores."""
    who = material.randomised[["subject", "randomised_on"]]
    forms = material.scores.drop(columns="month").merge(who, on="subject")
    month = months_after(forms, forms["answered_on"]).clip(lower=0.0)
    return forms.assign(month=month.where(~forms["baseline"], 0.0), subject=forms["subject"].astype(object))


def joint_model(material: Material, id: str, estimand: Estimand) -> Parts:
    """The course of the score and the hazard of death, joined by each patient's own course."""
    subjects = followed(material)
    subjects["arm"] = pd.Categorical(subjects["arm"], list(material.arms))
    parts: Parts = []
    for code in estimand.scales:
        parts += _joined(material, f"{id}.{code}", estimand, code, subjects)
    return parts


def _joined(material: Material, id: str, estimand: Estimand, code: str, subjects: pd.DataFrame) -> Parts:
    forms = answered(material)
    ends = forms["subject"].map(subjects.set_index("subject")["time"])
    kept = forms[(forms["month"] <= ends) & forms[code].notna()].drop_duplicates(["subject", "month"])
    late = int((forms[code].notna()).sum()) - len(kept)
    hazard = " + ".join(["arm", *(each for each in ["stratum"] if subjects[each].nunique() > 1)])
    fit = partial(joint.fit, f"{code} ~ month * arm", kept[["subject", "month", code]], subjects)
    model = attempt(partial(fit, subject="subject", month="month", time="time", event="died", hazard=hazard))
    label, numbers = material.scale(code).label["en"], material.numbers
    if isinstance(model, CannotEstimate):
        return [(f"{label}: not estimable: {model}.",)]
    months = [month for month in material.plan.months.values() if 0 < month <= 36]
    means, apart = model.means("arm", at=months), model.differences("arm", at=months)
    rows = []
    for month in months:
        cells = [
            tables.estimated(numbers, f"{id}.mean.{month:g}.{arm}", row_of(means, (month, arm)), 1)
            for arm in material.arms
        ]
        for arm in material.contrasts:
            key, row = f"{id}.difference.{month:g}.{arm}", against(apart.loc[month], arm, material.reference)
            cells.append(tables.estimated(numbers, key, row, 1))
        rows.append(Row(f"{month:g}", tuple(cells)))
    columns = [f"Difference, {words}" for words in material.contrasts.values()]
    note = f"95 % intervals. {direction(label, material.scale(code).higher_is)}"
    course = Table(f"{label}: mean course, points", ("Month", *material.arms.values(), *columns), tuple(rows), note)
    return [course, _hazard(material, id, estimand, model, label), _rests_on(material, id, model, late)]


def _rests_on(material: Material, id: str, model: joint.JointModel, late: int) -> Cell:
    numbers = material.numbers
    return (
        f"Diagnostics. Linear course with random intercept and slope, {model.baseline} baseline hazard, adaptive "
        "Gauss-Hermite quadrature: patients ",
        numbers.count(f"{id}.subjects", model.subjects),
        ", forms ",
        numbers.count(f"{id}.forms", model.forms),
        ", deaths ",
        numbers.count(f"{id}.events", model.events),
        ", log likelihood ",
        numbers.decimal(f"{id}.loglik", model.loglik, 2),
        "; forms left out (after the end of follow-up, or twice on a day): ",
        numbers.count(f"{id}.late", late),
        ".",
    )


def _hazard(material: Material, id: str, estimand: Estimand, model: joint.JointModel, label: str) -> Table:
    rows, numbers = [], material.numbers
    for term in model.hazard.index:
        row: dict[str, float] = row_of(model.hazard, term)
        words = f"{label} as it truly is, one point more" if term == "association" else _arm_words(material, str(term))
        if words is not None:
            ratio = numbers.with_interval(
                partial(numbers.decimal, places=3), f"{id}.hazard.{term}", row["hr"], row["lower"], row["upper"]
            )
            rows.append(Row(words, (ratio, tables.p_cell(numbers, f"{id}.hazard.{term}.p", row, estimand.is_tested))))
    return Table("Hazard of death, given the course", ("", "Hazard ratio (95 % interval)", "p"), tuple(rows))


def _arm_words(material: Material, term: str) -> str | None:
    return next((words for arm, words in material.contrasts.items() if term == f"arm[T.{arm}]"), None)
