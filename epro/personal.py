"""Is there a Swedish personal identity number in what was typed?

Ten or twelve digits, with or without a sign before the last four; coordination numbers, whose day is 60 more, too
(Skatteverket, SKV 704 and SKV 707). Without a sign ten digits count only where their check digit is right: a phone
number or a reference may have as many.
"""

from __future__ import annotations

import re

from epro.refusals import N_

PERSONAL = N_("This looks like a personal identity number. Use the trial's subject id only.")
NUMBER = re.compile(
    r"(?<![0-9A-Za-z])(?P<century>18|19|20)?(?P<month>\d{2}(?P<m>\d{2})(?P<d>\d{2}))\s?(?P<sign>[-+–−])?\s?(?P<last>\d{4})"
    r"(?![0-9A-Za-z])"
)
COORDINATION = 60  # added to the day
LONGEST_MONTH = 31


def holds_personal_number(text: str) -> bool:
    return any(_is_one(found) for found in NUMBER.finditer(text))


def _is_one(found: re.Match[str]) -> bool:
    day = int(found["d"])
    day -= COORDINATION if day > COORDINATION else 0
    if not (1 <= int(found["m"]) <= 12 and 1 <= day <= LONGEST_MONTH):
        return False
    return found["sign"] is not None or _check_digit_is_right(found["month"] + found["last"])


def _check_digit_is_right(ten: str) -> bool:
    """Luhn's sum over the ten digits, the first doubled."""
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(ten))
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0
