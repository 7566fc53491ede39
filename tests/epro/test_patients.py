"""What staff do for a patient, on both databases."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from epro.acts import patients, reaching
from epro.refusals import NoSuchPatient, Refusal
from epro.store import facts
from epro.store.database import reading
from epro.store.models import Allocation, Assessment, Audit, Contact, Link, Patient, PatientEvent
from scheduler import ledger
from tests.epro.conftest import NOW

ARM = {"arm": "surgery", "randomised_on": date(2027, 3, 1)}


def rows(house, statement):
    with reading(house.engine) as connection:
        return connection.execute(statement).all()


def texts(house, subject="UME-001", state="planned"):
    with reading(house.engine) as connection:
        return [row for row in ledger.rows(connection, subject) if row.state == state]


def wrong_fields(refusal):
    return {wrong.field for wrong in refusal.value.wrongs}


def test_an_enrolled_patient_has_every_visit_planned_at_once(house, desk):
    desk.enrol(**ARM)

    visits = {row.visit: row.due_on for row in rows(house, select(Assessment.visit, Assessment.due_on))}
    assert list(house.protocol.schedule.visits) == sorted(visits, key=visits.get)
    assert visits["M3"] == date(2027, 6, 1)
    assert len(texts(house)) >= 27  # nine visits after randomisation, three steps each


def test_a_patient_registered_at_consent_has_only_the_baseline_until_she_is_randomised(house, desk):
    desk.enrol()
    assert [row.visit for row in rows(house, select(Assessment.visit))] == ["BL"]

    desk.act(patients.randomise, "UME-001", on=date(2027, 3, 1), arm="control")

    assert len(rows(house, select(Assessment.visit))) == 10
    assert [row.arm for row in rows(house, select(Allocation.arm))] == ["control"]


def test_without_permission_nothing_is_planned_to_be_sent(house, desk):
    desk.enrol(texts_allowed=False, **ARM)

    assert texts(house) == []
    assert len(rows(house, select(Assessment.visit))) == 10  # the visits are due all the same

    desk.act(reaching.allow_texts, "UME-001", allowed=True)
    assert len(texts(house)) >= 27


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"site": "XXX"}, "site"),
        ({"language": "fi"}, "language"),
        ({"strata": {"er": "maybe", "metastases": "1"}}, "er"),
        ({"strata": {"er": "pos"}}, "metastases"),
        ({"phone": "08-123 456 78"}, "phone"),
        ({"phone": "070-174 06"}, "phone"),
        ({"consented_on": date(2027, 3, 2)}, "consented_on"),
        ({"consented_on": date(1927, 3, 1)}, "consented_on"),
        ({"eligible": False}, "eligible"),
        ({"arm": "placebo", "randomised_on": date(2027, 3, 1)}, "arm"),
        ({"arm": "surgery"}, "randomised_on"),
        ({"arm": "surgery", "randomised_on": date(2027, 3, 2)}, "randomised_on"),
        ({"arm": "surgery", "randomised_on": date(2027, 2, 28)}, "randomised_on"),
        ({"zone": "Europe/Atlantis"}, "zone"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field_and_nothing_is_kept(house, desk, change, field):
    with pytest.raises(Refusal) as refusal:
        desk.enrol(**change)

    assert wrong_fields(refusal) == {field}
    for table in (Patient, PatientEvent, Contact, Assessment):
        assert rows(house, select(func.count()).select_from(table)) == [(0,)]


def test_every_fault_is_told_at_once(desk):
    with pytest.raises(Refusal) as refusal:
        desk.enrol(site="XXX", language="fi", phone="1", eligible=False)

    assert wrong_fields(refusal) == {"site", "language", "phone", "eligible"}


@pytest.mark.parametrize("subject", ["19121212-1212", "1212121212"])
def test_a_personal_identity_number_is_refused_as_subject_id_and_not_repeated(desk, subject):
    with pytest.raises(Refusal) as refusal:
        desk.enrol(subject, site="UME")

    assert "personal identity number" in str(refusal.value)
    assert subject not in str(refusal.value)


def test_a_subject_id_is_used_once(desk):
    desk.enrol()

    with pytest.raises(Refusal, match="enrolled already"):
        desk.enrol()


def test_a_refusal_never_repeats_the_phone(desk):
    with pytest.raises(Refusal) as refusal:
        desk.enrol(phone="070-174 06 059")

    assert "059" not in str(refusal.value)


def test_the_number_is_kept_encrypted_and_found_by_its_keyed_hash(house, desk):
    desk.enrol(phone="0046 70 174 06 05")

    (kept,) = rows(house, select(Contact.address, Contact.address_hash))
    assert "701740605" not in kept.address
    assert house.cipher.decrypt(kept.address) == "+46701740605"
    assert kept.address_hash in house.cipher.digests("+46701740605")


@pytest.mark.requirement("trust-43")
@pytest.mark.parametrize(("verb", "more"), [(patients.record_death, {}), (patients.withdraw, {"reason": "own wish"})])
def test_death_and_withdrawal_leave_no_text_pending_and_no_link_open(house, desk, verb, more):
    desk.enrol(**ARM)

    desk.act(verb, "UME-001", on=date(2027, 3, 1), **more)

    assert texts(house) == []
    assert rows(house, select(Link.token_hash).where(Link.revoked_at.is_(None))) == []
    later = rows(house, select(Assessment.expected).where(Assessment.due_on > date(2027, 3, 1)))
    assert {row.expected for row in later} == {False}


def test_a_death_is_recorded_once_and_never_in_the_future(desk):
    desk.enrol(**ARM)
    with pytest.raises(Refusal, match="future"):
        desk.act(patients.record_death, "UME-001", on=date(2027, 3, 2))

    desk.act(patients.record_death, "UME-001", on=date(2027, 3, 1))

    with pytest.raises(Refusal, match="recorded already"):
        desk.act(patients.record_death, "UME-001", on=date(2027, 3, 1))


def test_a_corrected_randomisation_date_moves_what_is_unsent_and_keeps_the_first_word(house, desk):
    desk.enrol(consented_on=date(2027, 2, 1), arm="surgery", randomised_on=date(2027, 3, 1))
    before = {row.key: row.send_on for row in texts(house) if row.visit != "BL"}

    desk.act(patients.correct_randomisation, "UME-001", on=date(2027, 2, 15), reason="typed the wrong day")

    after = {row.key: row.send_on for row in texts(house) if row.visit != "BL"}
    assert after.keys() == before.keys()
    assert all(after[key] < before[key] for key in before)
    said = rows(house, select(PatientEvent.happened_on).where(PatientEvent.kind == facts.RANDOMISATION))
    assert [row.happened_on for row in said] == [date(2027, 3, 1), date(2027, 2, 15)]


def test_a_date_is_not_corrected_without_a_reason(desk):
    desk.enrol(**ARM)

    with pytest.raises(Refusal, match="Say why"):
        desk.act(patients.correct_randomisation, "UME-001", on=date(2027, 3, 1), reason=" ")


def test_an_opt_out_ends_the_texts_and_a_start_brings_them_back(house, desk):
    desk.enrol(**ARM)
    planned = {row.key for row in texts(house)}

    desk.act(reaching.opt, "UME-001", out=True)
    assert texts(house) == []

    desk.act(reaching.opt, "UME-001", out=False)
    assert {row.key for row in texts(house)} == planned


def test_a_new_number_takes_the_place_of_the_old_one(house, desk):
    desk.enrol(**ARM)
    later = replace_now(desk, NOW + timedelta(days=1))

    later.act(
        lambda connection, protocol, subject, **by: reaching.change_number(
            connection, protocol, house.cipher, subject, phone="070-174 06 06", **by
        ),
        "UME-001",
    )

    known = rows(house, select(Contact.address, Contact.until_at).order_by(Contact.id))
    assert [house.cipher.decrypt(row.address) for row in known] == ["+46701740605", "+46701740606"]
    assert [row.until_at is None for row in known] == [False, True]


def replace_now(desk, now):
    return type(desk)(replace(desk.house, clock=lambda: now), now)


def test_an_unknown_patient_is_told_as_such(desk):
    with pytest.raises(NoSuchPatient):
        desk.act(patients.record_death, "UME-404", on=date(2027, 3, 1))


def test_every_act_leaves_one_entry_that_names_the_nurse_and_the_request(house, desk):
    desk.enrol()
    desk.act(patients.randomise, "UME-001", on=date(2027, 3, 1), arm="surgery")
    desk.act(patients.record_death, "UME-001", on=date(2027, 3, 1))

    told = rows(house, select(Audit).where(Audit.chain == "UME").order_by(Audit.seq))
    assert [row.action for row in told] == ["patient enrolled", "patient randomised", "death recorded"]
    assert {(row.actor, row.role, row.request) for row in told} == {("nurse@example.org", "nurse", "request-1")}
