"""A personal identity number is known as one, however it is written."""

import pytest

from epro.acts import patients
from epro.personal import holds_personal_number
from epro.refusals import Refusal
from tests.epro.conftest import NURSE


@pytest.mark.parametrize(
    "text",
    [
        "19121212-1212",  # the Tax Agency's own example of a person
        "121212-1212",
        "191212121212",
        "1212121212",
        "121212+1212",
        "born 121212-1212, called twice",
        "701063-2391",  # a coordination number: day 63 is the third
        "7010632391",
        "19701063-2391",
        "121212–1212",  # with the dash that a word processor makes
        "121212 1212",
        "121212-1213",  # with a sign it is meant as one, mistyped or not
    ],
)
def test_ten_or_twelve_digits_with_or_without_a_sign_are_seen(text):
    assert holds_personal_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "UME-001",
        "070-174 06 05",
        "2027-03-01",
        "1212121213",
        "123456-7890",
        "129912-1212",
        "121299-1212",
        "A1212121212",
    ],
)
def test_what_is_no_such_number_is_let_through(text):
    assert not holds_personal_number(text)


def test_staff_cannot_write_one_into_a_reason_by_whichever_way(desk):
    desk.enrol(randomised_on=None)

    with pytest.raises(Refusal, match="personal identity number") as refusal:
        desk.act(patients.withdraw, "UME-001", on=desk.now.date(), reason="she is 19121212-1212")

    assert "1212-1212" not in str(refusal.value)
    assert NURSE.channel == "desk"
