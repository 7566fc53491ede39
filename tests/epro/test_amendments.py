"""A changed trial file: seen for every patient, refused where it may not be, and then in force for all at once."""

import json
import re
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from epro.acts.amendments import Amendment, amend, consent_anew, effects
from epro.acts.patients import known_patient
from epro.acts.replanning import differing
from epro.acts.trial import NotAmended, adopt
from epro.opening import system_clock
from epro.protocol import read_protocol
from epro.refusals import Refusal
from epro.settings import DEFAULT_TRIAL, write_fresh_keys
from epro.store.database import reading, writing
from epro.store.models import Assessment
from epro.versions import awaiting_consent, versions_of
from scheduler import ledger
from scheduler.schedule import Offset
from scheduler.visits import due_on
from tests.epro.conftest import NOW, NURSE
from tests.epro.test_cli import ENROL

ARM = {"arm": "surgery", "randomised_on": date(2027, 3, 1)}
TOMORROW = NOW.date() + timedelta(days=1)


@pytest.fixture
def amended(house, tmp_path):
    """The trial file with some of its words changed, as a protocol."""

    def amended(*changes, name="amended.toml"):
        text = house.protocol.document.text
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return read_protocol(tmp_path / name)

    return amended


LATER = ('n = 6, unit = "month" }', 'n = 7, unit = "month" }')
WITHOUT_M9 = ("[visit.M9]", "[visit.M15]\n# M9 is gone")
M9_AT_15 = (WITHOUT_M9, ('n = 9, unit = "month" }', 'n = 15, unit = "month" }'))


def put_in_force(house, protocol, rule="amendment", from_on=TOMORROW, now=NOW):
    with writing(house.engine) as connection:
        return amend(connection, Amendment(protocol, rule, from_on), by=NURSE, now=now)


def visits(house, subject="UME-001"):
    with reading(house.engine) as connection:
        rows = connection.execute(select(Assessment.__table__).where(Assessment.subject == subject))
        return {row.visit: row for row in rows}


def what_differs(house, now=NOW):
    with reading(house.engine) as connection:
        return differing(connection, house.protocol, now)


def test_an_amendment_is_seen_for_every_patient_before_it_is_made(house, desk, amended):
    desk.enrol(**ARM)
    desk.enrol("GBG-001")
    with reading(house.engine) as connection:
        found = effects(connection, Amendment(amended(LATER), "amendment", TOMORROW), NOW)

    assert [effect.subject for effect in found] == ["GBG-001", "UME-001"]
    assert not found[0].changes  # not randomised: no visit of hers moves
    (moved,) = found[1].changes.visits
    assert (moved.code, moved.was, moved.now) == ("M6", date(2027, 9, 1), date(2027, 10, 1))
    assert len(found[1].changes.moved) == 3
    assert visits(house)["M6"].due_on == date(2027, 9, 1)


def test_an_amendment_moves_what_lies_ahead_and_the_nightly_check_finds_nothing(house, desk, amended):
    desk.enrol(**ARM)

    assert put_in_force(house, amended(LATER)) == 2

    assert (visits(house)["M6"].due_on, visits(house)["M6"].schedule_version) == (date(2027, 10, 1), 2)
    assert what_differs(house) == []


def test_what_is_open_when_an_amendment_comes_into_force_keeps_its_version(house, desk, amended):
    desk.enrol(**ARM)
    in_m6 = NOW + timedelta(days=183)  # 31 August: M6 has been open for a week
    before = visits(house)["M6"]

    put_in_force(house, amended(LATER), from_on=in_m6.date() + timedelta(days=1), now=in_m6)

    after = visits(house)
    assert (after["M6"].due_on, after["M6"].schedule_version) == (before.due_on, 1)
    assert after["M3"].schedule_version == 1
    assert after["M9"].schedule_version == 2


