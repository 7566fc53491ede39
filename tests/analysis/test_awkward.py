"""No trial is too awkward for `epro report`: it is written, and says what could not be estimated and why."""

from datetime import date

import pytest
from click.testing import CliRunner

from epro.cli.reporting import report
from tests.analysis.conftest import CUT_ON
from tests.analysis.reading import Page, numbers_beside


@pytest.fixture
def reported(written, forty, short, tmp_path):
    """The page that the command writes of a kind of awkward trial."""

    def make(kind, *more):
        written(tmp_path / "data", awkward(forty, kind), CUT_ON, short)
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
    more = {name: given[name] for name in ("covariates", "adverse_events")}
    if kind == "no covariates, no adverse events":
        more = {}
    elif kind == "covariates of nobody":
        more["covariates"] = more["covariates"][:0]
    elif kind == "adverse events of nobody":
        more["adverse_events"] = more["adverse_events"][:0]
    kept = {"subjects": subjects, "forms": forms, "answers": answers, **more}
    return {name: table[table["subject"].isin(subjects["subject"])] for name, table in kept.items()}


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
}


OF_TABLES = ("no covariates, no adverse events", "covariates of nobody", "adverse events of nobody")
THEIR_SECTIONS = ("participants", "baseline", "q-twist-36", "prognostic", "predictive", "safety")


@pytest.mark.parametrize("kind", KINDS)
def test_an_awkward_trial_is_reported_and_says_what_it_lacks(kind, reported):
    sections = THEIR_SECTIONS if kind in OF_TABLES else ()

    path = reported(kind, *(f"--only={each}" for each in sections))

    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.numbers == numbers_beside(path)
    assert ">nan" not in text.lower()
    assert all(each["text"] for each in page.numbers.values())
    assert KINDS[kind] in text


def test_what_cannot_be_estimated_says_why(reported):
    text = reported("no deaths", "--only", "os", "--only", "os-median").read_text(encoding="utf-8")

    assert "not estimable: no event happened while patients of more than one arm were followed" in text
    assert "not estimable: there are no events among patients with all covariates" in text
    assert "not reached" in text
