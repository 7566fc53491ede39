"""Does a text hold what no log, page of error, text message or analyst's file may hold?"""

from __future__ import annotations

import re

PHONE = re.compile(r"(?:\+|00)46[\d\s()-]{7,13}|\b0\s?7\d(?:[\s-]?\d){7}\b")
TOKEN = re.compile(r"\b[a-z2-7]{26}\b")
PERSONNUMMER = re.compile(r"(?<![\d.])(?:19|20)?(\d{2}[01]\d[0-3]\d)[-+]?(\d{4})(?![\d.])")


def secrets_in(text: str) -> list[str]:
    """Phone numbers, tokens of links, and personal identity numbers with a right check digit."""
    found = [*PHONE.findall(text), *TOKEN.findall(text)]
    return found + [f"{day}-{rest}" for day, rest in PERSONNUMMER.findall(text) if is_luhn(day + rest)]


def is_luhn(digits: str) -> bool:
    doubled = [int(digit) * (2 - position % 2) for position, digit in enumerate(digits)]
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0
