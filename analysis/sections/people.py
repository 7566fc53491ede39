"""Who took part, what was odd, who they were, and which forms came?"""

from functools import partial
from typing import Any

import pandas as pd

from analysis import compliance, disposition, tables
from analysis.figures import patients as drawn
from analysis.figures.canvas import Figure
from analysis.numbers import Cell, slugs
from analysis.sections.material import NOT_RECORDED, Material, Section, months_after
from analysis.tables import Row, Table


def participants(material: Material) -> Section:
    """Who was enrolled, randomised, lost, analysed."""
    trial, numbers, randomised = material.trial, material.numbers, material.randomised
    left_out = trial.subjects[trial.subjects["randomised_on"].isna()]
    paragraph: Cell = (
        "Enrolled: ",
        numbers.count("consort.enrolled", len(trial.subjects)),
        ". Not randomised: ",
        numbers.count("consort.not-randomised", len(left_out)),
        ", of whom withdrew ",
        numbers.count("consort.not-randomised.withdrawn", left_out["withdrawn_on"].notna().sum()),
        ". Randomised: ",
        numbers.count("consort.randomised", len(randomised)),
        ". All randomised patients are analysed in the arm they were given.",
        *(f" Nobody was randomised to {arm}, which is left out." for arm in material.without_patients),
    )
    counts = disposition.consort(trial.subjects, material.scores, list(material.arms))
    if trial.masked:
        counts = counts.drop(index="operated")
    section = Section("participants", "Participants", [paragraph])
    section.parts.append(tables.consort(numbers, counts, material.arms))
    if len(randomised):
        section.parts.append(swimmer(material))
    return section


def swimmer(material: Material) -> Figure:
    """Every patient's course."""
    who = material.randomised
    died = who["died_on"].notna()
    patients = pd.DataFrame(
        {
            "subject": who["subject"],
            "arm": who["arm"],
            "time": months_after(who, who["died_on"].fillna(who["last_alive_on"])),
            "died": died,
            "progressed_at": months_after(who, who["progression_on"]),
            "operated_at": months_after(who, who["surgery_on"]),
        }
    )
    answered = material.scores.merge(who[["subject", "randomised_on"]], on="subject")
    forms = pd.DataFrame({"subject": answered["subject"], "month": months_after(answered, answered["answered_on"])})
    return drawn.swimmer(
        "swimmer",
        patients,
        forms[forms["month"] >= 0],
        material.arms,
        caption="Each line is a patient, from randomisation to death or to the last day known alive; by arm, and "
        "within it by length of follow-up.",
        verb='shows("participants").figures["swimmer"]',
    )


def oddities(material: Material) -> Section:
    """What is odd in the data, and what was made of it."""
    section = Section("oddities", "What is odd in the data")
    found = material.trial.oddities
    if not found:
        section.parts.append(("Nothing odd was found.",))
        return section
    section.parts.append(("Nothing odd was dropped. The command epro data check names the rows.",))
    numbers = material.numbers
    rows = [
        Row(
            each.what.capitalize(),
            (
                (numbers.count(f"odd.{each.code}.rows", len(each.rows)),),
                (numbers.count(f"odd.{each.code}.patients", each.subjects),),
                (each.handling,),
            ),
        )
        for each in found
    ]
    section.parts.append(Table("Odd, and kept", ("What", "Rows", "Patients", "What was made of it"), tuple(rows)))
    return section


def baseline(material: Material) -> Section:
    """Table 1: who they were, by arm. No tests: differences between randomised arms are chance."""
    section = Section("baseline", "Patients at baseline")
    numbers, who, rows = material.numbers, material.randomised, []
    sizes = [(numbers.count(f"baseline.n.{arm}", (who["arm"] == arm).sum()),) for arm in material.arms]
    rows.append(Row("Patients", tuple(sizes)))
    words = {stratum: (each.label, who[stratum]) for stratum, each in material.plan.strata.items()}
    words["site"] = ("Site", who["site"])
    given = _covariates(material)
    for code, each in material.plan.analysis.covariate.items():
        if each.kind == "text":
            words[code] = (each.label, given[code])
    for code, (label, values) in words.items():
        rows += _levels(material, code, label, values.astype(object))
    for code, each in material.plan.analysis.covariate.items():
        if each.kind == "number":
            rows.append(_mean(material, code, each.label, given[code]))
    for code in material.plan.analysis.profile_scales:
        scale = material.scale(code)
        label = f"{scale.label['en']} ({code}), higher is {scale.higher_is}"
        rows.append(_mean(material, code, label, who["subject"].map(material.baselines[code])))
    head = ("", *material.arms.values())
    note = "Patients (per cent of the arm), or mean (SD; patients with a value). Scores run from 0 to 100."
    section.parts.append(Table("Patients at baseline, by arm", head, tuple(rows), note))
    return section


def _covariates(material: Material) -> pd.DataFrame:
    """A row per randomised patient, in their order; empty cells where nothing is known."""
    names = list(material.plan.analysis.covariate)
    if material.trial.covariates is None:
        return pd.DataFrame(None, index=material.randomised.index, columns=names)
    return material.randomised[["subject"]].merge(material.trial.covariates, on="subject", how="left")[names]


