"""How long do patients live in which state of health, and what is that time worth?"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis import estimands, qtwist, tables
from analysis.figures.canvas import Figure
from analysis.numbers import Cell
from analysis.planned import Estimand
from analysis.results import CannotEstimate
from analysis.sections.joined import HALF_A_DAY, followed
from analysis.sections.material import Material, against, attempt, months_after, row_of
from analysis.tables import Row, Table

Parts = list[Cell | Table | Figure]
STATE_LABELS = {
    "toxicity": "With toxicity of grade 3 or worse",
    "without symptoms": "Without symptoms or toxicity",
    "after progression": "After progression",
    "alive": "Alive",
}


def q_twist(material: Material, id: str, estimand: Estimand) -> Parts:
    """Time in each state, and quality-adjusted time over utilities."""
    subjects = followed(material)
    free = estimands.progression_free_survival(material.randomised)
    until = free["time"].clip(lower=HALF_A_DAY)
    subjects = subjects.assign(progression_time=np.minimum(until, subjects["time"]), progressed=free["event"])
    toxicity, month = _toxicity(material), estimand.month or 0.0
    found = attempt(partial(qtwist.estimate, subjects, horizon=month, toxicity=toxicity, utilities=(0.0, 0.5, 1.0)))
    if isinstance(found, CannotEstimate):
        return [(f"Not estimable: {found}.",)]
    numbers, rows = material.numbers, []
    for state, label in STATE_LABELS.items():
        slug = state.replace(" ", "-")
        cells = [
            tables.estimated(numbers, f"{id}.{slug}.{arm}", row_of(found.states, (arm, state)), 1)
            for arm in material.arms
        ]
        apart = found.differences.xs(state, level="state")
        for arm in material.contrasts:
            row = against(apart, arm, material.reference)
            cells.append(tables.estimated(numbers, f"{id}.{slug}.difference.{arm}", row, 1))
        rows.append(Row(label, tuple(cells)))
    head = ("Months", *material.arms.values(), *(f"Difference, {words}" for words in material.contrasts.values()))
    parts: Parts = [Table(f"Mean time in each state to {month:g} months (95 % bootstrap interval)", head, tuple(rows))]
    parts.append(_sweep(material, id, found))
    known = "No adverse events are in the data: all time before progression counts as free of toxicity."
    if toxicity is None:
        parts.append((known,))
    replicates = numbers.count(f"{id}.replicates", found.replicates)
    parts.append(("Intervals from ", replicates, f" bootstrap replicates within arms, seed {found.seed}."))
    parts.append(_no_utility(material))
    return parts


def _sweep(material: Material, id: str, found: qtwist.QTwist) -> Table:
    rows = []
    sweep: Any = found.sweep
    for toxic, progressed in sweep.index.droplevel("arms").unique():
        here = sweep.xs((toxic, progressed), level=("utility of toxicity", "utility after progression"))
        cells: list[Cell] = []
        for arm in material.contrasts:
            key = f"{id}.sweep.{toxic:g}.{progressed:g}.{arm}"
            cells.append(tables.estimated(material.numbers, key, against(here, arm, material.reference), 1))
        rows.append(Row(f"toxicity {toxic:g}, after progression {progressed:g}", tuple(cells)))
    head = ("Utility of", *(f"Difference, {words}, months" for words in material.contrasts.values()))
    return Table(
        "Quality-adjusted time (Q-TWiST) over utilities", head, tuple(rows), "Time without symptoms counts fully."
    )


def _no_utility(material: Material) -> Cell:
    if any(each.method == "quality-adjusted survival" for each in material.plan.analysis.estimand.values()):
        return ("Quality-adjusted survival by measured utilities is an estimand of its own, below.",)
    return (
        "Quality-adjusted survival by measured utilities: not planned, as no questionnaire of the trial gives any.",
    )


def _toxicity(material: Material) -> pd.DataFrame | None:
    """Months from and to of events of grade 3 or worse; one without an end goes on to the end of follow-up."""
    events = material.trial.adverse_events
    if events is None or events.empty:
        return None
    severe = events[events["grade"].ge(3).fillna(False)].merge(material.randomised, on="subject")
    stop = severe["ended_on"].fillna(severe["died_on"]).fillna(severe["last_alive_on"])
    table = pd.DataFrame(
        {
            "subject": severe["subject"].astype(object),
            "start": months_after(severe, severe["started_on"]).clip(lower=0.0),
            "stop": months_after(severe, stop + pd.Timedelta(days=1)),
        }
    )
    return table[table["stop"] >= table["start"]].reset_index(drop=True)


def quality_adjusted(material: Material, id: str, estimand: Estimand) -> Parts:
    """Survival, each month weighted by its utility."""
    month, instrument = estimand.month or 0.0, material.trial.instruments[estimand.utility or ""]
    scores = material.trial.scores(instrument.id)
    utility = instrument.value_sets[0]
    column = utility if utility in scores else scores.columns[-1]
    forms = scores[scores["subject"].isin(material.randomised["subject"])].astype({"subject": object})
    forms = forms.assign(month=forms["month"].clip(lower=0.0))
    subjects = followed(material)
    estimate = partial(qtwist.quality_adjusted, forms[["subject", "month", column]], subjects, utility=column)
    found = attempt(partial(estimate, horizon=month))
    if isinstance(found, CannotEstimate):
        return [(f"Not estimable: {found}.",)]
    rows = []
    for arm, label in material.arms.items():
        rows.append(Row(label, (tables.estimated(material.numbers, f"{id}.{arm}", row_of(found.means, arm), 1),)))
    for arm, label in material.contrasts.items():
        row = against(found.differences, arm, material.reference)
        rows.append(Row(label, (tables.estimated(material.numbers, f"{id}.difference.{arm}", row, 1),)))
    return [
        Table(f"Quality-adjusted months to {month:g} months, by {column}", ("", "Months (95 % interval)"), tuple(rows))
    ]
