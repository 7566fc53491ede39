"""Phone numbers: read as people type them, kept out of sight, found again while keys rotate."""

import pytest
from cryptography.fernet import Fernet, InvalidToken

from epro.store.contacts import Cipher, NotAMobile, parse_mobile


@pytest.mark.parametrize(
    "typed", ["070-174 06 05", "0701740605", "+46 70 174 06 05", "0046701740605", "(070) 174 06 05", " 070-1740605 "]
)
def test_a_number_is_read_however_swedes_type_it(typed):
    assert parse_mobile(typed, "SE") == "+46701740605"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("070-174 06", "too short"),
        ("08-123 456 78", "not a mobile"),
        ("", "not a phone number"),
        ("mormor", "not a phone number"),
    ],
)
def test_what_cannot_be_a_mobile_is_refused_with_the_reason_and_an_example(typed, why):
    with pytest.raises(NotAMobile, match=why) as refused:
        parse_mobile(typed, "SE")

    assert "070-174 06 05" in str(refused.value)


def test_a_foreign_mobile_is_read_by_its_country_code():
    assert parse_mobile("+358 40 123 4567", "SE") == "+358401234567"


def test_what_the_old_key_wrote_is_still_read_and_found_after_a_new_key_comes_first():
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    before, after = Cipher([old]), Cipher([new, old])

    secret, digest = before.encrypt("+46701740605"), before.digest("+46701740605")

    assert after.decrypt(secret) == "+46701740605"
    assert digest in after.digests("+46701740605")
    assert Cipher([new]).decrypt(after.rotate(secret)) == "+46701740605"


def test_without_its_key_a_number_stays_hidden():
    secret = Cipher([Fernet.generate_key().decode()]).encrypt("+46701740605")

    with pytest.raises(InvalidToken):
        Cipher([Fernet.generate_key().decode()]).decrypt(secret)


def test_a_cipher_shows_no_key():
    key = Fernet.generate_key().decode()

    assert key not in repr(Cipher([key]))
