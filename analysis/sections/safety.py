"""How many patients had which adverse event, and how severe?"""

from functools import partial

import pandas as pd

from analysis import tables
from analysis.figures.canvas import Figure
from analysis.numbers import Cell, slugs
from analysis.planned import Estimand
from analysis.sections.material import Material
from analysis.tables import Row, Table

Parts = list[Cell | Table | Figure]
SEVERE = 3


def adverse_events(material: Material, id: str, estimand: Estimand) -> Parts:
    """Patients with an event, by term; of both arms together where these are masked."""
    events = material.trial.adverse_events
    if events is None:
        return [("No adverse events are in the data (adverse_events.csv).",)]
    who = material.randomised[["subject", "arm"]]
    mine = events.merge(who, on="subject")
    arms = {"all": "All arms together"} if material.trial.masked else material.arms
    if material.trial.masked:
        mine = mine.assign(arm="all")
        who = who.assign(arm="all")
    sizes = {arm: int((who["arm"] == arm).sum()) for arm in arms}
    severe, serious = mine["grade"].ge(SEVERE).fillna(False), mine["serious"].fillna(False).astype(bool)
    rows = [Row("Randomised", tuple((material.numbers.count(f"{id}.n.{arm}", n),) for arm, n in sizes.items()))]
    cells = partial(_cells, material, sizes)
    kinds = {
        "any": ("Any event", pd.Series(True, mine.index)),
        "severe": ("Any of grade 3 or worse", severe),
        "serious": ("Any serious event", serious),
        "fatal": ("Any of grade 5", mine["grade"].ge(5).fillna(False)),
    }
    for key, (label, mask) in kinds.items():
        rows.append(Row(label, cells(f"{id}.{key}", _patients(mine[mask], arms))))
    for term, slug in slugs(sorted(set(mine["term"]))).items():
        here = mine["term"] == term
        key = f"{id}.term.{slug}"
        rows.append(Row(term, cells(key, _patients(mine[here], arms))))
        rows.append(Row(f"{term}, grade 3 or worse", cells(f"{key}.severe", _patients(mine[here & severe], arms))))
    note = "Patients (per cent of the randomised), each counted once a row, by worst grade; no test."
    return [Table("Patients with an adverse event", ("", *arms.values()), tuple(rows), note)]


def _patients(events: pd.DataFrame, arms: dict[str, str]) -> dict[str, int]:
    return {arm: int(events.loc[events["arm"] == arm, "subject"].nunique()) for arm in arms}


def _cells(material: Material, sizes: dict[str, int], id: str, counts: dict[str, int]) -> tuple[Cell, ...]:
    return tuple(tables.count_of(material.numbers, f"{id}.{arm}", n, sizes[arm]) for arm, n in counts.items())
