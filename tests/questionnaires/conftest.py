"""Small questionnaires of one feature each, and a way to write a broken one."""

from pathlib import Path

import pytest

import questionnaires

INSTRUMENTS = Path(__file__).parent / "instruments"


@pytest.fixture(scope="session")
def c30():
    return questionnaires.load("qlq-c30")


@pytest.fixture(scope="session")
def half_rule():
    """Scales S1 to S7 of one to seven items, all of them 1 to 4."""
    return questionnaires.load(INSTRUMENTS / "half-rule.toml")


@pytest.fixture(scope="session")
def from_zero():
    """Scales BAD (symptom) and GOOD (functional) of the same two items, answered 0 to 4."""
    return questionnaires.load(INSTRUMENTS / "from-zero.toml")


@pytest.fixture(scope="session")
def composite():
    """Scales UP and DOWN of one item each, 1 to 5, and ALL, the mean of UP and DOWN turned round."""
    return questionnaires.load(INSTRUMENTS / "composite.toml")
