"""What has become of the texts of one form, and does any text reach this patient?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol as Shape

from epro.refusals import N_
from epro.store import facts
from epro.store.facts import Facts
from scheduler import arrows

NO_PERMISSION, OPTED_OUT, NO_NUMBER, FAILS = "no_permission", "opted_out", "no_number", "fails"
WHY_UNREACHABLE = {
    NO_PERMISSION: N_("No permission for texts"),
    OPTED_OUT: N_("Replied STOP"),
    NO_NUMBER: N_("No phone number"),
    facts.NOT_ME: N_("Somebody opened the link and said: this is not me"),
    facts.WRONG_NUMBER: N_("Somebody opened the link and said: wrong number"),
    FAILS: N_("Texts do not arrive at the number"),
    arrows.UNDELIVERED: N_("The last text did not arrive"),
    arrows.REFUSED: N_("The carrier refused the last text"),
    arrows.UNKNOWN: N_("Nobody knows yet whether the last text left"),
    arrows.GIVEN_UP: N_("Nobody can tell whether the last text left"),
    arrows.NOT_SENDABLE: N_("No text can go before the window closes"),
}
MISCARRIED = frozenset({arrows.UNDELIVERED, arrows.REFUSED, arrows.UNKNOWN, arrows.GIVEN_UP})
NOT_YET_SENT = frozenset({arrows.CLAIMED, arrows.WITHHELD})


class TextRow(Shape):
    """What the ledger says of one text."""

    @property
    def channel(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def send_at(self) -> datetime | None: ...
    @property
    def left_at(self) -> datetime | None: ...
    @property
    def code(self) -> int | None: ...


@dataclass(frozen=True)
class Sending:
    """The texts of one form: how many left, what became of the last that was tried, when and how the next one goes.

    `impossible`: the rules leave no moment at which any text of this form could go.
    """

    sent: int = 0
    last_state: str | None = None
    last_at: datetime | None = None
    last_code: int | None = None
    next_at: datetime | None = None
    next_channel: str | None = None
    impossible: bool = False


def sending_of(texts: Sequence[TextRow]) -> Sending:
    """The standing of one form's texts."""
    tried = [text for text in texts if text.left_at is not None or text.state in MISCARRIED]
    last = max(tried, key=_moment, default=None)
    next_at, next_channel = min(
        ((text.send_at, text.channel) for text in texts if text.state == arrows.PLANNED and text.send_at),
        default=(None, None),
    )
    return Sending(
        sent=sum(text.left_at is not None and text.state not in NOT_YET_SENT for text in texts),
        last_state=last.state if last else None,
        last_at=_moment(last) if last else None,
        last_code=last.code if last else None,
        next_at=next_at,
        next_channel=next_channel,
        impossible=not tried
        and next_at is None
        and any(text.state == arrows.NOT_SENDABLE and text.send_at is None for text in texts),
    )


def why_unreachable(patient: Facts, sending: Sending, *, started: bool) -> tuple[str, ...]:
    """Why no text reaches this patient for this form; empty when one does, or when she has begun it all the same."""
    if patient.denied:
        return (patient.denied,)
    if started:
        return ()
    standing = [
        reason
        for reason, holds in (
            (NO_PERMISSION, not patient.texts_allowed),
            (OPTED_OUT, patient.opted_out),
            (NO_NUMBER, not patient.contacts),
        )
        if holds
    ]
    if standing and not patient.channels:
        return tuple(standing)
    if sending.last_state is not None and sending.last_state in MISCARRIED:
        return (sending.last_state,)
    if not patient.channels and any(patient.fails(channel) for channel in patient.contacts):
        return (FAILS,)
    return (arrows.NOT_SENDABLE,) if sending.impossible else ()


def _moment(text: TextRow) -> datetime:
    """When a text left, or was to leave when it was refused."""
    at = text.left_at or text.send_at
    assert at is not None
    return at
