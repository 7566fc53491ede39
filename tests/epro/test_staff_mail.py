"""Which mails go to staff, each once, and what do they hold? On both databases."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pytest

from epro import staff_mail
from epro.acts import alerts, patients, users
from epro.opening import chores_of
from epro.protocol import protocol_of
from epro.queries.alerts import open_alerts
from epro.refusals import Refusal
from epro.store.database import reading, writing
from questionnaires.located import Refused, parse
from scheduler.carriers.console import Console
from scheduler.ports import Accepted, Letter, Outcome
from scheduler.ports import Refused as NotTaken
from tests.epro.conftest import NURSE
from tests.queries.conftest import RANDOMISED, Course, on

MORNING = on(3, 9, 7)  # 08:00 in Stockholm, a Tuesday
MONDAY = on(3, 8, 7)
ALERTS = """
[alerts]
purpose = "to call patients with severe pain"
responsible = "the study nurse"
hours = "weekdays 8 to 16"
device_assessment = "assessed by the sponsor on 2027-01-10: no medical device"
escalate_after_hours = 24
escalate_to = ["head@example.org"]
[[alerts.rule]]
code = "pain"
title = { sv = "Svår smärta", en = "Severe pain" }
instrument = "qlq-c30"
scale = "PA"
at_least = 80
to = ["ward@example.org"]
[[alerts.rule]]
code = "breath"
title = { sv = "Andnöd", en = "Short of breath" }
instrument = "qlq-c30"
item = "q8"
at_least = 4
to = ["ward@example.org"]
"""


@dataclass
class Post:
    """A mail server that takes what it is told to take."""

    outcome: Outcome = field(default_factory=Accepted)
    letters: list[Letter] = field(default_factory=list)

    def send(self, letter: Letter, token: str) -> Outcome:
        self.letters.append(letter)
        return self.outcome

    def find(self, trace, token, since):  # type: ignore[no-untyped-def]
        raise NotImplementedError


@pytest.fixture
def post():
    return Post()


@pytest.fixture
def course(house):
    return Course(house)


@pytest.fixture
def staff(house):
    def add(email, role="nurse", sites=("UME",)):
        with writing(house.engine) as connection:
            asked = {"email": email, "name": "Some One", "role": role, "sites": list(sites), "password": None}
            users.add(connection, house.protocol, **asked, by=NURSE, now=house.clock())

    return add


@pytest.fixture
def watched(house):
    """The same house on a trial that watches answers."""
    document = house.protocol.document
    protocol = protocol_of(parse(document.text + ALERTS, document.path))
    return replace(house, protocol=replace(protocol, versions=house.protocol.versions))


def sent_to(post):
    return [letter.to for letter in post.letters]


def test_a_nurse_is_told_in_the_morning_whom_to_call_and_why_once(house, desk, course, post, staff):
    staff("ume@example.org")
    staff("gbg@example.org", sites=("GBG",))
    desk.enrol(phone=None)

    for minutes in range(3):
        staff_mail.in_the_morning(house, post, MORNING + timedelta(minutes=minutes))

    [letter] = post.letters
    assert (letter.to, letter.subject) == ("ume@example.org", "BRECLIM-2: 1 att ringa i dag")
    assert letter.body.splitlines()[0].startswith("UME-001 BL: försenat, 20 dagar kvar; Inget telefonnummer")
    assert letter.body.endswith("/desk")


def test_no_mail_means_that_nobody_must_be_called(house, desk, course, post, staff):
    staff("ume@example.org")
    desk.enrol()
    course.tick(house.clock())

    staff_mail.in_the_morning(house, post, on(3, 2, 7))  # late since today, and a reminder goes on 4 March

    assert post.letters == []


@pytest.mark.parametrize("at", [on(3, 9, 6), on(3, 9, 12)])  # 07:00 and 13:00 in Stockholm
def test_the_morning_is_from_half_past_seven_to_noon(house, desk, post, staff, at):
    staff("ume@example.org")
    desk.enrol(phone=None)

    staff_mail.in_the_morning(house, post, at)

    assert post.letters == []


def test_a_mail_that_the_server_did_not_take_is_tried_again_and_a_person_is_told(house, desk, post, staff):
    staff("ume@example.org")
    desk.enrol(phone=None)
    post.outcome = NotTaken(451, "later")
    assert staff_mail.in_the_morning(house, post, MORNING) == staff_mail.NOT_TAKEN

    post.outcome = Accepted()
    assert staff_mail.in_the_morning(house, post, MORNING + timedelta(minutes=1)) is None

    assert len(post.letters) == 2


def test_on_mondays_each_site_learns_what_came_in(house, desk, course, post, staff):
    staff("pi@example.org", "investigator")
    staff("gone@example.org", "monitor", sites=())
    desk.enrol(consented_on=date(2027, 2, 1), randomised_on=date(2027, 2, 1), arm="control")
    course.answer("UME-001", "BL", house.clock())

    staff_mail.in_the_morning(house, post, MONDAY)

    assert sent_to(post) == ["pi@example.org"]
    assert "  BL: 1/1 (100 %)" in post.letters[0].body.splitlines()


def test_an_alert_is_raised_once_told_to_whom_its_rule_names_and_says_no_answer(watched, desk, course, post):
    desk.enrol("UME-001", **RANDOMISED)
    desk.enrol("UME-002", phone="070-174 06 06")
    course.answer("UME-001", "BL", watched.clock())  # every answer is 2: pain 33
    assert staff_mail.look_for_alerts(watched, post, watched.clock()) is None
    assert post.letters == []

    course.answer("UME-002", "BL", watched.clock(), value=4)
    for minutes in range(2):
        staff_mail.look_for_alerts(watched, post, watched.clock() + timedelta(minutes=minutes))

    assert sent_to(post) == ["ward@example.org"] * 2
    assert {letter.body.splitlines()[0] for letter in post.letters} == {"UME-002 BL: Svår smärta", "UME-002 BL: Andnöd"}
    assert "100" not in "".join(letter.body for letter in post.letters)


def test_an_alert_that_nobody_acknowledges_is_passed_on_once_and_one_with_a_note_is_not(watched, desk, course, post):
    desk.enrol()
    course.answer("UME-001", "BL", watched.clock(), value=4)
    staff_mail.look_for_alerts(watched, post, watched.clock())
    with reading(watched.engine) as connection:
        pain, _ = open_alerts(connection)
    asked = {"alert": pain.id, "by": NURSE, "now": watched.clock()}
    with writing(watched.engine) as connection:
        with pytest.raises(Refusal):
            alerts.acknowledge(connection, watched.protocol, "UME-001", note=" ", **asked)
        alerts.acknowledge(connection, watched.protocol, "UME-001", note="called her", **asked)
    post.letters.clear()

    for hours in (23, 24, 25):
        staff_mail.look_for_alerts(watched, post, watched.clock() + timedelta(hours=hours))

    assert [(letter.to, letter.body.splitlines()[0]) for letter in post.letters] == [
        ("head@example.org", "UME-001 BL: Andnöd")
    ]
    with reading(watched.engine) as connection:
        assert [(one.rule, one.escalated) for one in open_alerts(connection)] == [("breath", True)]


def test_a_trial_without_the_section_watches_nothing(house, watched, desk, course, post):
    desk.enrol()
    course.answer("UME-001", "BL", house.clock(), value=4)

    staff_mail.look_for_alerts(house, post, house.clock())

    assert post.letters == []
    carrier = Console(house.settings.home, house.clock)
    assert "alerts" not in [chore.name for chore in chores_of(house, carrier)]
    assert "alerts" in [chore.name for chore in chores_of(watched, carrier)]


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ('purpose = "to call patients with severe pain"\n', ""),
        ('responsible = "the study nurse"\n', ""),
        ('hours = "weekdays 8 to 16"\n', ""),
        ('device_assessment = "assessed by the sponsor on 2027-01-10: no medical device"\n', ""),
        ('scale = "PA"', 'scale = "XX"'),
        ('item = "q8"', 'item = "q99"'),
        ("at_least = 80", ""),
        ("at_least = 80", "at_least = 80\nat_most = 20"),
        ('instrument = "qlq-c30"\nitem', 'instrument = "eq-5d-5l"\nitem'),
    ],
)
def test_a_section_that_does_not_say_everything_or_fits_nothing_is_refused(house, written, instead):
    document = house.protocol.document

    with pytest.raises(Refused):
        protocol_of(parse(document.text + ALERTS.replace(written, instead), document.path))


def test_death_takes_no_alert_away(watched, desk, course, post):
    desk.enrol()
    course.answer("UME-001", "BL", watched.clock(), value=4)
    desk.act(patients.record_death, "UME-001", on=date(2027, 3, 1))

    staff_mail.look_for_alerts(watched, post, watched.clock())

    assert len(post.letters) == 2
