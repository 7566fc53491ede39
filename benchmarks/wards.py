"""Two hundred patients in mid-trial, and copies of them over more sites: the rows that the desk's pages read.

The first two hundred are enrolled by the service's own verbs. What was sent and answered since, and the copies, are
written straight into the tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy import Connection, Table, insert, select, text, update

from epro.acts import patients
from epro.acts.calls import REASONS
from epro.acts.enrolment import Enrolment
from epro.acts.trial import adopt
from epro.house import House
from epro.opening import open_house
from epro.protocol import Protocol, protocol_of, read_document
from epro.rehearsal.numbers import fictional_mobile
from epro.settings import DEFAULT_TRIAL, Settings
from epro.store.audit import Actor
from epro.store.database import writing
from epro.store.migrating import migrate
from epro.store.models import (
    Allocation,
    Answer,
    Assessment,
    CodeWord,
    Contact,
    Form,
    Patient,
    PatientEvent,
    table_of,
)
from questionnaires.located import parse
from scheduler.tables import attempt, message
from tests.databases import unsealed

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
OFFICE = Actor("office@example.org", "trial_office", "import")
BASE, BASE_SITES, SITES = 200, 5, 40
SPREAD_DAYS = 900  # of consent, before now
DIED_EVERY = 20
ANSWERS_A_FORM = 6
MISSING = tuple(REASONS)
OF_PATIENTS = [table_of(model) for model in (Patient, Allocation, PatientEvent, Contact, CodeWord, Assessment)]
COPIED = [*OF_PATIENTS, message, table_of(Form), table_of(Answer), attempt]  # those that others point to come first
MADE_UNIQUE = {"token", "carrier_ref"}


def site_code(n: int) -> str:
    return f"S{chr(65 + n // 26)}{chr(65 + n % 26)}"


def trial_of_nine_visits(sites: int) -> Protocol:
    """The shipped trial without its visit at six weeks, at so many sites."""
    document = read_document(DEFAULT_TRIAL)
    head, rest = re.split(r"(?=^\[sites\.)", document.text, maxsplit=1, flags=re.M)
    named = "".join(f'[sites.{site_code(n)}]\nname = "Site {n}"\nphone = "070-174 06 95"\n' for n in range(sites))
    whole = head + named + rest[rest.index("[strata.") :]
    return protocol_of(parse(re.sub(r'\[visit\."M1\.5"\].*?(?=\[visit)', "", whole, flags=re.S), document.path))


def house_of(url: str, home: Path, sites: int, *, durable: bool = True) -> House:
    """An empty house at `NOW` under that trial."""
    settings = Settings(
        home=home, database_url=url, secret_key="not a secret", contact_keys=Fernet.generate_key().decode()
    )
    house = replace(open_house(settings, durable=durable), protocol=trial_of_nine_visits(sites), clock=lambda: NOW)
    migrate(house.engine)
    with writing(house.engine) as connection:
        adopt(connection, house.protocol, by=OFFICE, now=NOW - timedelta(days=SPREAD_DAYS + 30))
    return house


def fill(house: House, copies: int) -> None:
    """`BASE` patients at `BASE_SITES` sites, and each of them `copies` times, over the sites in turn."""
    for n in range(BASE):
        _enrol(house, n)
    with unsealed(house.engine) as connection:
        _send_and_answer(connection)
        if copies > 1:
            _copy(connection, copies)
    with house.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _subject(n: int) -> tuple[str, str]:
    site = site_code(n % BASE_SITES)
    return site, f"{site}-{n // BASE_SITES + 1:03d}"


def _enrol(house: House, n: int) -> None:
    site, subject = _subject(n)
    consented_on = NOW.date() - timedelta(days=3 + n * 997 % SPREAD_DAYS)
    at = datetime.combine(consented_on, time(9), UTC)
    asked = Enrolment(
        subject=subject,
        site=site,
        language="sv",
        strata={"er": "pos" if n % 4 else "neg", "metastases": "1" if n % 2 else "2-4"},
        consented_on=consented_on,
        eligible=True,
        texts_allowed=n % 50 != 0,
        phone=fictional_mobile(n),
        randomised_on=consented_on,
        arm="surgery" if n % 3 else "control",
    )
    with writing(house.engine) as connection:
        patients.enrol(connection, house.protocol, house.cipher, asked, by=OFFICE, now=at)
        if n % DIED_EVERY == DIED_EVERY - 1 and consented_on < NOW.date() - timedelta(days=60):
            on = NOW.date() - timedelta(days=30)
            patients.record_death(connection, house.protocol, subject, on=on, by=OFFICE, now=NOW - timedelta(days=20))


def _send_and_answer(connection: Connection) -> None:
    """Of every five visits four are answered, of the others some say why; all invitations left, of those reminders."""
    entry = connection.execute(select(Patient.entry).limit(1)).scalar_one()
    rows = connection.execute(select(Assessment.__table__).order_by(Assessment.id)).all()
    answered = set()
    for row in rows:
        if row.opens_at > NOW or not row.expected:
            continue
        if _drawn(row.id, 5):
            if row.closes_at <= NOW and _drawn(row.id, 3):
                reason = MISSING[row.id % len(MISSING)]
                connection.execute(update(Assessment).where(Assessment.id == row.id).values(reason=reason))
            continue
        at = min(NOW, datetime.combine(row.due_on, time(14), UTC))
        answered.add((row.subject, row.visit))
        done = {"started_at": at, "completed_at": None if _drawn(row.id, 20) else at, "received_at": at}
        connection.execute(update(Assessment).where(Assessment.id == row.id).values(**done))
        connection.execute(insert(Form), [_form(row.id, entry)])
        form = connection.execute(select(Form.id).where(Form.assessment == row.id)).scalar_one()
        connection.execute(insert(Answer), list(_answers(form, at, entry)))
    _send(connection, answered)


def _drawn(id: int, of: int) -> bool:
    """One of so many, whatever visit and site the ids follow."""
    return id * 7919 % 1009 % of == 0


def _send(connection: Connection, answered: set[tuple[str, str]]) -> None:
    left: set[tuple[str, date]] = set()
    for row in connection.execute(select(message).where(message.c.state == "planned")).all():
        if row.send_at is None or row.send_at > NOW:
            continue
        fell_away = (row.subject, row.visit) in answered and row.position > 0
        if fell_away or (row.subject, row.send_on) in left:
            values = {"state": "superseded", "next_try_at": None}
        else:
            left.add((row.subject, row.send_on))
            state = "undelivered" if _drawn(row.id, 40) else "delivered"
            values = {"state": state, "next_try_at": None, "left_at": row.send_at, "left_on": row.send_on}
            token = {"message": row.id, "n": 1, "token": f"token {row.id}", "claimed_at": row.send_at}
            code = 30005 if state == "undelivered" else None
            connection.execute(insert(attempt).values(**token, carrier_ref=f"SM{row.id}", outcome=state, code=code))
            values |= {"attempts": 1, "latest_attempt": connection.execute(LAST_ATTEMPT).scalar_one()}
        connection.execute(update(message).where(message.c.id == row.id).values(**values))


LAST_ATTEMPT = select(attempt.c.id).order_by(attempt.c.id.desc()).limit(1)


def _form(assessment: int, entry: str) -> dict[str, object]:
    words = {"wording_pack": "demo", "wording_edition": 1, "wording_sha256": "0" * 64, "language": "sv"}
    return {
        "assessment": assessment,
        "instrument": "qlq-c30",
        "version": "3.0",
        "mode": "self",
        "entry": entry,
        **words,
    }


def _answers(form: int, at: datetime, entry: str) -> Iterator[dict[str, object]]:
    for n in range(1, ANSWERS_A_FORM + 1):
        yield {
            "form": form,
            "item": f"q{n}",
            "value": n % 4 + 1,
            "state": "answered",
            "key": f"key {n}",
            "session": "one",
            "received_at": at,
            "by": "patient",
            "mode": "self",
            "entry": entry,
        }


def _copy(connection: Connection, copies: int) -> None:
    """Set-based: every row once more for each copy, ids moved on, subjects renamed."""
    connection.execute(text("CREATE TEMPORARY TABLE mapping (k integer, was text, becomes text, site text)"))
    connection.execute(
        text("INSERT INTO mapping VALUES (:k, :was, :becomes, :site)"),
        [_renamed(n, k) for k in range(1, copies) for n in range(BASE)],
    )
    moved = {table.name: _highest(connection, table) for table in COPIED if _is_numbered(table)}
    for table in COPIED:
        connection.execute(text(_copying(table, moved)), {"copies": copies})
    if connection.dialect.name == "postgresql":
        for name in moved:
            connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}"))  # noqa: S608


def _renamed(n: int, k: int) -> dict[str, object]:
    groups = SITES // BASE_SITES
    site = site_code(n % BASE_SITES + BASE_SITES * (k % groups))
    number = n // BASE_SITES + 1 + BASE // BASE_SITES * (k // groups)
    return {"k": k, "was": _subject(n)[1], "becomes": f"{site}-{number:03d}", "site": site}


def _is_numbered(table: Table) -> bool:
    return "id" in table.columns


def _highest(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(table.c.id).order_by(table.c.id.desc()).limit(1)).scalar_one())


def _copying(table: Table, moved: dict[str, int]) -> str:
    """The statement that copies one table; what belongs to no patient by itself follows its owner's ids."""
    own = "subject" in table.columns
    source = "JOIN mapping AS m ON m.was = t.subject" if own else "CROSS JOIN generate_series(1, :copies - 1) AS m(k)"
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    values = ", ".join(_copied(table, column.name, moved) for column in table.columns)
    return f'INSERT INTO "{table.name}" ({names}) SELECT {values} FROM "{table.name}" AS t {source}'  # noqa: S608


def _copied(table: Table, name: str, moved: dict[str, int]) -> str:
    column = table.columns[name]
    points_to = next((key.column.table.name for key in column.foreign_keys), None)
    target = "attempt" if name == "latest_attempt" else table.name if name == "id" else points_to
    if name == "subject":
        return "m.becomes"
    if name == "site":
        return "m.site"
    if name == "key" and table is message:
        return "replace(t.key, m.was, m.becomes)"
    if name in MADE_UNIQUE:
        return f"t.\"{name}\" || '-' || m.k"
    return f't."{name}" + m.k * {moved[target]}' if target in moved else f't."{name}"'
