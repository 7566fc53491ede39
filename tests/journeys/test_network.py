"""The form on a network that comes and goes, on shared phones: what was said arrives once, and stays nowhere."""

import pytest
from playwright.sync_api import Error, Page, expect
from sqlalchemy import select

from epro.store.database import reading
from epro.store.models import Answer
from tests.journeys.browsing import chromium, needs_chromium
from tests.journeys.patient import Patient, answer, begin, saved

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def context(browser):
    context = browser.new_context(viewport={"width": 360, "height": 740}, locale="sv-SE")
    yield context
    context.close()


@pytest.fixture
def patient(on_sqlite):
    return Patient(on_sqlite)


def lies_in(page: Page) -> str:
    """Everything that scripts keep in this browser, but for the document itself."""
    return page.evaluate(
        """async () => JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), document.cookie,
                                        indexedDB.databases ? await indexedDB.databases() : []])"""
    )


def has_copy(page: Page, *, answered: int | None = None) -> None:
    """The phone's copy is there, and knows that this question is answered."""
    page.evaluate(
        """async known => { for (;;) {
             const copy = navigator.serviceWorker.controller && await caches.match('/form')
             if (copy && (await copy.text()).includes(known)) return
             await new Promise(requestAnimationFrame) } }""",
        f'id="qlq-c30.q{answered}" data-state="answered"' if answered else "",
    )


def test_in_a_tunnel_a_form_is_answered_reloaded_closed_and_opened_and_arrives_once_when_the_network_is_back(
    context, patient
):
    page = patient.start(context)
    answer(page, 1, 4)
    saved(page)
    has_copy(page, answered=4)
    context.set_offline(True)
    answer(page, 5, 7, nth=2)
    expect(page.locator(".saved")).to_have_text("Väntar på nät (3)")
    assert len(patient.kept) == 4
    page.reload()
    expect(page).to_have_title("Fråga 8 av 30")
    page.get_by_role("link", name="Tillbaka").click()
    expect(page).to_have_title("Fråga 7 av 30")
    assert page.locator(".item:visible input:checked").get_attribute("value") == "3"
    page.close()

    page = context.new_page()
    page.goto(patient.link)
    expect(page).to_have_title("Fråga 8 av 30")
    assert page.url.endswith("/form")
    answer(page, 8, 30)
    expect(page.locator(".saved")).to_have_text("Väntar på nät (26)")
    page.get_by_role("button", name="Skicka formuläret").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ditt formulär är klart att skickas")
    assert patient.times_sent == 0
    context.set_offline(False)
    expect(page.get_by_role("heading", level=1)).to_have_text("Tack, ditt formulär är sparat")

    assert patient.times_sent == 1
    assert patient.kept == [(f"q{n}", 3 if n in (5, 6, 7) else 2) for n in range(1, 31)]
    assert lies_in(page) == '[[],[],"",[]]'
    assert page.evaluate("caches.keys()") == []


def test_the_copy_that_stays_on_the_phone_knows_which_questions_are_answered_and_never_what(context, patient):
    page = patient.start(context)
    has_copy(page)
    answer(page, 1, 3, nth=3)
    saved(page)

    copy = page.evaluate("caches.match('/form').then(kept => kept.text())")

    assert 'id="qlq-c30.q3" data-state="answered"' in copy
    assert 'id="qlq-c30.q4" data-state=""' in copy
    assert " checked" not in copy
    assert patient.link.rpartition("/")[2] not in copy


def test_the_copy_knows_of_what_was_received_while_it_was_under_way(context, patient):
    under_way = []
    context.route("**/form/copy", lambda route: under_way.append((route, route.fetch())))
    page = patient.start(context)
    while not under_way:
        page.evaluate("() => new Promise(requestAnimationFrame)")
    answer(page, 1, 2)
    saved(page)

    route, made_before = under_way[0]
    route.fulfill(response=made_before)

    assert 'id="qlq-c30.q2" data-state=""' in made_before.text()
    has_copy(page, answered=2)


def test_answers_that_wait_arrive_with_their_own_patient_though_another_has_sat_down_since(on_sqlite, context, patient):
    page = patient.start(context)
    answer(page, 1, 1)
    saved(page)
    context.set_offline(True)
    answer(page, 2, 3)
    page.close()
    context.set_offline(False)
    other = Patient(on_sqlite)
    page = other.start(context)
    expect(page).to_have_title("Fråga 1 av 30")
    answer(page, 1, 2, nth=3)
    saved(page)
    page.evaluate("async () => { while (localStorage.length) await new Promise(requestAnimationFrame) }")

    assert patient.kept == [("q1", 2), ("q2", 2), ("q3", 2)]
    assert other.kept == [("q1", 4), ("q2", 4)]


