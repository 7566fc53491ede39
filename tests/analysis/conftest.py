import json
import os
import tomllib
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd
import pytest

from analysis import report
from analysis.simulation import SimulatedTrial, simulate
from analysis.trial import write_trial
from questionnaires.catalogue import file_of

ROOT = Path(__file__).parents[2]
C30 = file_of("qlq-c30")
CUT_ON = date(2028, 1, 1)
OWN = Path(__file__).parents[1] / "oracles"
FEW_VISITS = ("BL", "M3", "M12", "M36")
SHARED = Path(__file__).parents[3] / "shared" / "oracles"


def oracle_file(path: str) -> Path:
    given = os.environ.get("EPRO_ORACLES")
    folders = [Path(given)] if given else []
    for folder in [*folders, OWN, SHARED]:
        if (folder / path).is_file():
            return folder / path
    pytest.skip(f"oracle {path} is missing; set EPRO_ORACLES to the folder that has it")


@pytest.fixture(scope="session")
def figures():
    """R's figures by file: figures("lung")."""
    return lambda name: json.loads(oracle_file(f"stats/{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def patients():
    """The data set that figures were made from: patients("lung")."""
    return lambda name: pd.read_csv(oracle_file(f"stats/data/{name}.csv"))


@pytest.fixture(scope="session")
def breclim():
    """The plan of the trial file that is shipped."""
    return tomllib.loads((ROOT / "epro" / "trials" / "breclim-2.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def tables_of(breclim):
    """The tables that a simulated trial would leave behind when it is cut on a day."""
    return lambda simulated, cut_on: tables(simulated, breclim, cut_on)


@pytest.fixture(scope="session")
def written(breclim):
    """Tables written as a trial folder and read back: written(folder, tables)."""

    def write(folder: Path, tables: dict[str, pd.DataFrame], cut_on: date = CUT_ON, plan=breclim):
        return write_trial(folder, **tables, plan=plan, data_cut=cut_on, epro_version="0", instruments=[C30])

    return write


@pytest.fixture(scope="session")
def simulated(breclim):
    """Sixty invented patients over the shipped calendar."""
    months = {code: visit["month"] for code, visit in breclim["visit"].items()}
    return simulate(seed=5, subjects=60, visits=months, start_on=date(2024, 1, 1), accrual_months=18)


@pytest.fixture(scope="session")
def sixty(simulated, tables_of):
    """Their tables, cut four years after the first consent."""
    return tables_of(simulated, CUT_ON)


@pytest.fixture(scope="session")
def sixty_and_more(sixty):
    """The tables of sixty with adverse events."""
    return with_events(sixty)


@pytest.fixture(scope="session")
def sixty_trial(written, sixty_and_more, tmp_path_factory):
    """They as a trial."""
    return written(tmp_path_factory.mktemp("sixty"), sixty_and_more)


@pytest.fixture(scope="session")
def sixty_report(sixty_trial, tmp_path_factory):
    """The whole report of that trial; made once, read by many."""
    return report(sixty_trial, sixty_trial.plan, tmp_path_factory.mktemp("sixty-report"))


@pytest.fixture(scope="session")
def short(breclim):
    """The plan with few visits: what is awkward is as awkward there."""
    visits = {code: visit for code, visit in breclim["visit"].items() if code in FEW_VISITS}
    return {**breclim, "visit": visits}


@pytest.fixture(scope="session")
def forty(short):
    """Forty patients at these visits, with covariates and adverse events."""
    months = {code: visit["month"] for code, visit in short["visit"].items()}
    simulated = simulate(seed=5, subjects=40, visits=months, start_on=date(2024, 1, 1), accrual_months=18)
    return with_events(tables(simulated, short, CUT_ON))


def with_events(known: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    who = known["subjects"]
    had = who[who["randomised_on"].notna()].iloc[::2].reset_index(drop=True)
    started_on = [on + timedelta(days=10) for on in had["randomised_on"]]
    terms = ["nausea" if at % 3 else "pain" for at in range(len(had))]
    events = pd.DataFrame({"subject": had["subject"], "term": terms, "grade": [1 + at % 4 for at in range(len(had))]})
    events = events.assign(serious=events["grade"] > 3, started_on=started_on)
    events["ended_on"] = [on + timedelta(days=20) for on in started_on]
    return {**known, "adverse_events": events}


def tables(simulated: SimulatedTrial, plan: dict, cut_on: date) -> dict[str, pd.DataFrame]:
    patients = simulated.patients[simulated.patients["consented_on"] <= cut_on]
    subjects = patients.drop(columns=["language", "age"]).copy()
    for column in ("randomised_on", "surgery_on", "progression_on", "died_on", "withdrawn_on"):
        subjects[column] = [None if day is None or day > cut_on else day for day in subjects[column]]
    subjects.loc[subjects["randomised_on"].isna(), "arm"] = None
    forms, answers = [], []
    for patient in subjects.to_dict("records"):
        for code, visit in plan["visit"].items():
            form, said = form_of(simulated, patient, code, visit, cut_on)
            forms += form
            answers += said
    subjects["last_alive_on"] = subjects["died_on"].fillna(cut_on)  # vital status was looked up on the day of the cut
    covariates = patients[["subject", "age"]].assign(ecog=[str(n % 3 % 2) for n in range(len(patients))])
    return {
        "subjects": subjects,
        "forms": pd.DataFrame(forms),
        "answers": pd.DataFrame(answers),
        "covariates": covariates,
    }


def form_of(simulated: SimulatedTrial, patient: dict, code: str, visit: dict, cut_on: date):
    anchor = patient["consented_on"] if visit["anchor"] == "consent" else patient["randomised_on"]
    if anchor is None:
        return [], []
    due_on = anchor + timedelta(days=round(visit["month"] * 30.4375))
    closes_on = due_on + timedelta(days=visit["closes_after"])
    ended = [day for day in (patient["died_on"], patient["withdrawn_on"]) if day is not None]
    expected = not ended or due_on <= min(ended)
    plan = simulated.form(patient["subject"], code)
    said_at = datetime.combine(due_on, time(10), UTC) + timedelta(days=(0, 3, 7, 10)[plan.wave])
    said_at += timedelta(minutes=plan.delay_minutes)
    last = min([cut_on, *ended])
    answered = plan.will_answer and said_at.date() <= last
    key = {"subject": patient["subject"], "visit": code, "instrument": "qlq-c30"}
    said = list(simulated.said(patient["subject"], code).items())[: plan.stops_after] if answered else []
    complete = answered and plan.stops_after is None
    closed = "closed_unfinished" if answered else "missed" if expected else "excused"
    state = "completed" if complete else closed if closes_on < cut_on else "open" if due_on <= cut_on else "not_due"
    form = {**key, "month": visit["month"], "due_on": due_on, "expected": expected, "state": state}
    form["completed_at"] = said_at if complete else None
    states = {item: "skipped" if value is None else "answered" for item, value in said}
    answers = [{**key, "item": i, "value": v, "state": states[i], "answered_at": said_at} for i, v in said]
    return [form], answers
