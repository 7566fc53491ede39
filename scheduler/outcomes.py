"""What does a carrier's reply mean for a text: accepted, surely not, or unknown, and what follows?

Codes after Twilio's public list of error codes, sorted by what a trial must do about them.
"""

from __future__ import annotations

from datetime import timedelta
from zlib import crc32

from scheduler.ports import Outcome, Refused, Unknown

OPTED_OUT = 21610
WRONG_NUMBER = frozenset({21211, 21401, 21614, 30005, 30006})
OUR_CONFIGURATION = frozenset(
    {20003, 20404, 21408, 21602, 21606, 21612, 21617, 21657, 21663, 21668, 21670, 21671, 30034}
)
TEXT_OR_SENDER = frozenset({30004, 30007})
MAILBOX_FOR_A_WHILE = frozenset({450, 451, 452})  # SMTP: busy, or a stranger is asked to come again
FOR_A_WHILE = frozenset({30001, 30002, 30003, 30008, 30036, 21611}) | MAILBOX_FOR_A_WHILE
NOT_NOW_CODE = 20429
NOT_NOW = frozenset({429, 503})  # HTTP: surely not accepted, and nothing is wrong with the text
NO_REPLY_IN_TIME = 408  # HTTP: from something between us and the carrier
NOT_ALLOWED = frozenset({401, 403, 404})  # HTTP: account, key or address of the service

AGAIN_AFTER = timedelta(minutes=30)  # between tries that the carrier answered with FOR_A_WHILE
MOST_TRIES = 3  # of those
FIRST_BACKOFF = timedelta(minutes=1)
LONGEST_BACKOFF = timedelta(hours=1)
JITTER = 0.25  # of the backoff, at most


def outcome_of(status: int, code: int | None, retry_after: timedelta | None = None) -> Refused | Unknown:
    """What an HTTP reply that is not a success says. `status`: HTTP; `code`: the carrier's own, if it gave one."""
    if status in NOT_NOW or code == NOT_NOW_CODE:
        return Refused(code or status, "later", retry_after)
    if status >= 500 or status == NO_REPLY_IN_TIME:
        return Unknown(code or status)
    known = refusal_of(code) if code is not None else None
    if known is not None:
        return known
    return Refused(code or status, "stop_sender" if status in NOT_ALLOWED else "ask_person")


def refusal_of(code: int) -> Refused | None:
    """What follows from one of the carrier's codes, in a reply or in a receipt; None for a code we do not know."""
    if code == OPTED_OUT or code in WRONG_NUMBER:
        return Refused(code, "never")
    if code in OUR_CONFIGURATION:
        return Refused(code, "stop_sender")
    if code in TEXT_OR_SENDER:
        return Refused(code, "ask_person")
    if code in FOR_A_WHILE:
        return Refused(code, "later", AGAIN_AFTER)
    return None


def may_try_again(refused: Refused, tries: int) -> bool:
    """Whether a refused text is tried once more after so many tries; a window's end comes on top."""
    if refused.then == "stop_sender":
        return True
    return refused.then == "later" and (refused.code not in FOR_A_WHILE or tries < MOST_TRIES)


def speaks_of_the_carrier(outcome: Outcome) -> bool:
    """Whether the next text would most likely get the same reply, so that there is no sense in trying it now."""
    match outcome:
        case Unknown() | Refused(then="stop_sender"):
            return True
        case Refused(then="later", code=code):
            return code not in FOR_A_WHILE
    return False


def wait_before(tries: int, key: str, refused: Refused | None = None) -> timedelta:
    """How long to wait after so many tries: doubling from a minute to an hour, never less than the carrier asks.

    The message's key spreads the tries of many texts, so that they do not come back at once.
    """
    backoff: timedelta = min(FIRST_BACKOFF * 2 ** min(tries - 1, 10), LONGEST_BACKOFF)
    asked = refused.wait if refused and refused.wait else timedelta(0)
    share = crc32(f"{key}/{tries}".encode()) / 0xFFFFFFFF
    return max(backoff, asked) + backoff * JITTER * share
