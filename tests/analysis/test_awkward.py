"""No trial is too awkward for `epro report`: it is written, and says what could not be estimated and why."""

from datetime import date, timedelta

import pandas as pd
import pytest
from click.testing import CliRunner

from analysis import read_trial
from epro.cli.reporting import report
from tests.analysis.conftest import CUT_ON
from tests.analysis.reading import Page, numbers_beside


@pytest.fixture
def reported(written, forty, short, tmp_path):
    """The page that the command writes of a kind of awkward trial."""

    def make(kind, *more):
        plan = PLANS.get(kind, lambda plan: plan)(short)
        written(tmp_path / "data", awkward(forty, kind), CUT_ON, plan)
        run = CliRunner().invoke(report, [str(tmp_path / "data"), "--out", str(tmp_path / "report"), *more])
        assert run.exit_code == 0, run.output
        return tmp_path / "report" / "report.html"

    return make


def awkward(given, kind):
    """The tables, made awkward in one way."""
    subjects, forms, answers = (given[name].copy() for name in ("subjects", "forms", "answers"))
    arm = forms["subject"].map(subjects.set_index("subject")["arm"])
    if kind == "no deaths":
        subjects[["died_on", "progression_on"]] = None
        subjects["last_alive_on"] = date(2028, 1, 1)
    elif kind == "one arm empty at a visit":
        kept = ~((forms["visit"] == "M12") & (arm == "surgery"))
        forms = forms[kept]
        gone = (answers["visit"] == "M12") & answers["subject"].map(subjects.set_index("subject")["arm"]).eq("surgery")
        answers = answers[~gone]
    elif kind == "one arm empty":
        subjects = subjects[subjects["arm"] == "control"]
    elif kind == "one patient":
        subjects = subjects[:1]
    elif kind == "nobody":
        subjects = subjects[:0]
    elif kind == "nobody randomised":
        subjects[["randomised_on", "arm", "died_on", "progression_on", "surgery_on"]] = None
    elif kind == "no answers":
        answers = answers[:0]
    elif kind == "no baseline":
        answers = answers[answers["visit"] != "BL"]
    elif kind == "only baseline":
        answers = answers[answers["visit"] == "BL"]
    elif kind == "nothing at 36 months":
        answers = answers[answers["visit"] != "M36"]
    elif kind == "an item nobody answered":
        answers = answers[~answers["item"].isin(["q29", "q30"])]
    elif kind == "ties everywhere":
        dead = subjects["died_on"].notna()
        subjects.loc[dead, "died_on"] = subjects.loc[dead, "randomised_on"]
        subjects.loc[dead, "last_alive_on"] = subjects.loc[dead, "randomised_on"]
        subjects["progression_on"] = None
    elif kind == "strata missing":
        subjects["er"] = None
    elif kind == "one site":
        subjects = subjects[subjects["site"] == "UME"]
    elif kind == "everybody dead before the first visit":
        subjects[["surgery_on", "progression_on"]] = None
        subjects["died_on"] = subjects["last_alive_on"] = [day and day + timedelta(3) for day in entry(subjects)]
        answers = answers[answers["visit"] == "BL"]
    elif kind == "everybody dies after as many days":
        subjects["progression_on"] = None
        subjects["died_on"] = subjects["last_alive_on"] = [day and day + timedelta(400) for day in entry(subjects)]
    elif kind == "one death":
        spared = subjects.index != subjects.index[subjects["died_on"].notna()][0]
        subjects.loc[spared, ["died_on", "progression_on"]] = None
        subjects.loc[spared, "last_alive_on"] = CUT_ON
    elif kind == "deaths in one arm alone":
        spared = subjects["arm"] == "control"
        subjects.loc[spared, ["died_on", "progression_on"]] = None
        subjects.loc[spared, "last_alive_on"] = CUT_ON
    elif kind == "nobody followed":
        subjects[["died_on", "progression_on"]] = None
        subjects["last_alive_on"] = subjects["randomised_on"]
    elif kind == "every answer the same":
        answers["value"] = answers["value"].mask(answers["value"].notna(), 2)
    elif kind == "everything on one day":
        day, noon = date(2025, 3, 1), pd.Timestamp("2025-03-01T12:00Z")
        for column in (name for name in subjects if name.endswith("_on")):
            subjects[column] = subjects[column].where(subjects[column].isna(), day)
        forms = forms.assign(due_on=day, completed_at=forms["completed_at"].where(forms["completed_at"].isna(), noon))
        answers["answered_at"] = noon
    elif kind == "two patients":
        randomised = subjects[subjects["randomised_on"].notna()]
        subjects = randomised.drop_duplicates("arm")
    elif kind == "arms with odd names":
        subjects["arm"] = subjects["arm"].map(ODD_ARMS)
    elif kind == "three arms":
        subjects.loc[subjects.index[subjects["arm"] == "surgery"][::2], "arm"] = "third"
    more = {name: given[name] for name in ("covariates", "adverse_events")}
    if kind == "no covariates, no adverse events":
        more = {}
    elif kind == "covariates of nobody":
        more["covariates"] = more["covariates"][:0]
    elif kind == "adverse events of nobody":
        more["adverse_events"] = more["adverse_events"][:0]
    kept = {"subjects": subjects, "forms": forms, "answers": answers, **more}
    return {name: table[table["subject"].isin(subjects["subject"])] for name, table in kept.items()}


