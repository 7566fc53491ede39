"""A number is taken out of everything that is live, keys rotate, and the record still holds."""

from datetime import date
from types import SimpleNamespace

import pytest
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import select

from epro.acts import cards, erasure, identity_step, patients, reaching, replies
from epro.acts.replies import Incoming
from epro.acts.rotation import rotate
from epro.opening import OUTBOX, letters_of
from epro.queries.trail import trail_of
from epro.queries.verification import verify
from epro.queries.written import written
from epro.refusals import Refusal
from epro.store.audit import GENESIS, UNAUDITED, entry
from epro.store.contacts import Cipher
from epro.store.database import reading, writing
from epro.store.migrating import TABLES
from epro.store.models import ERASED, Audit, AuditValue, Base, Contact, Link, Reply
from scheduler import ledger
from scheduler.carriers.console import Console
from tests.epro.conftest import NOW, NURSE
from tests.queries.conftest import RANDOMISED, Course

NUMBER, OTHER = "+46701740605", "+46701740607"


def everything(house):
    """Every value of every table, as text."""
    with reading(house.engine) as connection:
        rows = [
            row
            for tables in TABLES
            for table in tables.sorted_tables
            for row in connection.execute(select(table)).all()
        ]
    return "\n".join(str(value) for row in rows for value in row)


def addresses(house, cipher=None):
    with reading(house.engine) as connection:
        kept = connection.execute(select(Contact.address).order_by(Contact.id)).scalars().all()
    return [(cipher or house.cipher).decrypt(address) if address else "" for address in kept]


@pytest.fixture
def written_to(house, desk):
    """A patient with two numbers, one after the other, a text that left, and a reply."""
    desk.enrol("UME-001", **RANDOMISED)
    desk.enrol("UME-002", phone="070-174 06 08")
    course = Course(house)
    course.post = Console(house.settings.home / OUTBOX, lambda: NOW)
    course.tick(NOW.replace(hour=13))
    with writing(house.engine) as connection:
        replies.keep(connection, house.protocol, house.cipher, Incoming("ref", NUMBER, "my name is"), NOW)
        reaching.change_number(
            connection, house.protocol, house.cipher, "UME-001", phone="070-174 06 07", by=NURSE, now=NOW
        )
    return house


def erase(house, reason="withdrawal with erasure"):
    with writing(house.engine) as connection:
        return erasure.erase_contact(connection, house.protocol, "UME-001", reason=reason, by=NURSE, now=NOW)


@pytest.mark.requirement("trust-43")
def test_an_erased_number_stands_in_no_table_under_no_key_and_by_no_hash(written_to):
    known = [house_digest for number in (NUMBER, OTHER) for house_digest in written_to.cipher.digests(number)]
    assert any(digest in everything(written_to) for digest in known)

    erase(written_to)

    left = everything(written_to)
    assert not any(digest in left for digest in known)
    assert addresses(written_to)[0] == addresses(written_to)[2] == ""
    assert addresses(written_to)[1] == "+46701740608"  # the other patient's
    with reading(written_to.engine) as connection:
        assert connection.execute(select(Reply.body)).scalars().all() == [""]
        assert verify(connection, []).faults == []


@pytest.mark.requirement("trust-43")
def test_an_erasure_leaves_no_secret_of_hers_in_any_table_and_keeps_every_one_of_the_others(written_to):
    """Secrets are the columns that the trail may not hold; each is filled first, or the test shows nothing."""
    with writing(written_to.engine) as connection:
        for subject in ("UME-001", "UME-002"):
            cards.issue(connection, written_to.cipher, subject, by=NURSE, now=NOW)
            with entry(connection, chain="UME", action="second step agreed on", by=NURSE, at=NOW) as opened:
                identity_step.keep(opened, written_to.cipher, subject, identity_step.PIN, "2580")
    of_patients = {name for name in UNAUDITED if "subject" in Base.metadata.tables[name].columns}
    assert {name for name, subject in secrets_of(written_to) if subject == "UME-001"} == of_patients
    others = {key: kept for key, kept in secrets_of(written_to).items() if key[1] != "UME-001"}

    erase(written_to)

    left = secrets_of(written_to)
    assert {value for (_, subject), kept in left.items() if subject == "UME-001" for value in kept} == {ERASED, None}
    assert {key: kept for key, kept in left.items() if key[1] != "UME-001"} == others
    with writing(written_to.engine) as connection:
        rotate(connection, Cipher([Fernet.generate_key().decode(), *written_to.cipher.keys]), by=NURSE, now=NOW)


def secrets_of(house):
    """By table and patient, every value of the columns that the trail may not hold."""
    found = {}
    with reading(house.engine) as connection:
        for name, hidden in UNAUDITED.items():
            table = Base.metadata.tables[name]
            for row in connection.execute(select(table)).mappings() if "subject" in table.columns else ():
                found.setdefault((name, row["subject"]), []).extend(row[column] for column in sorted(hidden))
    return found


