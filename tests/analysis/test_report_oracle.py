"""R's figures, when R's data come in as a trial folder: the whole way from dates and answers to a report's numbers."""

import json
from datetime import UTC, date, datetime, time, timedelta

import pandas as pd
import pytest

from analysis import report
from analysis.survival import cox, kaplan_meier, logrank
from tests.analysis.conftest import oracle_file

START = date(2000, 1, 1)
CUT_ON = date(2030, 1, 1)
DAYS_A_MONTH = 30.4375
ARMS = {0: "control", 1: "surgery"}
READINGS = {"ttd-composite": "TTD_baseline_mcid10_death", "ttd-definitive": "TUDD_baseline_def2_mcid10_death"}


def day(days):
    return START + timedelta(days=int(days))


def numbers_of(trial, folder, only):
    path = report(trial, trial.plan, folder, only=only)
    return {id: each["value"] for id, each in json.loads((path.parent / "numbers.json").read_text())["numbers"].items()}


def subjects_of(patients, ended_on, died):
    """A row per patient; patients: subject, arm."""
    known = {"consented_on": START, "randomised_on": START, "died_on": ended_on.where(died, None)}
    return patients.assign(**known, last_alive_on=ended_on)


@pytest.fixture(scope="module")
def of_lung(written, breclim, sixty, patients, tmp_path_factory):
    """The lung data as a trial of two arms, men (control) and women (surgery)."""
    lung = patients("lung").reset_index(drop=True)
    who = pd.DataFrame({"subject": [f"P-{row:03d}" for row in lung.index], "arm": lung["female"].map(ARMS)})
    subjects = subjects_of(who, lung["time"].map(day), lung["event"] == 1)
    os = breclim["analysis"]["estimand"]["os"]
    estimands = {"os": {**os, "month": 12}, "os-median": breclim["analysis"]["estimand"]["os-median"]}
    analysis = {**breclim["analysis"], "strata": [], "estimand": estimands}
    tables = {"subjects": subjects, "forms": sixty["forms"][:0], "answers": sixty["answers"][:0]}
    folder = tmp_path_factory.mktemp("lung")
    trial = written(folder / "data", tables, plan={**breclim, "analysis": analysis})
    return numbers_of(trial, folder / "report", list(estimands))


def test_the_survival_section_gives_rs_figures_from_dates(of_lung, figures):
    theirs = figures("lung")["by_sex"]  # R survival 3.5-3

    assert of_lung["os.1.logrank.surgery.chi_square"] == pytest.approx(theirs["logrank"]["chisq"], rel=1e-8)
    assert of_lung["os.1.logrank.surgery.p"] == pytest.approx(theirs["logrank"]["p"], rel=1e-7)
    assert of_lung["os.events.control"] + of_lung["os.events.surgery"] == theirs["events"]
    (term,) = theirs["cox_efron"]["terms"]
    assert of_lung["os.1.cox.surgery.hr"] == pytest.approx(term["hr"], rel=1e-5)
    assert of_lung["os.1.cox.surgery.p"] == pytest.approx(term["p"], rel=1e-4)


@pytest.fixture(scope="module")
def forms():
    """Observed forms of 200 invented patients; a visit is QoLR's number."""
    rows = pd.read_csv(oracle_file("scoring/ttd.long.csv"))
    return rows.assign(subject=rows["id"].map("P-{:03d}".format), visit=rows["visit"].map("V{}".format))


