"""A scanner that finds nothing must be one that could have found something."""

import pytest

from tests.scans import secrets_in


@pytest.mark.parametrize(
    "secret",
    [
        "+46701740605",
        "0046 70 174 06 05",
        "070-174 06 05",
        "19121212-1212",
        "121212-1212",
        "abcdefghijklmnopqrstuvwxyz",
    ],
)
def test_what_is_planted_is_found(secret):
    assert secrets_in(f'{{"event": "said {secret}"}}')


@pytest.mark.parametrize(
    "harmless", ['"at": "2027-03-01T12:00:00.000+00:00"', '"request": "0123456789abcdef"', "121212-1213"]
)
def test_what_is_harmless_is_not(harmless):
    assert secrets_in(harmless) == []