@pytest.mark.requirement("trust-43")
def test_after_an_erasure_nothing_is_sent_and_who_did_it_and_why_is_told(written_to):
    erase(written_to)

    with reading(written_to.engine) as connection:
        waiting = [text for text in ledger.rows(connection, "UME-001") if text.state in ("planned", "claimed")]
        last = trail_of(connection, "UME-001")[-1]
    assert waiting == []
    assert (last.action, last.actor, last.reason) == ("contact erased", NURSE.name, "withdrawal with erasure")


def test_the_desk_and_the_sender_go_on_after_an_erasure(written_to):
    erase(written_to)

    with reading(written_to.engine) as connection:
        assert written(connection, written_to.cipher, NOW) == []
        hers = select(Link.message_key).where(Link.contact.is_not(None), Link.message_key.startswith("UME-001/"))
        keys = connection.execute(hers).scalars().all()
    assert [letters_of(written_to).trace(SimpleNamespace(key=key)) for key in keys] == [None] * len(keys) != []


def test_texts_in_files_that_hold_an_erased_number_are_removed_and_no_others(written_to):
    folder = written_to.settings.home / OUTBOX
    (folder / "another.txt").write_text("+46701740608")
    with reading(written_to.engine) as connection:
        hers = erasure.addresses_of(connection, written_to.cipher, "UME-001")

    assert hers == {NUMBER, OTHER}
    (folder / "hers.txt").write_text(f"To: {NUMBER}")
    assert erasure.erase_files(folder, hers) >= 1
    assert [file for file in folder.rglob("*") if file.is_file() and NUMBER in file.read_text()] == []
    assert (folder / "another.txt").exists()


def test_an_erasure_wants_a_reason(written_to):
    with pytest.raises(Refusal):
        erase(written_to, reason=" ")


@pytest.mark.requirement("trust-9")
def test_a_value_of_the_trail_is_redacted_with_who_and_why_and_the_chain_still_verifies(house, desk):
    desk.enrol()
    desk.act(patients.withdraw, "UME-001", on=date(2027, 3, 1), reason="stray name")
    with reading(house.engine) as connection:
        before = [value for value in connection.execute(select(AuditValue.value)).scalars() if "stray name" in value]
        seq = connection.execute(select(Audit.seq).where(Audit.action == "withdrawal recorded")).scalar_one()
    assert before

    with writing(house.engine) as connection:
        emptied = erasure.redact(connection, "UME", seq, "reason", reason="a name stood in it", by=NURSE, now=NOW)

    with reading(house.engine) as connection:
        left = [value for value in connection.execute(select(AuditValue.value)).scalars() if value]
        found = verify(connection, [])
        last = connection.execute(select(Audit).order_by(Audit.chain, Audit.seq)).all()
    assert emptied == len(before) == 2  # the entry's own reason, and the event that was added
    assert not any("stray name" in value for value in left)
    assert "stray name" not in everything(house)
    assert (found.faults, found.redacted) == ([], emptied)
    told = next(row for row in last if row.action == "value redacted")
    assert (told.actor, told.reason, told.previous != GENESIS) == (
        NURSE.name,
        f"UME, entry {seq}: a name stood in it",
        True,
    )


def test_a_field_of_which_an_entry_tells_nothing_cannot_be_redacted(house, desk):
    desk.enrol()

    with pytest.raises(Refusal, match="holds no value of address"), writing(house.engine) as connection:
        erasure.redact(connection, "UME", 1, "address", reason="x", by=NURSE, now=NOW)


def test_after_a_rotation_the_newest_key_alone_reads_everything_and_finds_everybody(written_to):
    old = written_to.cipher.keys[0]
    new = Fernet.generate_key().decode()
    both, newest = Cipher([new, old]), Cipher([new])

    with writing(written_to.engine) as connection:
        done = rotate(connection, both, by=NURSE, now=NOW)

    assert (done.changed, done.rows) == (6, 6)  # three numbers, a reply, two code words
    assert addresses(written_to, newest) == [NUMBER, "+46701740608", OTHER]
    with reading(written_to.engine) as connection:
        reply = connection.execute(select(Reply)).one()
        hashes = connection.execute(select(Contact.address_hash).order_by(Contact.id)).scalars().all()
    assert newest.decrypt(reply.body) == "my name is"
    assert reply.address_hash == newest.digest(NUMBER)
    assert hashes == [newest.digest(number) for number in (NUMBER, "+46701740608", OTHER)]


def test_a_rotation_that_is_made_twice_changes_nothing_the_second_time(written_to):
    both = Cipher([Fernet.generate_key().decode(), written_to.cipher.keys[0]])
    for changed in (6, 0):
        with writing(written_to.engine) as connection:
            assert rotate(connection, both, by=NURSE, now=NOW).changed == changed


def test_a_rotation_without_the_old_key_changes_nothing(written_to):
    before = everything(written_to)

    with pytest.raises(InvalidToken), writing(written_to.engine) as connection:
        rotate(connection, Cipher([Fernet.generate_key().decode()]), by=NURSE, now=NOW)

    assert everything(written_to) == before