ODD_ARMS = {"control": 'a<b & "\u00e5", c', "surgery": "<script>alert(1)</script> $1 and $2"}


def entry(subjects):
    return subjects["randomised_on"].where(subjects["randomised_on"].notna(), None)


def oddly_named(plan):
    """The plan with arms whose codes and labels hold what HTML, CSV and figures might take for their own."""
    arms = {ODD_ARMS[code]: f"<i>{label}</i>, $1 & $2" for code, label in plan["arms"].items()}
    return {**plan, "arms": arms, "analysis": {**plan["analysis"], "reference_arm": ODD_ARMS["control"]}}


def with_a_third_arm(plan):
    return {**plan, "arms": {**plan["arms"], "third": "A third arm: another treatment"}}


PLANS = {
    "arms with odd names": oddly_named,
    "a third arm that nobody is in": with_a_third_arm,
    "three arms": with_a_third_arm,
}
KINDS = {
    "no deaths": "no event happened",
    "one arm empty at a visit": "The planned visit could not be estimated",
    "one arm empty": "not estimable",
    "one patient": "not estimable",
    "nobody": "Nothing could be estimated",
    "nobody randomised": "Nothing could be estimated",
    "no answers": "no patient has two scores",
    "no baseline": "no patient has two scores",
    "only baseline": "no patient has two scores",
    "nothing at 36 months": "Left out for want of scores in every arm",
    "an item nobody answered": "not estimable",
    "ties everywhere": "not estimable",
    "strata missing": "Patients without a recorded stratum are a stratum of their own",
    "one site": "Site: UME",
    "no covariates, no adverse events": "No adverse events are in the data (adverse_events.csv)",
    "covariates of nobody": "not recorded",
    "adverse events of nobody": "Patients with an adverse event",
    "everybody dead before the first visit": "no patient has two scores",
    "arms with odd names": "&lt;i&gt;",
    "a third arm that nobody is in": "Nobody was randomised to A third arm, which is left out.",
}
RARER = {  # kinds that take as long and break less
    "everybody dies after as many days": "not estimable",
    "one death": "not estimable",
    "deaths in one arm alone": "not estimable",
    "nobody followed": "not estimable",
    "every answer the same": "not estimable",
    "everything on one day": "not estimable",
    "two patients": "not estimable",
    "three arms": "A third arm against Control",
}


OF_TABLES = ("no covariates, no adverse events", "covariates of nobody", "adverse events of nobody")
THEIR_SECTIONS = ("participants", "baseline", "q-twist-36", "prognostic", "predictive", "safety")


@pytest.mark.parametrize("kind", [*KINDS, *(pytest.param(kind, marks=pytest.mark.slow) for kind in RARER)])
def test_an_awkward_trial_is_reported_and_says_what_it_lacks(kind, reported):
    sections = THEIR_SECTIONS if kind in OF_TABLES else ()

    path = reported(kind, *(f"--only={each}" for each in sections))

    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.numbers == numbers_beside(path)
    assert ">nan" not in text.lower()
    assert all(each["text"] for each in page.numbers.values())
    assert (KINDS | RARER)[kind] in text
    assert "<script" not in text
    assert len(page.ids) == len(set(page.ids))


def test_words_from_outside_that_differ_by_a_space_have_numbers_of_their_own(written, forty, short, tmp_path):
    events = forty["adverse_events"].assign(
        term=lambda t: ["skin rash", "skin-rash"] * (len(t) // 2) + ["x"][: len(t) % 2]
    )
    written(tmp_path / "data", {**forty, "adverse_events": events}, CUT_ON, short)

    found = read_trial(tmp_path / "data").shows("safety").frame.set_index("id")["value"]

    assert found["safety.term.skin-rash.control"] > 0
    assert found["safety.term.skin-rash-2.control"] > 0


def test_what_cannot_be_estimated_says_why(reported):
    text = reported("no deaths", "--only", "os", "--only", "os-median").read_text(encoding="utf-8")

    assert "not estimable: no event happened while patients of more than one arm were followed" in text
    assert "not estimable: there are no events among patients with all covariates" in text
    assert "not reached" in text
