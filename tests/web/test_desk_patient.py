"""One patient's page, and what staff record there. On both databases."""

from datetime import date

import pytest
from sqlalchemy import func, select

from epro.acts import reaching
from epro.store.codewords import code_word_of
from epro.store.database import reading
from epro.store.models import Answer, Audit, Link
from tests.epro.conftest import NOW
from tests.queries.conftest import RANDOMISED, Course, statements
from tests.web.staffing import Staff

PAGE = "/desk/patients/UME-001"


@pytest.fixture
def nurse(app, house):
    return Staff(app, house)


@pytest.fixture
def course(house):
    return Course(house)


def trail(house):
    with reading(house.engine) as connection:
        return connection.execute(select(Audit).order_by(Audit.at, Audit.chain, Audit.seq)).all()


RECORDS = [
    ("randomisation", {"randomised_on": "2027-03-01", "arm": "surgery"}, "patient randomised"),
    ("seen", {"happened_on": "2027-03-01"}, "seen_alive recorded"),
    ("surgery", {"happened_on": "2027-03-01"}, "surgery recorded"),
    ("progression", {"happened_on": "2027-03-01"}, "progression recorded"),
    ("number", {"phone": "070-174 06 07", "phone_again": "070-174 06 07"}, "number changed"),
    ("email", {"email": "hers@example.org"}, "e-mail address changed"),
    ("permission", {"texts_allowed": "no"}, "texts refused"),
    ("withdrawal", {"happened_on": "2027-03-01", "reason": "own wish"}, "withdrawal recorded"),
    ("death", {"happened_on": "2027-03-01"}, "death recorded"),
    ("tablet/BL", {}, "tablet handed over"),
]


@pytest.mark.parametrize(("what", "fields", "action"), RECORDS)
def test_each_record_is_one_entry_of_the_trail_and_leads_on_by_a_redirect(nurse, house, desk, what, fields, action):
    desk.enrol()
    before = {entry.id for entry in trail(house)}

    response = nurse.record(what, **fields)

    made = [entry for entry in trail(house) if entry.id not in before and entry.chain != "accounts"]
    assert response.status_code == 303
    assert [(entry.action, entry.actor, entry.chain) for entry in made] == [(action, nurse.email, "UME")]


@pytest.mark.parametrize(
    ("what", "fields", "words"),
    [
        ("randomisation", {"randomised_on": "2027-03-02", "arm": "surgery"}, "lies in the future"),
        ("randomisation", {"randomised_on": "2027-03-01", "arm": "both"}, "is not one of surgery, control."),
        ("seen", {"happened_on": ""}, "Give the day, as 2027-03-01."),
        ("surgery", {"happened_on": "yesterday"}, "Write the date as 2027-03-01."),
        ("number", {"phone": "12", "phone_again": "12"}, "A mobile is like 070-174 06 05."),
        ("number", {"phone": "070-174 06 07", "phone_again": "070-174 06 08"}, "The two numbers differ."),
        ("withdrawal", {"happened_on": "2027-03-01", "reason": " "}, "Say why, in a few words without names."),
        ("death", {"happened_on": "2031-01-01"}, "lies in the future"),
        ("death", {"happened_on": "2027-02-01"}, "is too early"),
    ],
)
def test_a_fault_is_said_beside_the_form_it_came_from_and_nothing_is_recorded(nurse, house, desk, what, fields, words):
    desk.enrol()
    before = trail(house)

    response = nurse.record(what, **fields)

    assert response.status_code == 422
    opened = response.text.split(" open>")[1].split("</details>")[0]
    assert words in opened
    assert trail(house) == before


def test_a_randomisation_brings_the_plan(nurse, desk):
    desk.enrol()
    assert "M36" not in nurse.open(PAGE).words

    nurse.record("randomisation", randomised_on="2027-03-01", arm="control")

    assert "M36" in nurse.open(PAGE).words


def test_a_corrected_date_moves_the_plan_and_stays_beside_the_first(nurse, desk):
    desk.enrol(consented_on=RANDOMISED["randomised_on"], **RANDOMISED)

    asked = {"randomised_on": "2027-03-01", "reason": "typing error"}
    response = nurse.record("randomisation/correction", confirmed="yes", **asked)

    assert response.status_code == 303
    page = nurse.open(PAGE)
    assert "typing error" in page.words
    assert "replaced" in page.words


def test_a_correction_shows_what_would_change_before_anything_is_saved(nurse, house, desk, course):
    """A date wrong by 14 days, found after the first text has left."""
    first_on = date(2027, 2, 15)
    desk.enrol(consented_on=first_on, arm=RANDOMISED["arm"], randomised_on=first_on)
    course.tick(NOW)
    before = trail(house)

    response = nurse.record("randomisation/correction", randomised_on="2027-03-01", reason="typing error")

    assert response.status_code == 200
    shown = response.text.split('class="preview"')[1].split("</form>")[0]
    assert "With 2027-03-01 this would change" in shown
    assert "Texts that would move" in shown
    assert "2030-02-15" in shown  # three years later, as it stands
    assert "2030-03-01" in shown  # and as it would
    assert 'name="confirmed" value="yes"' in shown
    assert trail(house) == before


