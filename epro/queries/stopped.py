"""Is it proved that nothing more is sent to a patient, and what had left before?"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from scheduler import arrows, ledger
from scheduler.ledger import Text

MAY_STILL_LEAVE = (arrows.PLANNED, arrows.CLAIMED)
PERHAPS_LEFT = (arrows.UNKNOWN, arrows.GIVEN_UP)


@dataclass(frozen=True)
class Proof:
    """pending: texts that may still leave. left: those that have, or perhaps have, in the order of their leaving."""

    pending: int
    left: tuple[Text, ...]


def proof(connection: Connection, subject: str) -> Proof:
    """How it stands now with every text of a patient."""
    texts = ledger.rows(connection, subject)
    left = [(text.left_at, text) for text in texts if text.left_at is not None and text.state != arrows.CLAIMED]
    return Proof(
        pending=sum(text.state in MAY_STILL_LEAVE for text in texts),
        left=tuple(text for _, text in sorted(left, key=lambda one: one[0])),
    )
