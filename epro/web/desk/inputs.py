"""How is what was typed read, and how is a refusal shown beside the field it speaks of?"""

from __future__ import annotations

import re
from datetime import date

from flask import request

from epro.personal import PERSONAL, holds_personal_number
from epro.refusals import N_, Refusal, Wrong
from epro.web.refusing import by_field as by_field
from epro.web.refusing import in_words as in_words

NUMBERS = ("phone", "phone_again")
NOT_A_DATE = N_("Write the date as 2027-03-01.")


def typed(name: str) -> str:
    """Raises Refusal for a personal identity number; where a phone number is asked for, the number itself is judged."""
    text = request.form.get(name, "").strip()
    if name not in NUMBERS and holds_personal_number(text):
        raise Refusal([Wrong(name, PERSONAL)])
    return text


def day(name: str, wrongs: list[Wrong], *, missing: str | None = None) -> date | None:
    """The date that was typed. One that cannot be read, or that is missing and must not be, is added to `wrongs`."""
    text = typed(name)
    if not text:
        if missing:
            wrongs.append(Wrong(name, missing))
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        wrongs.append(Wrong(name, NOT_A_DATE))
        return None


def needed_day(name: str) -> date:
    """The same for a form of one date. Raises Refusal."""
    wrongs: list[Wrong] = []
    on = day(name, wrongs, missing=N_("Give the day, as 2027-03-01."))
    if on is None:
        raise Refusal(wrongs)
    return on


def phone_twice(wrongs: list[Wrong]) -> str:
    """The number that was typed, the same both times."""
    once, again = typed("phone"), typed("phone_again")
    if once and not again:
        wrongs.append(Wrong("phone_again", N_("Type the number once more, to be sure.")))
    elif re.sub(r"\D", "", again) != re.sub(r"\D", "", once):
        wrongs.append(Wrong("phone_again", N_("The two numbers differ.")))
    return once


def needed_phone() -> str:
    """The same for a form of one number. Raises Refusal."""
    wrongs: list[Wrong] = []
    number = phone_twice(wrongs)
    if wrongs:
        raise Refusal(wrongs)
    return number
