"""What does a patient's reply to a text ask for?

The words stand in the trial file under [replies], by language and meaning; without that section the usual ones count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from enum import StrEnum

from scheduler.ports import CHANNELS, EMAIL, SMS


class Understood(StrEnum):
    """What a reply was taken for. `OTHER` is for a person to read, and never an answer to a questionnaire."""

    STOP = "stop"
    STOP_SMS = "stop_sms"
    STOP_EMAIL = "stop_email"
    START = "start"
    HELP = "help"
    LATER = "later"
    CALL = "call"
    OTHER = "other"


ENDS: Mapping[Understood, frozenset[str]] = {  # a STOP ends the channel it names, or else every one
    Understood.STOP: CHANNELS,
    Understood.STOP_SMS: frozenset({SMS}),
    Understood.STOP_EMAIL: frozenset({EMAIL}),
}
Words = Mapping[str, Mapping[Understood, tuple[str, ...]]]  # language → meaning → words
USUAL_WORDS: Words = {
    "sv": {
        Understood.STOP: ("STOPP", "STOPPA", "AVSLUTA", "SLUTA", "AVREGISTRERA"),
        Understood.STOP_SMS: ("STOPP SMS", "SLUTA SMSA"),
        Understood.STOP_EMAIL: ("STOPP MEJL", "STOPP E-POST"),
        Understood.START: ("START", "STARTA"),
        Understood.HELP: ("HJÄLP", "HJALP", "INFO"),
        Understood.LATER: ("SENARE",),
        Understood.CALL: ("RING", "RING MIG", "RING UPP"),
    },
    "en": {
        Understood.STOP: ("STOP",),
        Understood.STOP_SMS: ("STOP SMS", "STOP TEXTS"),
        Understood.STOP_EMAIL: ("STOP EMAIL", "STOP MAIL"),
        Understood.START: ("START", "UNSTOP"),
        Understood.HELP: ("HELP", "INFO"),
        Understood.LATER: ("LATER",),
        Understood.CALL: ("CALL", "CALL ME"),
    },
}
# Twilio ends a number's texts by itself at these, whatever a trial says, and refuses what follows with 21610.
CARRIER_STOPS = ("STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT")


def understand(body: str, words: Words = USUAL_WORDS) -> Understood:
    """What the whole text says, whatever its case, punctuation and spaces; more words than that are for a person."""
    said = bare(body)
    if said in CARRIER_STOPS:
        return Understood.STOP
    return next((meaning for word, meaning in _listed(words) if bare(word) == said), Understood.OTHER)


def bare(text: str) -> str:
    """The letters and digits alone, in capitals: what two ways to write one word have in common."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).upper())


def conflicts(words: Words) -> Iterator[tuple[str, Understood, str, Understood | None]]:
    """Each word that cannot be told: (language, meaning, word, the meaning that it has already; None = no letters)."""
    taken = dict.fromkeys(CARRIER_STOPS, Understood.STOP)
    for language, by_meaning in words.items():
        for meaning, listed in by_meaning.items():
            for word in listed:
                said = bare(word)
                already = taken.setdefault(said, meaning) if said else None
                if already is not meaning:
                    yield language, meaning, word, already


def _listed(words: Words) -> Iterator[tuple[str, Understood]]:
    for by_meaning in words.values():
        for meaning, listed in by_meaning.items():
            for word in listed:
                yield word, meaning
