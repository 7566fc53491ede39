"""When does a patient become worse, by which reading of death?"""

from functools import partial

import pandas as pd

from analysis import deterioration, tables
from analysis.competing import cause_specific, cumulative_incidence, fine_gray, gray
from analysis.deterioration import Definition
from analysis.figures.canvas import Figure, months_shown
from analysis.figures.curves import incidence_curves
from analysis.numbers import Cell
from analysis.planned import Estimand
from analysis.results import CannotEstimate
from analysis.sections.material import Material, attempt, row_of
from analysis.sections.surviving import NOBODY, time_to_event
from analysis.tables import Row, Table

Parts = list[Cell | Table | Figure]
HAD = {deterioration.WORSENING: "Deteriorated", deterioration.DEATH: "Died before deterioration"}


def time_to_deterioration(material: Material, id: str, estimand: Estimand) -> Parts:
    """For each scale: the definition as a sentence, how the time ended, and the comparison of the arms."""
    parts: Parts = []
    for at, code in enumerate(estimand.scales):
        key = id if at == 0 else f"{id}.{code}"
        parts += _of_a_scale(material, key, estimand, code)
    return parts


def _of_a_scale(material: Material, id: str, estimand: Estimand, code: str) -> Parts:
    definition = definition_of(material, estimand, code)
    times = deterioration.time_to(material.scores, material.randomised, definition)
    patients = times[["subject"]].merge(material.randomised, on="subject", how="left")
    count = material.numbers.count(f"{id}.excluded", times.attrs["excluded"][deterioration.NO_BASELINE])
    parts: Parts = [(str(definition),), ("Left out for want of a baseline score: ", count, ".")]
    parts.append(_endings(material, id, times["cause"], patients["arm"]))
    if patients.empty:
        return [*parts, *NOBODY]
    if estimand.reading == "competing":
        return [*parts, *_competing(material, id, estimand, patients, times)]
    title = f"Time to deterioration of {definition.label}, or death"
    return [*parts, *time_to_event(material, id, estimand, "Alive without deterioration", title, patients, times)]


def definition_of(material: Material, estimand: Estimand, code: str) -> Definition:
    """What counts as deterioration of a scale, as the plan reads it."""
    scale = material.scale(code)
    return Definition(
        code,
        scale.label["en"],
        estimand.threshold or 1,
        scale.higher_is == "better",
        kind="definitive" if estimand.reading == "definitive" else "first",
        death="competing" if estimand.reading == "competing" else "event",
    )


def _endings(material: Material, id: str, cause: "pd.Series[str]", arm: "pd.Series[str]") -> Table:
    """How many patients' time ended in which way, by arm."""
    counts = pd.crosstab(cause, arm).reindex(index=deterioration.CAUSES, columns=list(material.arms), fill_value=0)
    rows = []
    for ending, row in zip(deterioration.CAUSES, counts.to_numpy().tolist(), strict=True):
        key = f"{id}.cause.{ending.replace(' ', '-')}"
        cells = [(material.numbers.count(f"{key}.{arm}", n),) for arm, n in zip(material.arms, row, strict=True)]
        rows.append(Row(ending.capitalize(), tuple(cells)))
    return Table("How the time ended", ("Ending", *material.arms.values()), tuple(rows))


def _competing(material: Material, id: str, estimand: Estimand, patients: pd.DataFrame, times: pd.DataFrame) -> Parts:
    numbers, arms = material.numbers, material.arms
    first = times["cause"].where(times["event"] | times["competing"])
    found = cumulative_incidence(times["time"], first, patients["arm"])
    months = months_shown(float(times["time"].max()))
    parts: Parts = []
    causes = [cause for cause in (deterioration.WORSENING, deterioration.DEATH) if (first == cause).any()]
    for cause in causes:
        name = id if cause == deterioration.WORSENING else f"{id}-{cause}"
        caption = (
            f"Cumulative incidence of {cause} (Aalen-Johansen) with 95 % log-log intervals; "
            "the other event ends the time."
        )
        parts.append(
            incidence_curves(
                name,
                found,
                arms,
                cause,
                ylabel=HAD[cause],
                caption=caption,
                months=months,
                verb=f'shows("{id}").figures["{name}"]',
            )
        )
    rows = []
    for cause in causes:
        for arm, label in arms.items():
            cells: list[Cell] = []
            for month in months[1:]:
                row = row_of(found.at(month), (arm, cause))
                key = f"{id}.incidence.{cause}.{arm}.{month:g}"
                cells.append((numbers.percent(key, row["incidence"], missing="-"),))
            rows.append(Row(f"{cause.capitalize()}: {label}", tuple(cells)))
    head = ("", *(f"{month:g}" for month in months[1:]))
    parts.append(Table("Cumulative incidence by month", head, tuple(rows), "-: the last patient left before."))
    parts.append(_tests(material, id, estimand, patients, times["time"], first))
    return parts


def _tests(
    material: Material,
    id: str,
    estimand: Estimand,
    patients: pd.DataFrame,
    time: "pd.Series[float]",
    first: "pd.Series[str]",
) -> Table:
    numbers, tested = material.numbers, estimand.is_tested
    strata = material.strata(patients, first.notna())
    covariates = material.indicators(patients)
    rows = []
    for cause in (deterioration.WORSENING, deterioration.DEATH):
        test = attempt(partial(gray, time, first, patients["arm"], of=cause, strata=strata))
        hazard = attempt(partial(cause_specific, time, first, covariates, of=cause, strata=strata))
        sub = attempt(partial(fine_gray, time, first, covariates, of=cause))
        for arm, label in material.contrasts.items():
            key = f"{id}.{cause}"
            cells: list[Cell] = []
            if isinstance(test, CannotEstimate):
                cells += [(f"not estimable: {test}",)] if tested else []
            elif tested:
                p = numbers.p(f"{key}.gray.{arm}.p", test.p)
                chi_square = numbers.decimal(f"{key}.gray.{arm}.chi_square", test.chi_square, 2)
                cells.append((chi_square, ", p ", p))
            cells += tables.hazard_ratio(numbers, f"{key}.cause-specific.{arm}", hazard, arm, tested=tested)
            cells += tables.hazard_ratio(numbers, f"{key}.fine-gray.{arm}", sub, arm, tested=tested, name="shr")
            rows.append(Row(f"{cause.capitalize()}: {label}", tuple(cells)))
    tests = ["Gray's chi-square, p"] if tested else []
    head = (
        "",
        *tests,
        "Cause-specific hazard ratio (95 % interval)",
        *tables.p_head(tested),
        "Subdistribution hazard ratio (95 % interval)",
        *tables.p_head(tested),
    )
    note = "The subdistribution's (Fine and Gray) is not stratified. A ratio below 1: less in the arm named first."
    return Table("Comparison of the arms", head, tuple(rows), note)
