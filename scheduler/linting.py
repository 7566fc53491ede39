"""May a text be read by whoever picks up the phone, and what does it cost?

A text lies open on a locked screen: it names no illness, no trial, no clinic. What it costs is counted in segments.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scheduler.texts import LONGEST_CODE, SUBJECT, segments

AS_LONG_AS_CAN_BE = {"phone": "070-174 06 95", "code": "a" * LONGEST_CODE}
PATH_OF_A_LINK = "/p/" + "a" * 26
HEALTH_STEMS = (
    *("cancer", "tumör", "tumor", "bröst", "breast", "metasta", "onkolog", "oncolog", "cellgift", "chemo", "strål"),
    *("radiotherapy", "behandling", "treatment", "operation", "kirurg", "surg", "sjuk", "ill", "klinik", "clinic"),
    *("hospital", "vård", "läkare", "doctor", "patient", "diagnos", "symptom", "biverk", "prövning", "studie", "study"),
    *("trial", "hälsa", "health", "livskvalitet", "quality of life"),
)
SHORTEST_IN_A_NAME = 4  # letters of a stem; shorter ones stand inside too many others
ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")  # a sender's name: what it sends cannot be replied to


@dataclass(frozen=True, slots=True)
class Finding:
    """What a text, or what stands around it, gives away or costs, and the cure. `where`: ("texts", language, code)."""

    where: tuple[str, ...]
    what: str
    cure: str


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around every text. mails: whether any text goes as a mail, from the address `mail_sender`.

    address: the public one, which stands before each link. sender: a number, or a name of at most eleven characters.
    """

    address: str
    sender: str = ""
    mails: bool = False
    mail_sender: str = ""


def lint(texts: Mapping[str, Mapping[str, str]], around: Around, *, own_words: Iterable[str] = ()) -> list[Finding]:
    """Everything to be said of these templates: language → code → words with {link}, {phone} and {code}.

    own_words: what names this trial, its arms or its sites.
    """
    stems = [*HEALTH_STEMS, *own_words]
    give_away = _pattern(stems)
    found = [
        finding
        for language, by_code in texts.items()
        for code, template in by_code.items()
        for finding in _of_text(("texts", language, code), template, around, give_away)
    ]
    named = {"sender": around.sender, "sender of mails": around.mail_sender, "address": around.address}
    for name, what in named.items():
        cure = "It stands in every text: choose one that names no illness, no trial and no clinic."
        found += [Finding((name,), f"the {name} says “{word}”", cure) for word in _names(stems, what)]
    return found


def at_its_longest(template: str, address: str) -> str:
    """A text as long as it can be for anybody, below this address."""
    return template.format_map({"link": address + PATH_OF_A_LINK, **AS_LONG_AS_CAN_BE})


def _of_text(where: tuple[str, ...], template: str, around: Around, give_away: re.Pattern[str]) -> Iterator[Finding]:
    for word in _words(give_away, template):
        yield Finding(where, f"it says “{word}”, for whoever sees the phone", "Say only that a form is waiting.")
    if where[-1] == SUBJECT:
        return
    size = segments(at_its_longest(template, around.address))
    if size.forced_by:
        characters = " ".join(f"{character!r}" for character in size.forced_by)
        yield Finding(where, f"{characters} makes the whole text UCS-2: 70 characters a segment", "Write it otherwise.")
    if size.count > 1:
        yield Finding(where, f"it takes {size.count} segments, each at the price of a text", "Shorten it.")
    if "{link}" not in template:
        yield Finding(where, "it has no link", "Put {link} where the link should stand.")
    if "{code}" not in template:
        what = "it lacks the patient's code word, by which she tells it from a fraud"
        yield Finding(where, what, "Put {code} in it.")
    if "{phone}" not in template:
        for deaf in _cannot_be_replied_to(around):
            what = f"nobody can reply STOP to {deaf}, and the text says no other way"
            yield Finding(where, what, "Put {phone} in it, so that she can call to end the texts.")


def _cannot_be_replied_to(around: Around) -> Iterator[str]:
    if ALPHANUMERIC.fullmatch(around.sender):
        yield f"the sender {around.sender!r}"
    if around.mails:
        yield "a mail"


def _pattern(stems: Iterable[str]) -> re.Pattern[str]:
    """Words that begin with any of these; "ill" only as a whole word, for it begins too much else."""
    whole = {"ill"}
    parts = [re.escape(stem) + (r"\b" if stem.lower() in whole else r"\w*") for stem in stems if stem]
    return re.compile(rf"\b(?:{'|'.join(parts)})", re.IGNORECASE)


def _names(stems: Iterable[str], name: str) -> list[str]:
    """The stems that a name holds, wherever in it and however it writes å, ä and ö: names are put together of words."""
    plain = _plain(name)
    long_enough = (stem for stem in stems if len(stem) >= SHORTEST_IN_A_NAME)
    return list(dict.fromkeys(stem for stem in long_enough if _plain(stem) in plain))


def _plain(text: str) -> str:
    """Its letters and digits alone, small and without marks."""
    parted = unicodedata.normalize("NFKD", text).lower()
    return re.sub(r"[^a-z0-9]", "", parted)


def _words(pattern: re.Pattern[str], text: str) -> list[str]:
    return list(dict.fromkeys(pattern.findall(text)))