def _levels(material: Material, code: str, label: str, values: "pd.Series[Any]") -> list[Row]:
    numbers, arm = material.numbers, material.randomised["arm"]
    values = values.fillna(NOT_RECORDED)
    rows = []
    for level, slug in slugs(sorted(set(values), key=lambda each: (each == NOT_RECORDED, str(each)))).items():
        cells: list[Cell] = []
        for each in material.arms:
            id, mine = f"baseline.{code}.{slug}.{each}", values[arm == each]
            cells.append(tables.count_of(numbers, id, int((mine == level).sum()), len(mine)))
        rows.append(Row(f"{label}: {level}", tuple(cells)))
    return rows


def _mean(material: Material, code: str, label: str, values: "pd.Series[float]") -> Row:
    numbers, arm, cells = material.numbers, material.randomised["arm"], []
    for each in material.arms:
        mine = pd.to_numeric(values[arm == each]).dropna()
        id, show = f"baseline.{code}.{each}", partial(numbers.decimal, places=1, missing="-")
        mean, sd = show(f"{id}.mean", mine.mean()), show(f"{id}.sd", mine.std())
        cells.append((mean, " (", sd, "; ", numbers.count(f"{id}.n", len(mine)), ")"))
    return Row(label, tuple(cells))


def completion(material: Material) -> Section:
    """How many forms came, by visit and arm, and why the others did not."""
    rates = compliance.rates(material.trial)
    instruments = sorted(set(rates.index.get_level_values("instrument")))
    section = Section("completion", "Completion of the questionnaires")
    for instrument in instruments:
        title = material.trial.instruments[instrument].title
        section.parts.append(
            tables.completion(material.numbers, rates, instrument, title, material.arms, material.visits)
        )
    if not instruments:
        section.parts.append(("No forms of randomised patients are in the data.",))
        return section
    instrument = material.plan.analysis.instrument
    trial = material.trial
    statuses = disposition.statuses(trial.subjects, trial.forms, trial.answers, instrument)
    if len(statuses):
        section.parts.extend([_left(material, statuses), *_reasons(material, instrument), *_maps(material, statuses)])
    return section


def _left(material: Material, statuses: pd.DataFrame) -> Table:
    """Per arm, who has left the variable denominator at each visit, and why."""
    gone = (disposition.DEAD, disposition.WITHDREW, disposition.NOT_YET, disposition.OUTSIDE)
    numbers, rows = material.numbers, []
    for visit, name in material.visits.items():
        here = statuses[statuses["visit"] == visit]
        for arm, label in material.arms.items():
            mine = here.loc[here["arm"] == arm, "status"]
            size = int((material.randomised["arm"] == arm).sum())
            id = f"left.{arm}.{visit}"
            counts = {status: int((mine == status).sum()) for status in gone}
            counts[disposition.NOT_YET] += size - len(mine)
            names = {status: status.replace(" ", "-") for status in gone}
            cells = [(numbers.count(f"{id}.{names[status]}", counts[status]),) for status in gone]
            rows.append(Row(name, ((label,), *cells)))
    head = ("Visit", "Arm", "Died before", "Withdrew before", "Not due or still open", "Not asked")
    note = "Not asked: the window was over before the patient was in the system."
    return Table("Who left the denominator of expected forms, and why", head, tuple(rows), note)


def _reasons(material: Material, instrument: str) -> list[Cell | Table]:
    """Why forms that were expected did not come; over both arms where they are masked."""
    forms = material.trial.forms
    missed = forms[(forms["instrument"] == instrument) & (forms["state"] == "missed") & forms["expected"].astype(bool)]
    missed = missed.merge(material.randomised[["subject", "arm"]], on="subject")
    if missed.empty or material.trial.masked:
        return []
    reasons = missed["reason"].astype(object).fillna("no reason given")
    rows = []
    for reason, slug in slugs(sorted(set(reasons))).items():
        id = f"reason.{slug}"
        counts = [((reasons == reason) & (missed["arm"] == arm)).sum() for arm in material.arms]
        cells = [(material.numbers.count(f"{id}.{arm}", n),) for arm, n in zip(material.arms, counts, strict=True)]
        rows.append(Row(reason.capitalize(), tuple(cells)))
    return [Table("Why expected forms did not come", ("Reason", *material.arms.values()), tuple(rows))]


def _maps(material: Material, statuses: pd.DataFrame) -> list[Figure]:
    visits = {code: name for code, name in material.visits.items() if code in set(statuses["visit"])}
    sizes = material.randomised["arm"].value_counts().reindex(list(material.arms), fill_value=0)
    shares = disposition.status_shares(statuses, sizes, list(visits))
    wide = statuses.pivot(index="subject", columns="visit", values="status").reindex(columns=list(visits))
    wide = wide.reindex(sorted(material.randomised["subject"])).fillna(disposition.NOT_YET)
    came = wide.isin([disposition.COMPLETED, disposition.UNFINISHED]).to_numpy()
    last = came.shape[1] - came[:, ::-1].argmax(axis=1)
    order = pd.Series(last * came.any(axis=1) * 1000 + came.sum(axis=1), index=wide.index)
    wide = wide.loc[order.sort_values(ascending=False, kind="stable").index]
    return [
        drawn.status_bars(
            "status",
            shares,
            {arm: f"{label} ({sizes[arm]} patients)" for arm, label in material.arms.items()},
            visits,
            caption="What became of the form of every randomised patient at each visit.",
            verb='shows("completion").figures["status"]',
        ),
        drawn.missingness_map(
            "missingness",
            wide,
            visits,
            caption="Each row is a patient, each column a visit; who answered longest stands first.",
            verb='shows("completion").figures["missingness"]',
        ),
    ]