def test_a_visit_that_is_taken_out_is_neither_expected_nor_open_and_texts_of_it_fall_away(house, desk, amended):
    desk.enrol(**ARM)

    put_in_force(house, amended(*M9_AT_15))

    gone = visits(house)["M9"]
    assert (gone.expected, gone.opens_at) == (False, gone.closes_at)
    assert visits(house)["M15"].due_on == date(2028, 6, 1)
    with reading(house.engine) as connection:
        assert {text.state for text in ledger.rows(connection, "UME-001") if text.visit == "M9"} == {"cancelled"}
    assert what_differs(house) == []


def test_a_visit_that_would_be_over_before_the_amendment_is_not_asked_for_afterwards(house, desk, amended):
    desk.enrol(**ARM)
    put_in_force(house, amended(*M9_AT_15))
    late = NOW + timedelta(days=500)  # M15 is over
    desk.now = late
    added = (
        "[visit.M12]",
        '[visit.M2]\ntitle = { sv = "2", en = "2" }\nmonth = 2\nanchor = "randomisation"\n'
        'offset = { n = 70, unit = "day" }\nopens_before = 0\ncloses_after = 7\n'
        'instruments = ["qlq-c30"]\n\n[visit.M12]',
    )

    put_in_force(house, amended(*M9_AT_15, added, name="third.toml"), from_on=late.date() + timedelta(days=1), now=late)

    assert "M2" not in visits(house)
    assert what_differs(house, late) == []


def test_by_consent_a_patient_keeps_the_version_she_consented_to_until_she_consents_anew(house, desk, amended):
    desk.enrol(**ARM)
    put_in_force(house, amended(LATER), rule="consent")
    assert visits(house)["M6"].due_on == date(2027, 9, 1)

    desk.now = NOW + timedelta(days=3)
    desk.enrol(
        "UME-002", consented_on=desk.now.date(), phone="070-174 06 06", arm="control", randomised_on=desk.now.date()
    )
    assert visits(house, "UME-002")["M6"].due_on == desk.now.date().replace(month=10)
    with reading(house.engine) as connection:
        waiting = awaiting_consent(versions_of(connection), known_patient(connection, "UME-001"))
    assert [version.n for version in waiting] == [2]

    desk.act(consent_anew, "UME-001", on=desk.now.date())

    assert (visits(house)["M6"].due_on, visits(house)["M6"].schedule_version) == (date(2027, 10, 1), 2)
    assert what_differs(house, desk.now) == []
    with reading(house.engine) as connection:
        assert awaiting_consent(versions_of(connection), known_patient(connection, "UME-001")) == ()


def test_consent_before_the_version_was_there_is_no_consent_to_it(house, desk, amended):
    desk.enrol(**ARM)
    put_in_force(house, amended(LATER), rule="consent")

    with pytest.raises(Refusal):
        desk.act(consent_anew, "UME-001", on=NOW.date())


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (("[sites.UME]", "[sites.UMU]"), "UME"),
        (('surgery = "Surgical', 'operation = "Surgical'), "surgery"),
        (("[strata.er]", "[strata.receptor]"), "er"),
    ],
)
def test_what_patients_have_may_not_be_taken_out(house, desk, amended, change, names):
    desk.enrol(**ARM)
    strata = ('strata = ["er", "metastases"]', 'strata = ["metastases"]')
    with pytest.raises(Refusal, match=f"Patients have {names}"):
        put_in_force(house, amended(change, strata))


def test_an_instrument_that_an_earlier_version_asks_keeps_its_words(house, desk, amended):
    desk.enrol(**ARM)
    other = (('instruments = ["qlq-c30"]', 'instruments = ["eq-5d-5l"]'), ('\nqlq-c30 = "demo"', '\neq-5d-5l = "demo"'))
    with pytest.raises(Refusal, match="An earlier version asks qlq-c30"):
        put_in_force(house, amended(*other))


@pytest.mark.parametrize("days", [0, -30])
def test_with_patients_an_amendment_holds_tomorrow_at_the_earliest(house, desk, amended, days):
    desk.enrol(**ARM)
    with pytest.raises(Refusal, match="too early"):
        put_in_force(house, amended(LATER), from_on=NOW.date() + timedelta(days=days))


