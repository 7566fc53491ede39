"""A whole trial, played before its first patient: every rule holds, and nothing live is touched."""

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

import pytest
from sqlalchemy import create_engine, text, update

from epro.acts import patients
from epro.acts.amendments import Amendment, amend
from epro.protocol import protocol_of, read_protocol
from epro.queries.verification import verify
from epro.refusals import Refusal
from epro.rehearsal.carrier import Handed, RehearsalCarrier
from epro.rehearsal.chance import Chance
from epro.rehearsal.invariants import AT_EVERY_STEP, breaches
from epro.rehearsal.news import Left, News, Record, Saved, Told
from epro.rehearsal.office import amended_of
from epro.rehearsal.places import throw_away_house
from epro.rehearsal.rehearsed import rehearse
from epro.rehearsal.rehearsing import Asked
from epro.rehearsal.saying import said_by
from epro.rehearsal.scenarios import SCENARIOS
from epro.rehearsal.stage import Diary, Kept
from epro.rehearsal.subject_ids import subject_ids
from epro.rehearsal.weather import Weather
from epro.rehearsal.whole import AS_A_WHOLE, Whole, record_does_not_verify, whole_breaches
from epro.settings import DEFAULT_TRIAL
from epro.store.database import reading, writing
from epro.store.models import PatientEvent
from epro.versions import BY_AMENDMENT
from questionnaires.located import parse
from scheduler.tables import message
from tests import databases
from tests.epro.conftest import NOW, NURSE, Desk
from tests.epro.rehearsed import write_small_trial

FEW = ("--patients", "6", "--accrual", "2", "--http", "3")
LIVE = {
    "EPRO_CARRIER": "twilio",
    "EPRO_TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
    "EPRO_TWILIO_AUTH_TOKEN": "a live token",
    "EPRO_TWILIO_SENDER": "Clinic",
    "EPRO_PUBLIC_URL": "https://live.example",
    "EPRO_TRIAL": "/nowhere/live.toml",
    "EPRO_SMTP_HOST": "live.example",
    "EPRO_SMTP_SENDER": "nurse@live.example",
}


