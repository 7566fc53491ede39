"""What does a patient's reply to a text ask for?"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum

STOP_IN_SWEDISH = frozenset({"STOPP", "STOPPA", "AVSLUTA", "SLUTA", "AVREGISTRERA"})
STOP_IN_ENGLISH = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"})
STOP_WORDS = STOP_IN_SWEDISH | STOP_IN_ENGLISH
START_WORDS = frozenset({"START", "STARTA", "UNSTOP"})


class Understood(Enum):
    """What a reply was taken for. `OTHER` is for a person to read, and never an answer to a questionnaire."""

    STOP = "stop"
    START = "start"
    OTHER = "other"


def understand(body: str) -> Understood:
    """One word decides, whatever its case, punctuation and spaces; more words than that are for a person."""
    letters = unicodedata.normalize("NFKC", body).upper()
    word = re.sub(r"[\W_]+", " ", letters).strip()
    if word.replace(" ", "") in STOP_WORDS:
        return Understood.STOP
    if word.replace(" ", "") in START_WORDS:
        return Understood.START
    return Understood.OTHER