def test_a_correction_without_a_reason_is_refused_before_the_preview(nurse, desk):
    desk.enrol(consented_on=RANDOMISED["randomised_on"], **RANDOMISED)

    response = nurse.record("randomisation/correction", randomised_on="2027-03-01")

    assert response.status_code == 422
    assert "Say why the date is corrected." in response.text


@pytest.mark.parametrize(("what", "fields"), [("death", {}), ("withdrawal", {"reason": "own wish"})])
def test_after_death_or_withdrawal_nothing_is_pending_no_link_opens_and_the_page_says_so(
    nurse, house, desk, course, what, fields
):
    desk.enrol(**RANDOMISED)
    course.tick(NOW)

    nurse.record(what, happened_on="2027-03-01", **fields)

    page = nurse.open(PAGE)
    assert "0 texts are pending." in page.words
    assert "Stopped." in page.words
    assert "Fill in on this tablet" not in page.words
    with reading(house.engine) as connection:
        alive = select(func.count()).select_from(Link).where(Link.revoked_at.is_(None))
        assert connection.execute(alive).scalar_one() == 0


def test_a_death_is_recorded_once(nurse, desk):
    desk.enrol()
    nurse.record("death", happened_on="2027-03-01")

    response = nurse.record("death", happened_on="2027-03-01")

    assert response.status_code == 422


def test_permission_is_given_and_taken_back_by_one_button(nurse, desk):
    desk.enrol(texts_allowed=False)
    assert "Permission is given: send texts" in nurse.open(PAGE).words

    nurse.record("permission", texts_allowed="yes")

    assert "Texts are allowed" in nurse.open(PAGE).words
    assert "Permission is taken back: stop texts" in nurse.open(PAGE).words


def test_the_tablet_opens_the_form_and_holds_nothing_of_the_desk(nurse, house, desk):
    desk.enrol()

    response = nurse.record("tablet/BL")

    assert response.location.startswith("/p/")
    assert nurse.open(response.location).status == 200
    assert nurse.open("/desk").path == "/desk/login"
    assert nurse.open(PAGE).path == "/desk/login"


def test_a_form_that_is_not_open_is_not_handed_over_and_the_nurse_stays_signed_in(nurse, desk):
    desk.enrol(**RANDOMISED)

    for visit in ("M36", "nonsense"):
        response = nurse.record(f"tablet/{visit}")
        assert response.status_code == 409
        assert "This form is not open now." in response.text
    assert nurse.open(PAGE).status == 200


def test_the_page_counts_answers_and_never_shows_one(nurse, house, desk, course):
    desk.enrol()
    course.answer("UME-001", "BL", NOW, said=28, blank=2)

    page = nurse.open(PAGE)

    assert "28 of 30" in page.words
    assert "2 left blank" in page.words
    with reading(house.engine) as connection:
        keys = connection.execute(select(Answer.key)).scalars().all()
    assert not any(key in page.html for key in keys)
    assert "q17" not in page.html


@pytest.mark.parametrize(
    ("role", "sees"), [("nurse", True), ("investigator", True), ("monitor", False), ("trial_office", True)]
)
def test_the_arm_is_shown_to_those_who_may_see_it(app, house, desk, role, sees):
    desk.enrol(**RANDOMISED)

    page = Staff(app, house, role).open(PAGE)

    assert ("Surgical intervention" in page.html) == sees


def test_texts_stand_on_the_trials_clock_with_their_offset(nurse, desk, course):
    desk.enrol(**RANDOMISED)
    course.tick(NOW)
    course.receipt("delivered", NOW)

    page = nurse.open(PAGE)

    assert '<time datetime="2027-03-01T13:00:00+01:00">2027-03-01 13:00' in page.html
    assert "2027-06-01T10:00:00+02:00" in page.html
    assert "delivered" in page.words


def test_the_page_holds_no_number(nurse, desk):
    desk.enrol(phone="070-174 06 05")

    html = nurse.open(PAGE).html

    assert "1740605" not in html.replace(" ", "").replace("-", "")


def test_the_page_takes_a_constant_number_of_statements(nurse, house, desk, course):
    desk.enrol()
    with statements(house.engine) as few:
        nurse.open(PAGE)
    nurse.record("randomisation", randomised_on="2027-03-01", arm="control")
    course.tick(NOW)

    with statements(house.engine) as many:
        nurse.open(PAGE)

    assert len(many) == len(few)


def test_those_who_may_reach_her_see_her_code_word_and_enough_of_her_addresses(nurse, app, house, desk):
    desk.enrol(email="hers@example.org")
    with reading(house.engine) as connection:
        word = code_word_of(connection, house.cipher, "UME-001")

    shown = nurse.open(PAGE).words
    assert all(part in shown for part in (word, "••• 05", "h•••@example.org"))
    assert "hers@" not in shown
    seen_by_monitor = Staff(app, house, role="monitor").open(PAGE).words
    assert not any(part in seen_by_monitor for part in (word, "••• 05", "h•••"))


def test_a_phone_that_fails_is_told_beside_the_way_that_is_left(nurse, desk):
    desk.enrol(email="hers@example.org")
    desk.act(reaching.lose_reach, "UME-001", channel="sms")

    shown = nurse.open(PAGE).words

    assert "Reminders go by e-mail." in shown
    assert "Texts do not reach the phone: call and check the number." in shown
