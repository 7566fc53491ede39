"""The trail: in the same transaction as the change, chained, and never without it."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from epro.acts import patients, reaching
from epro.store.audit import GENESIS, entry, hash_of
from epro.store.database import reading, writing
from epro.store.models import Assessment, Audit, AuditValue, Base, PatientEvent
from tests.epro.conftest import NOW, NURSE

pytestmark = pytest.mark.requirement("trust-1", "trust-2")


def trail(house, chain="UME"):
    with reading(house.engine) as connection:
        return connection.execute(select(Audit).where(Audit.chain == chain).order_by(Audit.seq)).all()


def values(house):
    with reading(house.engine) as connection:
        return {row.digest: json.loads(row.value) for row in connection.execute(select(AuditValue))}


def test_an_entry_tells_what_was_before_and_what_is_now(house, desk):
    desk.enrol(arm="surgery", randomised_on=date(2027, 3, 1))
    desk.act(patients.record_death, "UME-001", on=date(2027, 3, 1))

    known = values(house)
    changes = trail(house)[-1].changes
    expected = [(known[old], known[new]) for table, _, column, old, new in changes if column == "expected"]
    assert table_of(changes) >= {"patient_event", "assessment"}
    assert expected
    assert set(expected) == {(True, False)}


def test_rows_changed_together_are_told_of_each_and_those_that_do_not_differ_are_not(house, desk):
    desk.enrol(arm="surgery", randomised_on=date(2027, 3, 1))
    with reading(house.engine) as connection:
        first, second, third = connection.execute(select(Assessment).order_by(Assessment.id).limit(3)).all()
    asked = {
        first.id: {"expected": False},
        second.id: {"expected": second.expected, "due_on": second.due_on},
        third.id: {"expected": False, "due_on": date(2027, 9, 9)},
    }

    with (
        writing(house.engine) as connection,
        entry(connection, chain="UME", action="several", by=NURSE, at=NOW) as opened,
    ):
        assert opened.update_all(Assessment, asked) == 2

    known, last = values(house), trail(house)[-1]
    assert [(row, column, known[old], known[new]) for _, row, column, old, new in last.changes] == [
        (str(first.id), "expected", True, False),
        (str(third.id), "expected", True, False),
        (str(third.id), "due_on", third.due_on.isoformat(), "2027-09-09"),
    ]
    with reading(house.engine) as connection:
        entries = {row.id: row.entry for row in connection.execute(select(Assessment))}
    assert (entries[first.id], entries[third.id]) == (last.id, last.id) != (entries[second.id],) * 2


def table_of(changes):
    return {table for table, *_ in changes}


def test_each_entry_seals_the_one_before_it(house, desk):
    desk.enrol()
    desk.act(reaching.allow_texts, "UME-001", allowed=False)
    desk.act(reaching.allow_texts, "UME-001", allowed=True)

    previous = GENESIS
    for row in trail(house):
        assert row.previous == previous
        assert row.hash == hash_of(row._mapping)
        previous = row.hash


def test_eight_writers_at_once_are_each_kept_and_the_chain_is_unbroken(house):
    def write(writer):
        for n in range(20):
            with (
                writing(house.engine) as connection,
                entry(connection, chain="UME", action=f"written by {writer}", by=NURSE, at=NOW) as opened,
            ):
                opened.note("sheet", str(writer), "line", n)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))  # a refused one would raise

    rows = trail(house)
    assert [row.seq for row in rows] == list(range(1, 161))
    assert Counter(row.action for row in rows) == {f"written by {writer}": 20 for writer in range(8)}


def test_a_change_without_its_entry_cannot_be_committed(house, desk):
    desk.enrol()
    stray = {
        "subject": "UME-001",
        "kind": "death",
        "happened_on": date(2027, 3, 1),
        "reported_at": NOW,
        "by": "nobody",
        "entry": "no such entry",
    }

    with pytest.raises(IntegrityError), writing(house.engine) as connection:
        connection.execute(insert(PatientEvent), [stray])


def half_an_act(house):
    with (
        writing(house.engine) as connection,
        entry(connection, chain="UME", action="half an act", by=NURSE, at=NOW) as opened,
    ):
        day = date(2027, 3, 1)
        opened.insert(PatientEvent, subject="UME-001", kind="call", happened_on=day, reported_at=NOW, by="nurse")
        raise RuntimeError("the power went")


def test_an_act_that_fails_leaves_neither_change_nor_entry(house, desk):
    desk.enrol()
    before = len(trail(house))

    with pytest.raises(RuntimeError, match="the power went"):
        half_an_act(house)

    assert len(trail(house)) == before
    with reading(house.engine) as connection:
        assert connection.execute(select(PatientEvent).where(PatientEvent.kind == "call")).all() == []


def test_no_phone_and_no_password_stands_in_the_trail(house, desk):
    desk.enrol(phone="070-174 06 05")

    with reading(house.engine) as connection:
        everything = " ".join(row.value for row in connection.execute(select(AuditValue)))
        kept = connection.execute(select(Base.metadata.tables["contact"].c.address)).scalar_one()
    assert "701740605" not in everything
    assert kept not in everything
