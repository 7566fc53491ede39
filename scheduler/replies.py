"""What does a patient's reply to a text ask for?"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum

STOP_IN_SWEDISH = frozenset({"STOPP", "STOPPA", "AVSLUTA", "SLUTA", "AVREGISTRERA"})
STOP_IN_ENGLISH = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"})
STOP_WORDS = STOP_IN_SWEDISH | STOP_IN_ENGLISH
START_WORDS = frozenset({"START", "STARTA", "UNSTOP"})
HELP_WORDS = frozenset({"HELP", "INFO", "HJÄLP", "HJALP"})
LATER_WORDS = frozenset({"LATER", "SENARE"})
CALL_WORDS = frozenset({"CALL", "CALLME", "RING", "RINGMIG", "RINGUPP"})


class Understood(Enum):
    """What a reply was taken for. `OTHER` is for a person to read, and never an answer to a questionnaire."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    LATER = "later"
    CALL = "call"
    OTHER = "other"


MEANINGS = {
    **dict.fromkeys(STOP_WORDS, Understood.STOP),
    **dict.fromkeys(START_WORDS, Understood.START),
    **dict.fromkeys(HELP_WORDS, Understood.HELP),
    **dict.fromkeys(LATER_WORDS, Understood.LATER),
    **dict.fromkeys(CALL_WORDS, Understood.CALL),
}


def understand(body: str) -> Understood:
    """One word decides, whatever its case, punctuation and spaces; more words than that are for a person."""
    letters = unicodedata.normalize("NFKC", body).upper()
    return MEANINGS.get(re.sub(r"[\W_]+", "", letters), Understood.OTHER)
