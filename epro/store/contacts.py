"""How is a phone number or an e-mail address read, kept out of sight, and found again?

An address is stored encrypted (Fernet, keys from the environment, several at a time so that they can rotate: the first
writes, all of them read) beside a keyed hash by which an incoming text finds its patient.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import phonenumbers
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from phonenumbers import PhoneNumberType

from epro.refusals import N_

MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
SET_ASIDE_FOR_FICTION = {"SE": "070-174 06 05"}  # 070-174 06 05 to 99, Swedish Post and Telecom Authority
NOT_A_NUMBER = N_("This is not a phone number. Type it like %(example)s, or with + and country code.")
NO_SUCH_NUMBER = N_("No such phone number exists: too short, too long or mistyped. A mobile is like %(example)s.")
NO_TEXTS = N_("This number is not a mobile and cannot receive texts. A mobile is like %(example)s.")


NOT_AN_EMAIL = N_("This is not an e-mail address. Type it like name@example.org, without å, ä, ö.")
EMAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
LONGEST_EMAIL = 254  # RFC 5321, section 4.5.3.1.3


class NotAnEmail(ValueError):
    """The text cannot be an e-mail address. `message` is a sentence to translate; it does not repeat it."""

    message = NOT_AN_EMAIL

    def __init__(self) -> None:
        super().__init__(self.message)


class NotAMobile(ValueError):
    """The text cannot be a mobile number. `message` with `values` is a sentence to translate; neither repeats it."""

    def __init__(self, message: str, example: str) -> None:
        self.message, self.values = message, {"example": example}
        super().__init__(message % self.values)


def parse_mobile(typed: str, country: str) -> str:
    """The E.164 form of a mobile number typed as people type it in `country` ("070-174 06 05", "0046 70…", "+46…").

    Raises NotAMobile, which says what is wrong and never holds the number.
    """
    example = _example(country)
    try:
        number = phonenumbers.parse(typed, country)
    except phonenumbers.NumberParseException:
        raise NotAMobile(NOT_A_NUMBER, example) from None
    if not phonenumbers.is_valid_number(number):
        raise NotAMobile(NO_SUCH_NUMBER, example)
    if phonenumbers.number_type(number) not in MOBILE:
        raise NotAMobile(NO_TEXTS, example)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def parse_email(typed: str) -> str:
    """The address, its domain in small letters. Raises NotAnEmail, which never holds it."""
    typed = typed.strip()
    if not EMAIL.fullmatch(typed) or len(typed) > LONGEST_EMAIL or ".." in typed or typed[0] == "." or ".@" in typed:
        raise NotAnEmail
    local, _, domain = typed.rpartition("@")
    return f"{local}@{domain.lower()}"


def masked(address: str) -> str:
    """Enough of an address to know it again, and too little to use it."""
    local, at, domain = address.rpartition("@")
    return f"{local[0]}•••@{domain}" if at else f"••• {address[-2:]}"


def spoken(number: str) -> str:
    """A number as a person reads it from a page and types it."""
    return phonenumbers.format_number(phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _example(country: str) -> str:
    if country in SET_ASIDE_FOR_FICTION:
        return SET_ASIDE_FOR_FICTION[country]
    number = phonenumbers.example_number_for_type(country, PhoneNumberType.MOBILE)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL) if number else "+…"


@dataclass(frozen=True)
class Cipher:
    """Encrypts contact data and replies. Its repr shows no key."""

    keys: Sequence[str] = field(repr=False)

    def encrypt(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, secret: str) -> str:
        """Raises cryptography's InvalidToken when none of the keys wrote it."""
        return self._fernet.decrypt(secret.encode()).decode()

    def reads(self, secret: str) -> bool:
        """Whether one of the keys wrote it."""
        try:
            self._fernet.decrypt(secret.encode())
        except InvalidToken:
            return False
        return True

    def rotate(self, secret: str) -> str:
        """The same text under the first key."""
        return self._fernet.rotate(secret.encode()).decode()

    def digest(self, text: str) -> str:
        """The keyed hash that is stored: HMAC-SHA256 under a key derived from the first key."""
        return _digest(self.keys[0], text)

    def digests(self, text: str) -> list[str]:
        """The keyed hash under every key: what a search looks for while keys rotate."""
        return [_digest(key, text) for key in self.keys]

    @property
    def _fernet(self) -> MultiFernet:
        return MultiFernet([Fernet(key) for key in self.keys])


def _digest(key: str, text: str) -> str:
    derived = hmac.digest(base64.urlsafe_b64decode(key), b"epro contact hash", hashlib.sha256)
    return hmac.new(derived, text.encode(), hashlib.sha256).hexdigest()