@pytest.fixture
def rehearsal(epro, tmp_path, monkeypatch):
    """Runs `epro rehearse` on a small trial, in an environment that names a live database and a real carrier."""
    live = tmp_path / "live.db"
    live.write_bytes(b"somebody's database, not to be opened")
    for name, value in {**LIVE, "EPRO_DATABASE_URL": f"sqlite:///{live}", "EPRO_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, value)

    def run(trial, *more):
        return epro("rehearse", trial, *FEW, "--out", tmp_path / "out", *more)

    run.live, run.out = live, tmp_path / "out"
    return run


def test_a_trial_is_rehearsed_kept_and_held_against_its_next_version(rehearsal, tmp_path):
    """One long way, since each rehearsal takes its seconds: the report, the same again, and a ladder that changed."""
    trial, golden = write_small_trial(tmp_path / "small.toml"), tmp_path / "golden.json"

    code, out, err = rehearsal(trial, "--golden", golden)

    assert code == 0, err
    assert re.search(r"\d+ steps held to \d+ rules: no breaches", out)
    assert "is kept in" in err
    assert rehearsal.live.read_bytes() == b"somebody's database, not to be opened"
    assert not (tmp_path / "home").exists()
    first = (rehearsal.out / "rehearsal.json").read_bytes()
    page, numbers = (rehearsal.out / "rehearsal.html").read_text(), json.loads(first)
    assert all(page.count(f'id="{patient["subject"]}"') == 1 for patient in numbers["patients"])
    assert {one["what"] for one in numbers["outages"]} == {"service", "carrier", "database"}
    assert numbers["texts"]["left"] == sum(one["left"] is not None for p in numbers["patients"] for one in p["texts"])
    assert not re.search(r"https?://|\+46|070-174", page)

    code, _, err = rehearsal(trial, "--golden", golden)

    assert code == 0
    assert "Every text goes as it was kept." in err
    assert (rehearsal.out / "rehearsal.json").read_bytes() == first

    later = write_small_trial(tmp_path / "later.toml", {"day = 3\n": "day = 4\n"})
    code, _, err = rehearsal(later, "--golden", golden)

    assert code == 1
    assert "otherwise than with epro" in err
    assert re.search(r"reminder-1/sms/1: \d{4}-\d\d-\d\d 10:00 \w+ → ", err)

    code, _, err = rehearsal(trial, "--golden", golden, "--seed", "2")
    assert code == 1
    assert "kept with seed 1" in err


def test_a_file_that_no_rehearsal_kept_is_refused_before_anything_is_played(rehearsal, tmp_path):
    (tmp_path / "golden.json").write_text("[]")

    code, out, err = rehearsal(write_small_trial(tmp_path / "small.toml"), "--golden", tmp_path / "golden.json")

    assert code == 1
    assert "was not kept by a rehearsal" in err
    assert out == ""


def test_on_postgresql_a_database_of_its_own_is_made_and_is_gone_afterwards(postgresql_server, tmp_path):
    def names():
        engine = create_engine(postgresql_server)
        with engine.connect() as connection:
            found = set(connection.execute(text("SELECT datname FROM pg_database")).scalars())
        engine.dispose()
        return found

    before = names()
    with throw_away_house(write_small_trial(tmp_path / "small.toml"), server=postgresql_server) as house:
        assert names() - before == {house.engine.url.database}
        found = rehearse(house, Asked(patients=5, accrual_months=2, one_in=None), lambda done, total: None)

    assert found.breaches == []
    assert names() == before


SCENARIOS_TRIED = ("as expected", "many silent", "poor reach", "late reports", "outages")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scenario", SCENARIOS_TRIED)
def test_every_rule_holds_in_every_weather_for_twenty_seeds(scenario):
    for seed in range(1, 21):
        asked = Asked(patients=20, seed=seed, scenario=SCENARIOS[scenario], accrual_months=12)
        with throw_away_house(DEFAULT_TRIAL) as house:
            found = rehearse(house, asked, lambda done, total: None)
        assert found.breaches == [], (scenario, seed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_rule_holds_when_two_hundred_patients_come_through_the_pages():
    with throw_away_house(DEFAULT_TRIAL) as house:
        found = rehearse(house, Asked(one_in=1), lambda done, total: None)

    assert found.breaches == []


# What each rule says when it is broken, by hand.

NIGHT = datetime(2027, 3, 2, 22, 30, tzinfo=UTC)


def left(key="UME-001/M3/invite/sms/1", **changes):
    usual = Left(
        key=key,
        at=NOW,
        zone="Europe/Stockholm",
        quiet=(time(20), time(8)),
        rungs=3,
        claimed_at=changes.get("at", NOW),
        others_failed=False,
        has_link=True,
        to_in_use=True,
        opens_at=NOW - timedelta(days=7),
        closes_at=NOW + timedelta(days=14),
        completed_at=None,
    )
    return replace(usual, **changes)


def told(kind, of=2, value=None):
    return Told(of, "UME-001", kind, NOW.date(), value, NOW, None)


ALLOWED = Told(1, "UME-001", "texts_allowed", NOW.date(), None, NOW, None)
EARLIER = [left(f"UME-001/M3/{step}/sms/1", at=NOW - timedelta(days=n)) for n, step in enumerate("abc", start=1)]
BROKEN = {
    "No text to the dead": News(NOW, left=[left()], told=[told("death")]),
    "No text to those who have withdrawn": News(NOW, left=[left()], told=[told("withdrawal")]),
    "No text after STOP": News(NOW, left=[left()], told=[told("opted_out")]),
    "No text without permission": News(NOW, left=[left()], told=[told("texts_refused")]),
    "No text in a pause": News(NOW, left=[left()], told=[told("paused", value="2027-04-01")]),
    "At most one text a day": News(NOW, left=[left(), left("UME-001/M3/reminder-1/sms/1")]),
    "No text at night": News(NOW, left=[left(at=NIGHT)]),
    "No text twice": News(NOW, left=[left(), left()]),
    "No more texts than the ladder has steps": News(NOW, left=[*EARLIER, left()]),
    "No text for a form that is not open": News(NOW, left=[left(opens_at=NOW + timedelta(days=1))]),
    "No text for a form that is sent in": News(NOW, left=[left(completed_at=NOW - timedelta(days=1))]),
    "No text without its entry, made first": News(NOW, left=[left(claimed_at=None)]),
    "No text to an address that is not hers now": News(NOW, left=[left(to_in_use=False)]),
    "Every acknowledged answer is there": News(NOW, saved=[Saved("UME-001", "M3", "q1", False)]),
    "Nothing waits to be sent after death or withdrawal": News(NOW, still_planned={"UME-001": 2}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_step_that_breaks_a_rule_names_it_and_no_other(name):
    record = Record()
    record.hear([ALLOWED])

    found = [invariant.name for invariant, _ in breaches(record, BROKEN[name])]

    assert set(found) == {name}


def test_an_answer_after_an_end_that_was_made_known_earlier_is_named():
    record = Record()
    record.hear([told("death")])

    found = [invariant.name for invariant, _ in breaches(record, News(NOW, saved=[Saved("UME-001", "M3", "q1", True)]))]

    assert found == ["A link opens nothing after death or withdrawal"]


def test_a_death_that_was_taken_back_stops_nothing():
    record = Record()
    record.hear([ALLOWED, told("death", of=2)])
    undone = Told(3, "UME-001", "undone", NOW.date(), None, NOW, 2)

    assert list(breaches(record, News(NOW, left=[left()], told=[undone]))) == []


def test_every_rule_of_a_step_has_been_broken_here():
    assert set(BROKEN) | {"A link opens nothing after death or withdrawal"} == {one.name for one in AT_EVERY_STEP}


def lose_a_text(house, whole):
    with house.engine.begin() as connection:
        connection.execute(update(message).where(message.c.step == "invite").values(send_on=date(2027, 9, 9)))


def take_what_nobody_sent(house, whole):
    whole.carrier.taken["?"] = Handed("?", NOW, "sms", 1, "+46701740605", "a" * 26)


def forget_an_answer(house, whole):
    whole.diary.kept.append(Kept("UME-001", "BL", "qlq-c30", "q1", 2, None))


def forget_a_form(house, whole):
    whole.diary.sent_in.add(("UME-001", "BL"))


def bend_the_record(house, whole):
    with databases.unsealed(house.engine) as connection:
        connection.execute(update(PatientEvent).values(reason="bent"))


@pytest.mark.bends_the_record
@pytest.mark.parametrize(
    ("bend", "name"),
    [
        (lose_a_text, "The plan made anew is the ledger"),
        (take_what_nobody_sent, "The carrier and the ledger tell the same"),
        (forget_an_answer, "Every answer ever acknowledged is kept"),
        (forget_a_form, "A form is sent in once, and its patient was thanked"),
    ],
)
def test_what_is_wrong_with_the_whole_is_named(house, desk, bend, name):
    desk.enrol()
    carrier = RehearsalCarrier(lambda: NOW, Chance(1), Weather())

    def names():
        with reading(house.engine) as connection:
            whole = Whole(connection, house, carrier, diary, NOW)
            return {invariant.name for invariant, _ in whole_breaches(whole)}

    diary = Diary()
    assert names() == set()
    with reading(house.engine) as connection:
        bend(house, Whole(connection, house, carrier, diary, NOW))

    assert names() == {name}


@pytest.mark.bends_the_record
def test_a_record_that_was_bent_is_named(house, desk):
    desk.enrol()
    bend_the_record(house, None)

    with reading(house.engine) as connection:
        assert "reason: the trail tells another value" in next(record_does_not_verify(connection, house))


def test_a_text_may_go_again_when_it_is_known_not_to_have_arrived():
    record = Record()
    record.hear([ALLOWED])
    record.remember([left(at=NOW - timedelta(minutes=30))])

    assert list(breaches(record, News(NOW, left=[left(others_failed=True)]))) == []
    assert [one.name for one, _ in breaches(record, News(NOW, left=[left()]))] == ["No text twice"]


def test_every_rule_has_a_story():
    assert all(len(one.story) > 30 for one in (*AT_EVERY_STEP, *AS_A_WHOLE))
    assert len({one.name for one in (*AT_EVERY_STEP, *AS_A_WHOLE)}) == len(AT_EVERY_STEP) + len(AS_A_WHOLE)


# A trial that looks otherwise.


@pytest.mark.parametrize(
    ("pattern", "first"),
    [
        ("[A-Z]{3}-[0-9]{3}", ["UME-001", "UME-002"]),
        ("[0-9]{4}", ["0001", "0002"]),
        (r"(P|Q)\d{2}", ["P00", "P01"]),
        ("SE-UME-[0-9]{3}", ["SE-UME-000", "SE-UME-001"]),
    ],
)
def test_subject_ids_look_as_the_trial_says(pattern, first):
    assert list(islice(subject_ids(pattern, "UME"), 2)) == first


def test_a_pattern_that_gives_too_few_ids_says_so():
    with pytest.raises(Refusal, match="subject_pattern"):
        list(islice(subject_ids("[AB]", "UME"), 3))


def test_the_amended_file_sends_each_text_an_hour_later():
    amended = amended_of(read_protocol(DEFAULT_TRIAL))

    assert [step.time.isoformat("minutes") for step in amended.schedule.ladder.steps] == ["11:00", "11:00", "17:00"]


def test_a_questionnaire_that_is_not_simulated_is_answered_from_the_same_health(tmp_path):
    words = {'instruments = ["qlq-c30"]': 'instruments = ["eq-5d-5l"]', 'qlq-c30 = "demo"': 'eq-5d-5l = "demo"'}
    protocol = read_protocol(write_small_trial(tmp_path / "small.toml", {**words, '"qlq-c30"\n': '"eq-5d-5l"\n'}))
    asked = Asked(patients=2)
    from epro.rehearsal.rehearsing import simulated_of

    simulated = simulated_of(protocol, asked)
    subject = simulated.patients["subject"][0]
    said = said_by(protocol, simulated, Chance(1), subject, subject, "M3", 1)

    codes = {item.code for item in protocol.instruments["eq-5d-5l"].items}
    assert {one.item for one in said} == codes
    assert said == said_by(protocol, simulated, Chance(1), subject, subject, "M3", 1)


def test_a_row_that_trial_office_and_site_changed_in_turn_is_as_the_trail_tells(house, desk):
    """Each has a chain of its own; what was told last, by time, is what the row must say. A rehearsal found it."""
    desk.enrol(arm="surgery", randomised_on=date(2027, 3, 1))
    text = house.protocol.document.text.replace("closes_after = 14", "closes_after = 15")
    amended = protocol_of(parse(text, house.protocol.document.path))
    with writing(house.engine) as connection:
        amend(connection, Amendment(amended, BY_AMENDMENT, date(2027, 3, 2)), by=NURSE, now=NOW)
    later = Desk(house, NOW + timedelta(days=9))
    later.act(patients.correct_randomisation, "UME-001", on=date(2027, 3, 5), reason="mistyped")

    with reading(house.engine) as connection:
        assert verify(connection, []).faults == []
