"""What was ever answered at a visit: every version of every item, and whose word each was?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from epro.protocol import Protocol
from epro.store.models import Answer, Assessment, Form


@dataclass(frozen=True)
class Version:
    """One word on an item: by the patient, by a rule (a gate), or by a member of staff."""

    value: int | None
    text: str | None
    state: str
    at: datetime
    by: str
    mode: str
    reason: str | None

    def __repr__(self) -> str:
        return f"Version({self.state}, {self.at})"


@dataclass(frozen=True)
class Item:
    """An item of a form that was begun, with its versions, the first one first."""

    instrument: str
    code: str
    versions: tuple[Version, ...]

    @property
    def current(self) -> Version | None:
        return self.versions[-1] if self.versions else None


def items_of_visit(connection: Connection, protocol: Protocol, subject: str, visit: str) -> list[Item]:
    """Every item of every form of a visit that was begun, in the order in which they are asked; one statement."""
    rows = connection.execute(
        select(Form.instrument, Answer.__table__)
        .join(Assessment, Assessment.id == Form.assessment)
        .join(Answer, Answer.form == Form.id, isouter=True)
        .where(Assessment.subject == subject, Assessment.visit == visit)
        .order_by(Form.id, Answer.id)
    ).all()
    said: dict[tuple[str, str], list[Version]] = {}
    begun: dict[str, None] = {}
    for row in rows:
        begun[row.instrument] = None
        if row.id is not None:
            version = Version(row.value, row.text, row.state, row.received_at, row.by, row.mode, row.reason)
            said.setdefault((row.instrument, row.item), []).append(version)
    return [
        Item(code, item.code, tuple(said.get((code, item.code), ())))
        for code in begun
        for item in protocol.instruments[code].items
    ]
