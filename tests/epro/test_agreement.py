"""The desk and the report count the same forms, because `expected` has one home."""

from collections import Counter
from datetime import timedelta

import pytest

import analysis
from epro.queries.export import export
from epro.queries.monitoring import completion
from epro.rehearsal.case_report_forms import bring_in_case_report_forms
from epro.rehearsal.rehearsing import Asked, player_of
from epro.store.database import reading
from scheduler.carriers.console import Console
from tests.epro.conftest import NOW
from tests.queries.conftest import Course
from tests.scans import TOKEN, secrets_in

START = NOW - timedelta(days=400)


@pytest.fixture
def played(house, tmp_path):
    """A dozen patients over a year, all of them randomised; their texts lie in `outbox`."""
    asked = Asked(12, seed=3, first_day=START.date(), accrual_months=3, one_in=None)
    player = player_of(house, asked, outbox=lambda clock: Console(tmp_path / "outbox", clock), until=NOW)
    player.play(lambda done, total: None)
    player.close()
    return player


def test_the_desk_and_the_report_agree_on_what_was_expected_and_what_came(house, played, tmp_path):
    trial = export(house, tmp_path / "trial-folder", now=NOW)
    with reading(house.engine) as connection:
        desk = completion(connection, house.protocol, NOW)

    report = Counter()
    for (_, _, visit), row in analysis.compliance.rates(trial).iterrows():
        for count in ("expected", "received", "complete", "unfinished"):
            report[visit, count] += row[count]
    shown = {
        (visit, count): getattr(desk.of_visit(visit), count)
        for visit in desk.visits
        for count in ("expected", "received", "complete", "unfinished")
    }
    assert shown == dict(report)
    assert desk.total.expected > 40


def test_the_trial_offices_files_reach_the_analyst(house, played, tmp_path):
    simulated = played.phones.simulated
    bring_in_case_report_forms(house, simulated, seed=3, now=NOW)

    trial = export(house, tmp_path / "trial-folder", now=NOW)

    ages = trial.covariates.set_index("subject")["age"]
    assert ages.to_dict() == simulated.patients.set_index("subject")["age"].astype(float).to_dict()
    assert set(trial.covariates["ecog"]) == {"0", "1"}
    assert len(trial.adverse_events) > 10
    assert trial.adverse_events["grade"].between(1, 4).all()


@pytest.mark.requirement("trust-39", "abuse-22")
def test_an_exported_folder_holds_no_contact_data(house, desk, tmp_path):
    desk.enrol(phone="070-174 06 05", email="her.own@example.org")
    Course(house).answer("UME-001", "BL", NOW)

    export(house, tmp_path / "trial-folder", now=NOW)

    files = [file for file in (tmp_path / "trial-folder").rglob("*") if file.is_file()]
    assert "UME-001" in (tmp_path / "trial-folder" / "answers.csv").read_text(encoding="utf-8")
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert secrets_in(text) == [], file.name
        assert "1740605" not in text.replace("-", "").replace(" ", "")
        assert "her.own" not in text


@pytest.mark.requirement("trust-40", "abuse-22")
def test_no_text_that_left_holds_a_number_or_a_personal_identity_number(house, played, tmp_path):
    """Of all that is secret a text holds its link alone; the number to call is the clinic's."""
    clinics = {site.phone for site in house.protocol.sites.values()}
    bodies = [file.read_text(encoding="utf-8").partition("\n\n")[2] for file in (tmp_path / "outbox").iterdir()]

    assert len(bodies) > 50
    for body in bodies:
        assert [each for each in secrets_in(body) if each not in clinics] == TOKEN.findall(body)
