"""What was done about one patient, by whom, when and why: every change, with what stood there before?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, Text, cast, select

from epro.store.audit import TRIAL_CHAIN, canonical
from epro.store.models import Access, Assessment, Audit, AuditValue, Contact, Form, Patient, PatientEvent, Reply

REDACTED = "redacted"
AT_ONCE = 500
Place = tuple[str, str]  # table, row


@dataclass(frozen=True)
class Change:
    """One field that changed, in the entry that tells of it. old and new as JSON writes them, texts without marks.

    place: the visit, form and item it belongs to, if to one. field: empty for an act that changed nothing.
    """

    at: datetime
    chain: str
    seq: int
    actor: str
    role: str
    channel: str
    request: str | None
    action: str
    reason: str | None
    place: str
    table: str
    row: str
    field: str
    old: str | None
    new: str | None


COLUMNS = tuple(field.name for field in fields(Change))


@dataclass(frozen=True)
class Wanted:
    """Which changes to show; None = all. Days are days in the trial's zone, both included."""

    from_on: date | None = None
    until_on: date | None = None
    actor: str | None = None
    action: str | None = None
    field: str | None = None

    def takes(self, change: Change, zone: ZoneInfo) -> bool:
        on = change.at.astimezone(zone).date()
        return (
            (self.from_on is None or on >= self.from_on)
            and (self.until_on is None or on <= self.until_on)
            and self.actor in (None, change.actor)
            and self.action in (None, change.action)
            and self.field in (None, change.field)
        )


def trail_of(connection: Connection, subject: str) -> list[Change]:
    """Every change about one patient, the first one first; in a number of statements that does not grow with them."""
    site = connection.execute(select(Patient.site).where(Patient.subject == subject)).scalar_one()
    places = _places(connection, subject)
    hers = connection.execute(select(Audit).where(Audit.subject == subject)).all()
    of_several = select(Audit).where(Audit.subject.is_(None), Audit.chain.in_((site, TRIAL_CHAIN)))
    others = [row for row in connection.execute(of_several) if any((t, r) in places for t, r, *_ in row.changes)]
    rows = sorted([*hers, *others], key=lambda row: (row.at, row.chain, row.seq))
    values = _values(connection, [digest for row in rows for change in row.changes for digest in change[3:] if digest])
    found: list[Change] = []
    said: dict[Place, str | None] = {}
    for row in rows:
        mine = row.changes if row.subject == subject else [each for each in row.changes if tuple(each[:2]) in places]
        found += _changes(row, mine, values, places, said)
    return found


def looks_at(connection: Connection, subject: str) -> list[Any]:
    """Who has looked at a patient's data: at, actor, role, channel and what, the latest first."""
    shown = cast(Access.subjects, Text).contains(json.dumps(subject), autoescape=True)
    columns = (Access.at, Access.actor, Access.role, Access.channel, Access.what)
    return list(connection.execute(select(*columns).where(shown).order_by(Access.id.desc())))


def _changes(
    row: Row[Any],
    changes: list[Any],
    values: dict[str, str | None],
    places: dict[Place, str],
    said: dict[Place, str | None],
) -> Iterator[Change]:
    told = {name: getattr(row, name) for name in COLUMNS[:9]}
    if row.why and row.reason is None:
        told["reason"] = REDACTED
    if not changes:
        yield Change(**told, place="", table="", row="", field="", old=None, new=None)
    for table, key, column, old, new in changes:
        where: dict[str, Any] = {"place": places.get((table, key), ""), "table": table, "row": key}
        if column != "*":
            yield Change(**told, **where, field=column, old=_plain(values, old), new=_plain(values, new))
        elif (plain := values.get(new)) is None:
            yield Change(**told, **where, field="*", old=None, new=REDACTED)
        elif table == "answer":
            yield _answer(told, where, json.loads(plain), places, said)
        else:
            for name, value in json.loads(plain).items():
                if value is not None:
                    yield Change(**told, **where, field=name, old=None, new=_written(value))


def _answer(
    told: dict[str, Any],
    where: dict[str, Any],
    answer: dict[str, Any],
    places: dict[Place, str],
    said: dict[Place, Any],
) -> Change:
    """An answer beside the version before it."""
    form = places.get(("form", str(answer["form"])), "")
    item = (str(answer["form"]), answer["item"])
    new = answer["value"] if answer["value"] is not None else answer.get("text") or answer["state"]
    old, said[item] = said.get(item), _written(new)
    place = f"{form} {answer['item']}".strip()
    return Change(**told, **{**where, "place": place}, field=answer["item"], old=old, new=_written(new))


def _plain(values: dict[str, str | None], digest: str | None) -> str | None:
    if digest is None:
        return None
    value = values.get(digest)
    return REDACTED if value is None else _written(json.loads(value))


def _written(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value)


def _values(connection: Connection, digests: Sequence[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for first in range(0, len(digests), AT_ONCE):
        some = digests[first : first + AT_ONCE]
        rows = connection.execute(select(AuditValue.digest, AuditValue.value).where(AuditValue.digest.in_(some)))
        found.update({row.digest: row.value for row in rows})
    return found


def _places(connection: Connection, subject: str) -> dict[Place, str]:
    """Every row of hers that others' entries may speak of, and what a person calls it."""
    visits = select(Assessment.id, Assessment.visit).where(Assessment.subject == subject)
    forms = select(Form.id, Assessment.visit, Form.instrument).join(Assessment, Assessment.id == Form.assessment)
    places = {("patient", subject): "", ("allocation", subject): ""}
    places |= {("assessment", str(row.id)): row.visit for row in connection.execute(visits)}
    for row in connection.execute(forms.where(Assessment.subject == subject)):
        places["form", str(row.id)] = f"{row.visit} {row.instrument}"
    for model in (PatientEvent, Contact, Reply):
        ids = connection.execute(select(model.id).where(model.subject == subject)).scalars()
        places |= {(model.__tablename__, str(key)): "" for key in ids}
    return places