def test_a_file_in_force_and_one_that_was_amended_since_are_told_apart(house, desk, amended):
    desk.enrol(**ARM)
    put_in_force(house, amended(LATER))
    with pytest.raises(Refusal, match="in force already, as version 2"):
        put_in_force(house, amended(LATER))
    with pytest.raises(Refusal, match="is version 1, which was amended since"):
        put_in_force(house, house.protocol)


def test_a_changed_file_is_not_taken_in_by_the_way(house, desk, amended):
    """`epro release` and every process refuse it, and say what to do."""
    with writing(house.engine) as connection, pytest.raises(NotAmended, match=r"epro amend amended\.toml"):
        adopt(connection, amended(LATER), by=NURSE, now=NOW)
    put_in_force(house, amended(LATER))
    with writing(house.engine) as connection, pytest.raises(NotAmended, match="version 2 is in force"):
        adopt(connection, house.protocol, by=NURSE, now=NOW)


def test_a_visit_that_stays_with_version_one_asks_what_version_one_asks(house, desk, amended):
    desk.enrol(**ARM)
    more = (
        ('instruments = ["qlq-c30"]', 'instruments = ["qlq-c30", "eq-5d-5l"]'),
        ('\nqlq-c30 = "demo"', '\nqlq-c30 = "demo"\neq-5d-5l = "demo"'),
    )
    put_in_force(house, amended(*more))
    with reading(house.engine) as connection:
        protocol = replace(amended(*more), versions=versions_of(connection))
    baseline, m3 = visits(house)["BL"], visits(house)["M3"]

    assert protocol.visit("BL", baseline.schedule_version).instruments == ("qlq-c30",)
    assert protocol.visit("M3", m3.schedule_version).instruments == ("qlq-c30", "eq-5d-5l")


def test_a_text_speaks_the_words_of_the_version_its_visit_follows(house, desk, amended):
    from epro.acts.letters import Letters
    from tests.epro.test_letters import due_text

    desk.enrol(**ARM)
    put_in_force(house, amended(('sv.invite = "Hej! Kodord', 'sv.invite = "God dag! Kodord')))
    letters = Letters(house.engine, house.protocol, house.cipher, "https://forms.example.org")

    text, at = due_text(house, "M3")
    (letter,) = letters.write([text], at)

    assert letter.body.startswith("God dag!")


def test_the_command_shows_then_changes_and_every_process_holds_to_it(epro, tmp_path, monkeypatch):
    monkeypatch.setenv("EPRO_HOME", str(tmp_path))
    write_fresh_keys(tmp_path)
    assert epro("release")[0] == 0
    today = system_clock().date()
    due, would_be_due = (due_on(today, Offset(n=n, unit="month")).isoformat() for n in (6, 7))
    assert epro(*ENROL, "--randomised-on", today, "--arm", "control")[0] == 0
    file = tmp_path / "amended.toml"
    file.write_text(DEFAULT_TRIAL.read_text(encoding="utf-8").replace(*LATER), encoding="utf-8")

    code, out, err = epro("amend", file, "--json")
    assert (code, err) == (0, "")
    shown = json.loads(out)
    assert (shown["in_force_as"], [one["subject"] for one in shown["patients"]]) == (None, ["UME-001"])
    assert shown["patients"][0]["visits"] == [{"visit": "M6", "was": due, "now": would_be_due}]
    assert epro("amend", file, "--json")[1] == out  # nothing was changed

    code, out, err = epro("amend", file, "--yes")
    assert (code, err) == (0, "")
    assert f"visit M6: due {due} -> {would_be_due}" in out
    assert "Version 2 is in force" in out

    code, _, err = epro("stopped", "UME-001")
    assert (code, "Let EPRO_TRIAL name the amended file" in err) == (1, True)
    monkeypatch.setenv("EPRO_TRIAL", str(file))
    assert re.match(r"UME-001: [1-9]\d* pending", epro("stopped", "UME-001")[1])
    assert epro("release")[0] == 0
