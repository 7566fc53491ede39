"""The record was found broken, somebody who answers for the trial has looked into it, and the service goes on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from epro.refusals import N_, Refusal, Wrong
from epro.store import anchors
from epro.store.audit import TRIAL_CHAIN, Actor, entry
from epro.store.ends import GOES_ON, UP_TO


def go_on(connection: Connection, *, reason: str, by: Actor, now: datetime) -> None:
    """Put into the trail up to which entry each chain was looked into. Raises Refusal where no reason is given.

    What serves and sends asks the chains from there on; `epro verify` names what is broken all the same.
    """
    if not reason.strip():
        raise Refusal([Wrong("reason", N_("Say what was found, and why the trial goes on."))])
    with entry(connection, chain=TRIAL_CHAIN, action=GOES_ON, by=by, at=now, reason=reason.strip()) as opened:
        for head in anchors.heads(connection, now):
            opened.note("audit", f"{head['chain']}/{head['count']}", UP_TO, head["head"])
