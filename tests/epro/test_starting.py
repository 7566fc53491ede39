"""Nothing is served and nothing is sent on a record that was bent, until somebody answers for it."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from epro.acts import reaching
from epro.acts.going_on import go_on
from epro.acts.restoring import restored
from epro.opening import check_trail, open_house
from epro.refusals import Refusal
from epro.settings import read_settings, write_fresh_keys
from epro.store import anchors, ends
from epro.store.database import reading, writing
from epro.store.ends import bad_ends
from epro.store.models import Audit
from tests import databases
from tests.epro.conftest import NOW, NURSE
from tests.epro.test_cli import ENROL

pytestmark = [pytest.mark.bends_the_record, pytest.mark.requirement("trust-3", "fault-F11")]


@pytest.fixture
def filled(house, desk):
    desk.enrol()
    for allowed in (False, True, False):
        desk.act(reaching.allow_texts, "UME-001", allowed=allowed)
    return house


def anchored(house, at=NOW):
    with reading(house.engine) as connection:
        return anchors.heads(connection, at)


def wrong(house, known=()):
    with reading(house.engine) as connection:
        return bad_ends(connection, known)


def cut(house, after):
    with databases.unsealed(house.engine) as connection:
        connection.execute(delete(Audit).where(Audit.chain == "UME", Audit.seq > after))


def test_a_trail_that_nobody_bent_is_well(filled):
    known = anchored(filled)

    assert wrong(filled) == []
    assert wrong(filled, known) == []


def test_an_edited_entry_is_named(filled):
    with databases.unsealed(filled.engine) as connection:
        connection.execute(update(Audit).where(Audit.chain == "UME", Audit.seq == 3).values(actor="somebody else"))

    assert wrong(filled) == ["trail: UME, entry 3: was edited: its words do not give its hash"]


@pytest.mark.parametrize("left", [3, 0])
def test_a_tail_that_was_cut_off_is_seen_by_the_newest_anchor(filled, left):
    known = anchored(filled)
    cut(filled, left)

    (fault,) = wrong(filled, known)
    assert fault.startswith(f"trail: UME, entry {left + 1}: the tail is cut: on 2027-03-01")
    assert wrong(filled) == []  # without an anchor nobody can tell


def test_of_a_long_chain_the_end_is_read_and_no_more(filled, monkeypatch):
    """What lies before is left to the verifier; the hash from which the end goes on is taken as it stands."""
    monkeypatch.setattr(ends, "LAST", 2)
    with databases.unsealed(filled.engine) as connection:
        connection.execute(update(Audit).where(Audit.chain == "UME", Audit.seq == 1).values(actor="somebody else"))
    assert wrong(filled) == []

    with databases.unsealed(filled.engine) as connection:
        connection.execute(update(Audit).where(Audit.chain == "UME", Audit.seq == 3).values(actor="somebody else"))
    assert len(wrong(filled)) == 1


def test_the_end_reaches_back_to_the_newest_anchor_however_long_ago_it_was(filled, monkeypatch):
    monkeypatch.setattr(ends, "LAST", 1)
    (mine,) = [anchor for anchor in anchored(filled) if anchor["chain"] == "UME"]
    old = {**mine, "count": 2, "head": "f" * 64}

    assert ["another hash than the anchor" in fault for fault in wrong(filled, [old])] == [True]


def test_what_a_restore_has_lost_is_no_reason_not_to_start(filled):
    known = anchored(filled)
    cut(filled, 3)
    with writing(filled.engine) as connection:
        restored(connection, NOW - timedelta(hours=1), by=NURSE, now=NOW)
    assert wrong(filled, known) == []

    later = anchored(filled, NOW + timedelta(days=1))
    cut(filled, 2)
    assert len(wrong(filled, later)) == 1


def test_who_goes_on_says_why_and_only_what_comes_later_is_asked_for(filled):
    known = anchored(filled)
    cut(filled, 3)
    with writing(filled.engine) as connection, pytest.raises(Refusal):
        go_on(connection, reason=" ", by=NURSE, now=NOW)
    with writing(filled.engine) as connection:
        go_on(connection, reason="a disk was lost", by=NURSE, now=NOW)
    assert wrong(filled, known) == []

    cut(filled, 2)
    assert wrong(filled, known) == ["trail: UME, entry 3: the tail was cut since somebody went on"]


def test_the_clock_asks_every_night_and_says_what_is_wrong(filled):
    assert check_trail(filled) is None

    anchors.write(filled.settings.anchors_folder, anchored(filled))
    cut(filled, 3)
    assert check_trail(filled).startswith("the audit trail does not hold: trail: UME, entry 4: the tail is cut")

    (filled.settings.anchors_folder / anchors.FILE).write_text("{}\n")
    assert "anchors.jsonl:1: this is no anchor" in check_trail(filled)


def test_web_and_clock_refuse_a_cut_trail_in_words_until_somebody_goes_on(epro, tmp_path, monkeypatch):
    monkeypatch.setenv("EPRO_HOME", str(tmp_path))
    write_fresh_keys(tmp_path)
    epro("release")
    epro(*ENROL)
    house = open_house(read_settings())
    anchors.write(house.settings.anchors_folder, anchored(house, house.clock()))
    cut(house, 0)

    for command in ("serve", "clock"):
        code, out, err = epro(command)
        assert (code, out) == (1, "")
        assert "trail: UME, entry 1: the tail is cut" in err
        assert "epro verify --go-on" in err

    assert epro("verify", "--go-on", "Q. A.")[0] == 1  # says no reason
    assert epro("serve")[0] == 1
    assert epro("verify", "--go-on", "Q. A.", "--reason", "a disk was lost")[0] == 1  # it is broken all the same
    assert check_trail(house) is None
    house.engine.dispose()
