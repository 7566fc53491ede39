"""How are errors said on the command line? In words, where and the cure; without a traceback."""

from __future__ import annotations

import errno

from sqlalchemy.exc import DatabaseError, OperationalError

from epro.acts.restoring import SendingIsOff
from epro.acts.trial import NotAmended
from epro.backups import BackupRefused
from epro.opening import NotReadyForLive, TrailDoesNotHold
from epro.refusals import NoSuchPatient, Refusal
from epro.settings import SettingsRefused
from epro.store import database
from epro.store.anchors import NotAnAnchor
from epro.store.copying import CopyFailed
from epro.versions import NoTrial
from questionnaires.located import Refused
from scheduler.alone import AnotherSender, InsideWebServer

SAID_IN_WORDS = (
    Refused,
    Refusal,
    SettingsRefused,
    NotReadyForLive,
    TrailDoesNotHold,
    NotAnAnchor,
    NotAmended,
    NoTrial,
    SendingIsOff,
    database.DatabaseUnavailable,
    AnotherSender,
    InsideWebServer,
    BackupRefused,
    CopyFailed,
)
NO_TABLE = ("no such table", "does not exist")


def in_words(error: Exception) -> str | None:
    """What to tell a person; None for an error that is ours and should be seen as such."""
    if isinstance(error, SAID_IN_WORDS):
        return str(error)
    if isinstance(error, NoSuchPatient):
        return f"No patient has the subject id {error}."
    if isinstance(error, DatabaseError) and any(sign in str(error.orig) for sign in NO_TABLE):
        return "The database is empty or older than this version. Run `epro release` first."
    if isinstance(error, OperationalError):
        return str(database.in_words(error))
    if isinstance(error, OSError):
        return _of_the_machine(error)
    library = getattr(type(error), "__module__", "").startswith(("analysis.", "questionnaires."))
    return str(error) if library and isinstance(error, (ValueError, LookupError)) else None


def _of_the_machine(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"The disk is full{where}. Make room and run the command again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"This may not be written or read{where}. Check who owns it."
    if error.errno == errno.EADDRINUSE:
        return "Another program listens on that port. Set EPRO_PORT to a free one."
    return f"{error.strerror or error}{where}."
