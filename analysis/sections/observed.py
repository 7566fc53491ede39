"""What were the observed means of those who are alive and answer, and how much did single patients change?"""

from analysis import profiles, tables
from analysis.figures import patients as drawn
from analysis.figures.canvas import Figure
from analysis.figures.profiles import mean_profile
from analysis.sections.material import Material, Section


def quality_of_life(material: Material) -> Section:
    """Observed means by arm and visit."""
    section = Section("quality-of-life", "Quality of life among those alive and answering")
    section.parts.append(
        (
            "Observed means of patients who are alive and answered, with 95 % intervals. They are not the means of "
            "the arms: patients in poor health answer less, and the dead do not answer.",
        )
    )
    threshold = material.plan.analysis.threshold
    for code in material.plan.analysis.profile_scales:
        scale = material.scale(code)
        label, direction = scale.label["en"], f"higher is {scale.higher_is}"
        means = profiles.mean_profile(material.scores, code)
        title = f"Mean {label} ({code}) among those alive and answering"
        if means.empty:
            section.parts.append((f"{label}: no figure, there are no scores.",))
        else:
            start = float(material.baselines[code].mean())
            section.parts.append(
                mean_profile(
                    f"profile-{code}",
                    means,
                    material.arms,
                    material.plan.months,
                    ylabel=f"{label}, {direction}",
                    caption=f"{title}, with 95 % intervals; 0 to 100, {direction}. "
                    f"Band: within {threshold:g} points of the mean at baseline.",
                    band=(start - threshold, start + threshold) if start == start else None,
                    verb=f'profile("{code}").figure',
                )
            )
        section.parts.append(tables.profile(material.numbers, means, code, title, material.arms, material.visits))
    return section


def change(material: Material, code: str, visit: str, threshold: float) -> Figure | None:
    """A waterfall of the changes from baseline to a visit; None where nobody has both scores."""
    here = material.scores[material.scores["visit"] == visit].set_index("subject")
    changes = (here[code] - material.baselines[code].reindex(here.index)).dropna()
    if changes.empty:
        return None
    scale = material.scale(code)
    return drawn.waterfall(
        f"waterfall-{code}-{visit}",
        {arm: changes[here.loc[changes.index, "arm"] == arm] for arm in material.arms},
        material.arms,
        ylabel=f"Change, points; higher is {scale.higher_is}",
        caption=f"Change of {scale.label['en']} from baseline to {material.visits[visit]}, patient by patient, "
        f"of those with both scores; lines at {threshold:g} points.",
        threshold=threshold,
        verb=f'waterfall("{code}", "{visit}").figure',
    )


def other_questionnaires(material: Material) -> Section:
    """Observed means of every score that the plan's instrument does not give; empty where there is no other."""
    section = Section("other-questionnaires", "Other questionnaires among those alive and answering")
    for code, instrument in material.trial.instruments.items():
        if code == material.plan.analysis.instrument:
            continue
        if not instrument.scores:
            section.parts.append((f"{instrument.title}: {instrument.not_scored or 'it has no scores.'}",))
            continue
        scores = material.trial.scores(code)
        asked = set(material.trial.forms.loc[material.trial.forms["instrument"] == code, "visit"])
        visits = {visit: name for visit, name in material.visits.items() if visit in asked}
        for score in instrument.scores:
            title = f"{instrument.title}: mean {score.label['en']} ({score.code}), higher is {score.higher_is}"
            means = profiles.mean_profile(scores, score.code)
            id = f"{code}.{score.code}"
            section.parts.append(tables.profile(material.numbers, means, id, title, material.arms, visits))
    return section
