"""Is a password good enough, and is it the right one?

NIST SP 800-63B and OWASP ASVS 5.0 (6.2): length counts, composition does not; what everybody uses is refused.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from threading import BoundedSemaphore

from passlib.context import CryptContext
from zxcvbn import zxcvbn

from epro.refusals import N_, Wrong

SHORTEST, LONGEST = 12, 128
WEAKEST_SCORE = 3  # zxcvbn's 0 to 4; 3 = more than 10^8 guesses
JUDGED_CHARACTERS = 72  # zxcvbn takes seconds for long texts, and a long text is not guessed
AT_ONCE = 2  # verifications in one process: each takes 46 MiB
ARGON2ID = {
    "argon2__type": "id",
    "argon2__rounds": 2,
    "argon2__memory_cost": 46 * 1024,  # KiB
    "argon2__parallelism": 1,
}  # above OWASP's floor; the library's own default takes half a second of a small server
NOBODYS = "$argon2id$v=19$m=47104,t=2,p=1$5/xfSynlvBeCkNJayzkHwA$6Ep9P8crc3nC5jPUBh8XOrzQ6v/qCbUnz5klEbeDEUg"

_context = CryptContext(schemes=["argon2"], **ARGON2ID)
_turns = BoundedSemaphore(AT_ONCE)


def hash_of(password: str) -> str:
    """The argon2id hash that is stored."""
    with _turns:
        return str(_context.hash(_normal(password)))


def is_right(password: str, stored: str | None) -> bool:
    """Whether it is the password of the stored hash. Without one it takes the same time and is never right."""
    too_long = len(password) > LONGEST
    with _turns:
        right = bool(_context.verify("" if too_long else _normal(password), stored or NOBODYS))
    return right and stored is not None and not too_long


def wrongs_of(password: str, *, about: tuple[str, ...] = ()) -> Iterator[Wrong]:
    """What is wrong with a new password. about: words that would be guessed of this person first."""
    if not SHORTEST <= len(password) <= LONGEST:
        lengths = {"shortest": SHORTEST, "longest": LONGEST}
        yield Wrong("password", N_("Choose a password of %(shortest)s to %(longest)s characters."), lengths)
    elif zxcvbn(password[:JUDGED_CHARACTERS], user_inputs=list(about))["score"] < WEAKEST_SCORE:
        yield Wrong("password", N_("This password is much used or easily guessed. Take some unrelated words."))


def _normal(password: str) -> str:
    """The same characters, however the keyboard composed them."""
    return unicodedata.normalize("NFKD", password)
