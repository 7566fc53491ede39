"""Which sections does the report have, in which order, and which method answers which estimand?"""

from collections.abc import Callable, Collection, Mapping

from analysis.planned import Estimand, Method
from analysis.sections import (
    deteriorating,
    factors,
    imputed,
    joined,
    living,
    observed,
    overview,
    people,
    repeated,
    safety,
    surviving,
    valued,
)
from analysis.sections.material import Material, Section
from analysis.sections.surviving import Parts

Answer = Callable[[Material, str, Estimand], Parts]
ANSWERS: Mapping[Method, Answer] = {
    "cox": surviving.hazard,
    "survival at a month": surviving.at_a_month,
    "median survival": surviving.median,
    "mmrm": repeated.change_at_a_visit,
    "mmrm over all visits": repeated.overall,
    "responders": living.responders,
    "time to deterioration": deteriorating.time_to_deterioration,
    "while alive": living.among_the_living,
    "baseline prognosis": joined.baseline_prognosis,
    "changing prognosis": joined.changing_prognosis,
    "joint model": joined.joint_model,
    "q-twist": valued.q_twist,
    "quality-adjusted survival": valued.quality_adjusted,
    "reference-based imputation": imputed.imputed,
    "prognostic factors": factors.prognostic,
    "predictive factors": factors.predictive,
    "adverse events": safety.adverse_events,
}
BEFORE: Mapping[str, Callable[[Material], Section]] = {
    "participants": people.participants,
    "oddities": people.oddities,
    "baseline": people.baseline,
    "completion": people.completion,
    "quality-of-life": observed.quality_of_life,
    "other-questionnaires": observed.other_questionnaires,
}


class NoSuchSection(ValueError):
    """A section that this report does not have."""


def ids_of(material: Material) -> list[str]:
    """The ids of all sections, in their order; an estimand's is its own."""
    return ["plan", *BEFORE, *material.plan.analysis.estimand, "hierarchy", "consort-pro"]


def written(
    material: Material, only: Collection[str] = (), progress: Callable[[str], None] | None = None
) -> list[Section]:
    """The sections, or only those named. progress: told the title of each before it is made. Raises NoSuchSection."""
    known = ids_of(material)
    if strange := [id for id in only if id not in known]:
        raise NoSuchSection(f"the report has no section {', '.join(strange)}.\n  It has {', '.join(known)}.")
    tell = progress or (lambda _: None)
    refused = too_large(material)
    sections: list[Section] = [overview.plan(material, refused)] if not only or "plan" in only else []
    for id, make in BEFORE.items():
        if not only or id in only:
            tell(id)
            sections.append(make(material))
    for id, estimand in material.plan.analysis.estimand.items():
        if not only or id in only:
            tell(estimand.title)
            sections.append(answered(material, id, estimand, refused.get(id)))
    if not only:
        sections += [overview.hierarchy(material), overview.checklist(material)]
    return [section for section in sections if section.parts]


def answered(material: Material, id: str, estimand: Estimand, refused: str | None = None) -> Section:
    """The section of one estimand: its five attributes, and what its method finds or why it finds nothing."""
    analysis = material.plan.analysis
    meant = estimand.model_copy(
        update={
            "population": estimand.population or analysis.population,
            "treatment": estimand.treatment or analysis.treatment,
        }
    )
    section = Section(id, estimand.title, estimand=meant)
    if refused is not None:
        section.parts.append((f"{refused.capitalize()}.",))
    else:
        section.parts.extend(ANSWERS[estimand.method](material, id, meant))
    return section


def too_large(material: Material) -> dict[str, str]:
    """Estimands whose method the plan leaves out of a trial of this size, and why."""
    n, largest = len(material.randomised), material.plan.analysis.largest
    return {
        id: f"left out by the plan: from {largest[each.method]} randomised patients on"
        for id, each in material.plan.analysis.estimand.items()
        if each.method in largest and n >= largest[each.method]
    }