def answers_that_score(row):
    """Answers whose scores are these: global health of q29, q30 (1 to 7), fatigue of q10, q12, q18 (1 to 4)."""
    said = []
    for score, items, top in (("QL", ("q29", "q30"), 6), ("FA", ("q10", "q12", "q18"), 3)):
        if pd.notna(row[score]):
            total = round(row[score] / 100 * top * len(items))
            said += [(item, 1 + (total + place) // len(items)) for place, item in enumerate(items)]
    at = datetime.combine(day(row["day"]), time(12), UTC)
    key = {"subject": row["subject"], "visit": row["visit"], "instrument": "qlq-c30"}
    return [{**key, "item": item, "value": value, "state": "answered", "answered_at": at} for item, value in said]


@pytest.fixture(scope="module")
def deteriorating(written, breclim, forms, tmp_path_factory):
    """These patients as a trial folder, and its report of how the forms came and how the patients went."""
    rows = forms.to_dict("records")
    key = forms[["subject", "visit"]].assign(instrument="qlq-c30", due_on=forms["day"].map(day), expected=True)
    answers = pd.DataFrame([answer for row in rows for answer in answers_that_score(row)])
    answered = (
        key.merge(answers[["subject", "visit"]].drop_duplicates(), how="left", indicator=True)["_merge"] == "both"
    )
    key["state"] = answered.map({True: "completed", False: "missed"})
    key["completed_at"] = [datetime.combine(on, time(12), UTC) for on in key["due_on"]]
    key["completed_at"] = key["completed_at"].where(answered, None)
    each = forms.drop_duplicates("subject").reset_index(drop=True)
    who = pd.DataFrame({"subject": each["subject"], "arm": each["arm"].map(ARMS)})
    died = each["death_day"].notna()
    subjects = subjects_of(who, each["death_day"].fillna(3650).map(day), died)
    visit = next(iter(breclim["visit"].values()))
    months = {"V1": 0, **{f"V{at}": 3 * (at - 1) for at in range(2, 9)}}
    visits = {code: {**visit, "month": month, "baseline": code == "V1"} for code, month in months.items()}
    superior, sensitive = (breclim["analysis"]["estimand"][id] for id in READINGS)
    estimands = dict(zip(READINGS, ({**superior, "primary": True, "test_order": 1}, sensitive), strict=True))
    analysis = {**breclim["analysis"], "strata": [], "estimand": estimands}
    folder = tmp_path_factory.mktemp("deteriorating")
    plan = {**breclim, "visit": visits, "analysis": analysis}
    trial = written(folder / "data", {"subjects": subjects, "forms": key, "answers": answers}, CUT_ON, plan)
    return numbers_of(trial, folder / "report", ["completion", *READINGS])


@pytest.mark.parametrize("id", READINGS)
def test_the_section_of_time_to_deterioration_gives_qolrs_times_from_answers(id, deteriorating, forms):
    """Witness: QoLR 1.0.3's event and time of each patient. Those without a baseline it has at time 0, we leave out."""
    theirs = pd.read_csv(oracle_file("scoring/ttd.QoLR.csv"))
    theirs = theirs[(theirs["analysis"] == READINGS[id]) & (theirs["score"] == "QL")].set_index("id")
    baseline = forms[forms["visit"] == "V1"].set_index("id")
    kept = theirs[baseline["QL"].reindex(theirs.index).notna()]
    arm, event = baseline["arm"].reindex(kept.index), kept["event"] == 1
    medians = kaplan_meier(kept["time"], event, arm.map(ARMS)).to_frame()
    test, model = logrank(kept["time"], event, arm), cox(kept["time"], event, arm.rename("surgery").to_frame())

    assert deteriorating[f"{id}.excluded"] == len(theirs) - len(kept)
    for code, name in ARMS.items():
        ends = [deteriorating[f"{id}.cause.{cause}.{name}"] for cause in ("worsening", "death")]
        assert sum(ends) == deteriorating[f"{id}.events.{name}"] == event[arm == code].sum()
        assert deteriorating[f"{id}.median.{name}"] == pytest.approx(medians.loc[name, "median"], rel=1e-6)
    assert deteriorating[f"{id}.1.logrank.surgery.chi_square"] == pytest.approx(test.chi_square, rel=1e-9)
    assert deteriorating[f"{id}.1.cox.surgery.hr"] == pytest.approx(model.terms.loc["surgery", "hr"], rel=1e-9)


def test_the_section_of_completion_counts_the_oracles_forms(deteriorating, forms):
    answered = forms[["QL", "FA"]].notna().any(axis=1)
    for (arm, visit), here in forms.assign(answered=answered).groupby(["arm", "visit"]):
        id = f"completion.qlq-c30.{ARMS[arm]}.{visit}"
        assert deteriorating[f"{id}.expected"] == len(here)
        assert deteriorating[f"{id}.received"] == here["answered"].sum()
        assert deteriorating[f"{id}.received_per_expected"] == pytest.approx(here["answered"].mean())


def test_nobody_is_expected_to_answer_whom_the_calendar_oracle_does_not_expect(written, breclim, tmp_path):
    """A patient with one visit a case; expected, and the day of death or withdrawal, as the oracle has them."""
    cases = pd.read_csv(oracle_file("calendar/cases.csv"), dtype=str).dropna(subset="expected_due_date")
    cases = cases[cases["expected_response_expected"].isin(["yes", "no"])].reset_index(drop=True)
    due_on = cases["expected_due_date"].map(date.fromisoformat)
    events = cases["events"].fillna("{}").map(json.loads)
    ends = {
        column: events.map(lambda event, key=key: date.fromisoformat(event[key]) if key in event else None)
        for column, key in (("died_on", "death_date"), ("withdrawn_on", "withdrawal_date"))
    }
    randomised_on = due_on.map(lambda on: on - timedelta(days=200))
    subjects = pd.DataFrame({"subject": cases["case_id"], "arm": "control", "consented_on": randomised_on})
    subjects = subjects.assign(randomised_on=randomised_on, **ends, last_alive_on=ends["died_on"].fillna(due_on))
    expected = cases["expected_response_expected"] == "yes"
    forms = pd.DataFrame({"subject": cases["case_id"], "visit": "M3", "instrument": "qlq-c30", "due_on": due_on})
    forms = forms.assign(expected=expected, state=expected.map({True: "missed", False: "excused"}))
    answers = pd.DataFrame(columns=["subject", "visit", "instrument", "item", "value", "state", "answered_at"])
    analysis = {**breclim["analysis"], "strata": []}
    tables = {"subjects": subjects, "forms": forms, "answers": answers}
    cut_on = max(due_on) + timedelta(days=30)
    trial = written(tmp_path / "data", tables, cut_on, {**breclim, "analysis": analysis})

    numbers = numbers_of(trial, tmp_path / "report", ["completion"])

    left = sum(numbers[f"left.control.M3.{why}"] for why in ("died", "withdrew"))
    assert left == (~expected).sum() > 0
    assert numbers["completion.qlq-c30.control.M3.expected"] == expected.sum()
    assert numbers["completion.qlq-c30.control.M3.received"] == 0
