"""May a text be read by whoever picks up the phone, and what does it cost?

A text lies open on a locked screen: it names no illness, no trial, no clinic. What it costs is counted in segments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scheduler.texts import segments

LINK = "/p/" + "a" * 26  # as long as a real one
PHONE = "070-174 06 95"
HEALTH_STEMS = (
    *("cancer", "tumör", "tumor", "bröst", "breast", "metasta", "onkolog", "oncolog", "cellgift", "chemo", "strål"),
    *("radiotherapy", "behandling", "treatment", "operation", "kirurg", "surg", "sjuk", "ill", "klinik", "clinic"),
    *("hospital", "vård", "läkare", "doctor", "patient", "diagnos", "symptom", "biverk", "prövning", "studie", "study"),
    *("trial", "hälsa", "health", "livskvalitet", "quality of life"),
)
ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")  # a sender's name: what it sends cannot be replied to


@dataclass(frozen=True, slots=True)
class Finding:
    """What a text, or what stands around it, gives away or costs, and the cure. `where`: ("texts", language, code)."""

    where: tuple[str, ...]
    what: str
    cure: str


def lint(
    texts: Mapping[str, Mapping[str, str]], *, address: str, sender: str = "", own_words: Iterable[str] = ()
) -> list[Finding]:
    """Everything to be said of these templates: language → code → words with {link} and {phone}.

    address: the public one, which stands before each link. sender: a number, or a name of at most eleven characters.
    own_words: what names this trial, its arms or its sites.
    """
    give_away = _pattern([*HEALTH_STEMS, *own_words])
    found = [
        finding
        for language, by_code in texts.items()
        for code, template in by_code.items()
        for finding in _of_text(("texts", language, code), template, address, sender, give_away)
    ]
    for name, what in (("sender", sender), ("address", address)):
        found += [
            Finding((name,), f"the {name} says “{word}”", "It stands in every text: choose one that names no illness.")
            for word in _words(give_away, re.sub(r"[^\w]+", " ", what))
        ]
    return found


def _of_text(
    where: tuple[str, ...], template: str, address: str, sender: str, give_away: re.Pattern[str]
) -> Iterator[Finding]:
    size = segments(template.format_map({"link": address + LINK, "phone": PHONE}))
    if size.forced_by:
        characters = " ".join(f"{character!r}" for character in size.forced_by)
        yield Finding(where, f"{characters} makes the whole text UCS-2: 70 characters a segment", "Write it otherwise.")
    if size.count > 1:
        yield Finding(where, f"it takes {size.count} segments, each at the price of a text", "Shorten it.")
    for word in _words(give_away, template):
        yield Finding(where, f"it says “{word}”, for whoever sees the phone", "Say only that a form is waiting.")
    if "{link}" not in template:
        yield Finding(where, "it has no link", "Put {link} where the link should stand.")
    if ALPHANUMERIC.fullmatch(sender) and "{phone}" not in template:
        what = f"nobody can reply STOP to the sender {sender!r}, and the text says no other way"
        yield Finding(where, what, "Put {phone} in it, so that she can call to end the texts.")


def _pattern(stems: Iterable[str]) -> re.Pattern[str]:
    """Words that begin with any of these; "ill" only as a whole word, for it begins too much else."""
    whole = {"ill"}
    parts = [re.escape(stem) + (r"\b" if stem.lower() in whole else r"\w*") for stem in stems if stem]
    return re.compile(rf"\b(?:{'|'.join(parts)})", re.IGNORECASE)


def _words(pattern: re.Pattern[str], text: str) -> list[str]:
    return list(dict.fromkeys(pattern.findall(text)))
