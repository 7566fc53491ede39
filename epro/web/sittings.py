"""Who sits in front of this browser: which link was opened in it, and since when?

The session cookie (signed, for this browser only) holds the hash of the link and a sitting of its own, never the token.
After an hour of silence the form goes on in a new sitting, which is not shown what was said before: a phone may lie
about. A link opened later takes the place of the one before.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta

from flask import session

from epro.acts.links import TABLET, Opened

SILENCE = timedelta(minutes=60)
FRESH = timedelta(minutes=1)  # how old the note of the last sign of life may become before it is written again
SITTING, DONE = "sitting", "done"


@dataclass(frozen=True)
class Sitting:
    link: str  # the token's hash
    id: str
    language: str  # of the questions
    speaks: str  # the language of everything round them
    site: str
    mode: str
    seen_at: str
    may_read: bool = False  # earlier answers too: she has shown who she is


def begin(opened: Opened, language: str, now: datetime, *, speaks: str, may_read: bool = False) -> None:
    """Sit down with this link; whoever sat here before has left."""
    leave()
    at = now.isoformat()
    _keep(Sitting(opened.token_hash, _new_id(), language, speaks, opened.site, opened.mode, at, may_read))


def speak(sitting: Sitting, speaks: str, language: str) -> None:
    """Go on in another language."""
    _keep(replace(sitting, speaks=speaks, language=language))


def current(now: datetime) -> Sitting | None:
    """The sitting of this browser, None when no link was opened in it."""
    kept = session.get(SITTING)
    if kept is None or kept.keys() != {field.name for field in fields(Sitting)}:
        return None  # nobody, or the cookie of another version of ours
    sitting = Sitting(**kept)
    silent_for = now - datetime.fromisoformat(sitting.seen_at)
    if silent_for > SILENCE:
        sitting = replace(sitting, id=_new_id(), may_read=False)
    if silent_for > FRESH:
        _keep(replace(sitting, seen_at=now.isoformat()))
    return sitting


def finish(sitting: Sitting) -> None:
    """The form is sent. A tablet that is handed on forgets everything else too."""
    leave()
    if sitting.mode == TABLET:
        session.clear()
    session[DONE] = {"language": sitting.speaks, "site": sitting.site, "mode": sitting.mode}


def finished() -> dict[str, str] | None:
    """What the page of thanks needs to know, when a form was sent from this browser."""
    done: dict[str, str] | None = session.get(DONE)
    return done


def leave() -> None:
    """Nobody sits here any more."""
    session.pop(SITTING, None)
    session.pop(DONE, None)


def _keep(sitting: Sitting) -> None:
    session[SITTING] = asdict(sitting)


def _new_id() -> str:
    return secrets.token_hex(16)
