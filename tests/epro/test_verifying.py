"""A record that was bent is found out, and the first bad row is named."""

import json
from datetime import date

import pytest
from sqlalchemy import delete, select, text, update

from epro.acts import patients, reaching
from epro.queries.verification import verify
from epro.store import anchors
from epro.store.audit import GENESIS, canonical, hash_of
from epro.store.database import reading
from epro.store.models import Audit, AuditValue, PatientEvent
from tests import databases
from tests.epro.conftest import NOW

pytestmark = pytest.mark.bends_the_record
MARCH_1 = date(2027, 3, 1)


@pytest.fixture
def filled(house, desk):
    desk.enrol(arm="surgery", randomised_on=MARCH_1)
    desk.act(reaching.allow_texts, "UME-001", allowed=False)
    desk.act(reaching.allow_texts, "UME-001", allowed=True)
    desk.act(patients.withdraw, "UME-001", on=MARCH_1, reason="moved away")
    return house


def anchored(house):
    with reading(house.engine) as connection:
        return anchors.heads(connection, NOW)


def faults(house, known=()):
    with reading(house.engine) as connection:
        return verify(connection, known).faults


def entries(connection, chain="UME"):
    return connection.execute(select(Audit).where(Audit.chain == chain).order_by(Audit.seq)).all()


def test_a_record_that_nobody_bent_holds(filled):
    with reading(filled.engine) as connection:
        found = verify(connection, anchored(filled))

    assert found.faults == []
    assert (found.entries, found.anchors) == (5, 2)
    assert found.rows > 10


@pytest.mark.requirement("trust-3")
def test_an_edited_entry_is_named(filled):
    with databases.unsealed(filled.engine) as connection:
        connection.execute(update(Audit).where(Audit.chain == "UME", Audit.seq == 2).values(actor="somebody else"))

    assert faults(filled)[0] == "trail: UME, entry 2: was edited: its words do not give its hash"


def test_an_entry_that_was_taken_out_is_named(filled):
    with databases.unsealed(filled.engine) as connection:
        connection.execute(delete(Audit).where(Audit.chain == "UME", Audit.seq == 2))

    assert "trail: UME, entry 3: stands where entry 2 should" in faults(filled)[0]


def test_entries_that_changed_places_are_named(filled):
    with databases.unsealed(filled.engine) as connection:
        for old, new in ((2, 99), (3, 2), (99, 3)):
            connection.execute(update(Audit).where(Audit.chain == "UME", Audit.seq == old).values(seq=new))

    assert faults(filled)[0].startswith("trail: UME, entry 2: ")


@pytest.mark.requirement("trust-3")
def test_a_tail_that_was_cut_off_is_seen_by_its_anchor(filled):
    known = anchored(filled)
    with databases.unsealed(filled.engine) as connection:
        connection.execute(delete(PatientEvent).where(PatientEvent.kind == "withdrawal"))
        connection.execute(delete(Audit).where(Audit.chain == "UME", Audit.seq == 4))

    assert "trail: UME, entry 4: the tail is cut: on 2027-03-01" in faults(filled, known)[0]


def rewrite(connection, chain="UME", *, since=1, **changed):
    """What an owner would do who knows how hashes are made: change an entry and make every later hash anew."""
    rows = entries(connection, chain)
    previous = rows[since - 2].hash if since > 1 else GENESIS
    for row in rows[since - 1 :]:
        made = {**row._mapping, **changed, "previous": previous}
        made["hash"] = hash_of(made)
        connection.execute(
            update(Audit).where(Audit.id == row.id).values(**changed, previous=previous, hash=made["hash"])
        )
        previous = made["hash"]


@pytest.mark.requirement("trust-3")
@pytest.mark.parametrize("since", [1, 2])
def test_a_history_that_was_written_anew_is_seen_by_its_anchor(filled, since):
    known = anchored(filled)
    with databases.unsealed(filled.engine) as connection:
        rewrite(connection, since=since, actor="somebody else")

    assert faults(filled) == []  # it holds in itself
    assert "another hash than the anchor of 2027-03-01" in faults(filled, known)[0]


def test_a_history_that_forks_is_named(filled):
    with databases.unsealed(filled.engine) as connection:
        made = {**entries(connection)[2]._mapping, "actor": "somebody else", "previous": "f" * 64}
        connection.execute(
            update(Audit)
            .where(Audit.id == made["id"])
            .values(actor="somebody else", previous="f" * 64, hash=hash_of(made))
        )

    assert "trail: UME, entry 3: does not follow entry 2" in faults(filled)[0]


def test_anchors_that_disagree_are_two_histories(filled):
    known = anchored(filled)
    other = [
        {**anchor, "head": "f" * 64, "at": "2027-03-02T01:30:00+00:00"} for anchor in known if anchor["chain"] == "UME"
    ]

    assert any("there were two histories" in fault for fault in faults(filled, [*known, *other]))


def test_a_value_that_was_edited_is_named(filled):
    with databases.unsealed(filled.engine) as connection:
        one = connection.execute(select(AuditValue.digest).order_by(AuditValue.digest).limit(1)).scalar_one()
        connection.execute(update(AuditValue).where(AuditValue.digest == one).values(value=canonical("another")))

    assert f"values: {one[:12]}… was edited: salt and value do not give it" in faults(filled)


def test_a_value_that_was_taken_away_is_named(filled):
    with databases.unsealed(filled.engine) as connection:
        one = connection.execute(select(AuditValue.digest).order_by(AuditValue.digest).limit(1)).scalar_one()
        connection.execute(delete(AuditValue).where(AuditValue.digest == one))

    assert any(f"{one[:12]}… is missing, of which" in fault for fault in faults(filled))


def test_a_value_that_was_emptied_without_an_entry_is_named(filled):
    with databases.unsealed(filled.engine) as connection:
        connection.execute(update(AuditValue).values(value=None, salt=None))

    assert any("no entry tells who redacted it" in fault for fault in faults(filled))


def test_a_row_that_was_changed_behind_the_trails_back_is_named(filled):
    with databases.unsealed(filled.engine) as connection:
        connection.execute(text("UPDATE patient_event SET happened_on = '2020-01-01' WHERE kind = 'withdrawal'"))

    found = faults(filled)
    assert len(found) == 1
    assert found[0].startswith("data: patient_event, row ")
    assert found[0].endswith(", happened_on: the trail tells another value")


def test_a_row_that_was_added_behind_the_trails_back_is_seen(filled):
    with databases.unsealed(filled.engine) as connection:
        row = connection.execute(select(PatientEvent.__table__).limit(1)).one()._mapping
        connection.execute(PatientEvent.__table__.insert(), [{**row, "id": row["id"] + 1000}])

    assert any("data: patient_event holds" in fault for fault in faults(filled))


def test_a_row_that_was_taken_away_is_named(filled):
    with databases.unsealed(filled.engine) as connection:
        connection.execute(delete(PatientEvent).where(PatientEvent.kind == "withdrawal"))

    assert any("is missing, of which the trail speaks" in fault for fault in faults(filled))


def test_anchors_are_only_added_to_their_file(filled, tmp_path):
    first = anchored(filled)
    anchors.write(tmp_path, first)
    anchors.write(tmp_path, first)

    assert anchors.read(tmp_path) == first * 2
    assert json.loads((tmp_path / anchors.FILE).read_text().splitlines()[0])["count"] >= 1
