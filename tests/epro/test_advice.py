"""What a rehearsal says that the protocol should change, each from what was seen."""

from datetime import date

import pytest

from epro.protocol import read_protocol
from epro.rehearsal.advice import advice_of
from epro.rehearsal.cast import Person
from epro.rehearsal.reckoning import Completion, PatientPage, Text
from tests.epro.rehearsed import write_small_trial


def person(**happens):
    return Person(
        subject="UME-001",
        source="UME-001",
        site="UME",
        language="sv",
        strata={},
        arm="surgery",
        consented_on=date(2027, 3, 1),
        randomised_on=date(2027, 3, 1),
        happens=happens,
        phone="",
        typed="",
        email=None,
        second_step=None,
        first_randomised_on=None,
        stops_at=None,
        starts_again=False,
        is_strangers_phone=False,
        through_http=False,
    )


def page(*left, segments=1):
    texts = tuple(Text(f"{n}", "M3", "invite", "sms", on, on, "delivered", segments) for n, on in enumerate(left))
    return PatientPage("UME-001", "UME", (), (), texts)


@pytest.fixture
def said(tmp_path):
    """What is said of a small trial, changed as a test wants it, and of what was seen in it."""

    def said(changes=(), patients=(), completion=()):
        protocol = read_protocol(write_small_trial(tmp_path / "small.toml", dict(changes)))
        found = advice_of(protocol, [person()], list(patients), list(completion))
        return [(one.where, one.seen) for one in found]

    return said


def test_a_trial_in_which_nothing_is_odd_is_left_alone(said):
    assert said(patients=[page("2027-06-01 10:00")], completion=[Completion("M3", 10, 9, 90)]) == []


def test_a_text_on_christmas_eve(said):
    assert said(patients=[page("2027-12-24 10:00")]) == [("[ladder] invite", "1 texts left on Christmas Eve")]


def test_windows_of_two_anchors_that_overlap(said):
    """Of one anchor they are refused when the file is read."""
    changes = {"closes_after = 28": "closes_after = 60"}

    assert said(changes) == [
        ("[visit.BL] and [visit.M1.5]", "both would be open at once, and ask the same, for 1 of 1 patients")
    ]


def test_a_visit_that_hangs_on_what_no_patient_has(said):
    m3 = 'month = 3\nanchor = "randomisation"'
    changes = {m3: m3.replace("randomisation", "surgery"), 'consent = "the day': 'surgery = "x"\nconsent = "the day'}

    assert said(changes) == [("[visit.M3]", "no patient ever has it: it hangs on surgery")]


def test_a_step_that_the_rules_leave_no_moment_for(said):
    changes = {"day = 7\n": "day = 14\n", 'time = "16:00"': 'time = "21:00"'}

    assert ("[visit.M3] and [ladder] reminder-2",) in [one[:1] for one in said(changes)]


def test_a_visit_to_which_few_come_and_a_text_of_two_segments(said):
    assert said(patients=[page("2027-06-01 10:00", segments=2)], completion=[Completion("M3", 10, 4, 40)]) == [
        ("[visit.M3]", "40 % of the expected forms come"),
        ("[texts] of invite", "1 texts took more than one segment, each at the price of a text"),
    ]


def test_six_texts_in_one_month(said):
    days = [f"2027-06-{day:02d} 10:00" for day in range(1, 7)]

    assert said(patients=[page(*days)])[0][0] == "[ladder]"