def test_a_start_by_another_patient_takes_the_first_ones_copy_away(on_sqlite, context, patient):
    page = patient.start(context)
    has_copy(page)
    other = Patient(on_sqlite)
    other.start(context)
    has_copy(page)
    context.set_offline(True)

    page.goto(other.link)
    expect(page).to_have_title("Fråga 1 av 30")
    with pytest.raises(Error, match=r"ERR_INTERNET_DISCONNECTED|ERR_FAILED"):
        page.goto(patient.link)


def test_a_reply_that_is_not_ours_is_no_receipt(context, patient):
    page = patient.start(context)
    context.route("**/form/answer", lambda route: route.fulfill(status=200, body="<h1>Welcome to our network</h1>"))
    answer(page, 1, 1)

    expect(page.locator(".saved")).to_have_text("Väntar på nät (1)")
    assert patient.kept == []
    context.unroute("**/form/answer")
    page.evaluate("dispatchEvent(new Event('online'))")
    saved(page)
    assert patient.kept == [("q1", 2)]


def test_a_receipt_that_is_lost_makes_no_second_answer(context, patient):
    page = patient.start(context)
    lost = []

    def lose_the_first(route):
        reply = route.fetch()
        if lost:
            route.fulfill(response=reply)
        else:
            lost.append(reply)
            route.abort()

    context.route("**/form/answer", lose_the_first)
    answer(page, 1, 1)
    expect(page.locator(".saved")).to_have_text("Väntar på nät (1)")
    page.evaluate("dispatchEvent(new Event('online'))")
    saved(page)

    assert patient.kept == [("q1", 2)]


def test_two_tabs_are_one_form(context, patient):
    one = patient.start(context)
    answer(one, 1, 2)
    saved(one)
    two = context.new_page()
    two.goto(patient.service.address + "/form")
    answer(two, 3, 3)
    saved(two)
    answer(one, 3, 4, nth=0)
    saved(one)
    two.goto(patient.service.address + "/form/review")
    two.get_by_role("button", name="Skicka formuläret").click()
    expect(two.get_by_role("heading", level=1)).to_have_text("Tack, ditt formulär är sparat")
    answer(one, 5, 5)
    expect(one.get_by_role("heading", level=1)).to_have_text("Tack, ditt formulär är sparat")

    assert patient.kept == [("q1", 2), ("q2", 2), ("q3", 2), ("q3", 1), ("q4", 1)]


def test_a_double_tap_goes_one_step_and_sends_one_form(context, patient):
    page = patient.start(context)
    page.locator(".option:visible").first.click()
    page.get_by_role("button", name="Fortsätt").dblclick()
    expect(page).to_have_title("Fråga 2 av 30")
    saved(page)
    assert patient.kept == [("q1", 1)]


def test_back_keeps_what_was_chosen_and_a_change_is_added(context, patient):
    page = patient.start(context)
    answer(page, 1, 2)
    page.get_by_role("link", name="Tillbaka").click()
    expect(page).to_have_title("Fråga 2 av 30")
    page.go_back()
    expect(page).to_have_title("Fråga 1 av 30")
    assert page.locator(".item:visible input:checked").get_attribute("value") == "2"
    answer(page, 1, 1, nth=3)
    expect(page).to_have_title("Fråga 2 av 30")
    saved(page)

    assert patient.kept == [("q1", 2), ("q2", 2), ("q1", 4)]


def test_another_phone_goes_on_where_the_first_stopped_and_is_shown_no_answer(browser, context, patient):
    page = patient.start(context)
    answer(page, 1, 12, nth=3)
    saved(page)
    page.close()
    other = browser.new_context(locale="sv-SE")
    page = patient.start(other)

    expect(page).to_have_title("Fråga 13 av 30")
    page.get_by_role("link", name="Tillbaka").click()
    expect(page.locator(".item:visible")).to_contain_text("Du har svarat på frågan tidigare")
    assert " checked" not in page.content()
    page.goto(f"{patient.service.address}/form/review")
    assert page.get_by_text("Besvarad tidigare").count() == 12
    assert " checked" not in page.content()
    other.close()


def test_the_phones_clock_is_kept_as_what_it_claims_and_ours_beside_it(on_sqlite, browser, patient):
    context = browser.new_context(locale="sv-SE")
    page = context.new_page()
    page.clock.set_fixed_time("2031-05-01T10:00:00Z")
    begin(page, patient.link)
    answer(page, 1, 1)
    saved(page)
    context.close()

    with reading(on_sqlite.house.engine) as connection:
        said_at, received_at = connection.execute(
            select(Answer.said_at, Answer.received_at).order_by(Answer.id.desc()).limit(1)
        ).one()
    assert said_at.isoformat() == "2031-05-01T10:00:00+00:00"
    assert abs((received_at - on_sqlite.house.clock()).total_seconds()) < 300
