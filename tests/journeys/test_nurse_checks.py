"""A nurse's work in a real browser: filters, sorting, calls, print, no scripts, and how many clicks it takes."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from epro.store.database import reading
from epro.store.models import Audit
from tests.journeys.browsing import needs_chromium
from tests.journeys.effort import PEERS, measure
from tests.journeys.test_desk import browser, hold, nurse, signed_in
from tests.journeys.test_desk_standing import randomised

__all__ = ["browser", "nurse"]  # fixtures of the desk's own journey

pytestmark = [needs_chromium, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

LATE_FOR = 51  # days since randomisation: the form of 1.5 months is late, and no text went today


def rows(page, section="main"):
    return page.locator(section).get_by_role("row")


def test_each_task_takes_no_more_clicks_than_was_promised(nurse, service):
    late = [f"UME-71{n}" for n in range(5)]
    for subject in late:
        randomised(service, subject, LATE_FOR)

    counted = measure(nurse, service.address, late)

    assert {task: n for task, n in counted.items() if n > PEERS[task][2]} == {}
    assert counted.keys() == PEERS.keys()


def test_filters_and_sorted_columns_change_the_rows_in_place_and_their_address_opens_them_again(nurse, service):
    for subject in ("UME-721", "GBG-722"):
        randomised(service, subject, LATE_FOR)
    nurse.goto(f"{service.address}/desk/forms")
    nurse.evaluate("window.sameDocument = true")

    nurse.get_by_label("Klinik").select_option("GBG")
    expect(rows(nurse).filter(has_text="UME-721")).to_have_count(0)
    nurse.get_by_label("Besök", exact=True).select_option("M1.5")
    nurse.get_by_label("Läge").select_option("sent")
    expect(nurse).to_have_url(f"{service.address}/desk/forms?site=GBG&visit=M1.5&state=sent")
    expect(rows(nurse).filter(has_text="GBG-722")).to_have_count(1)
    nurse.get_by_role("link", name="Patient", exact=True).focus()
    nurse.keyboard.press("Enter")
    header = nurse.get_by_role("columnheader", name="Patient")
    expect(header).to_have_attribute("aria-sort", "ascending")
    header.get_by_role("link").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    assert nurse.evaluate("window.sameDocument")

    address, shown = nurse.url, nurse.locator("main table").inner_text()
    nurse.goto("about:blank")
    nurse.goto(address)
    assert nurse.locator("main table").inner_text() == shown
    hold(nurse)


def test_every_page_of_a_nurse_breaks_no_rule_of_accessibility_at_any_size(nurse, service):
    randomised(service, "UME-731", LATE_FOR)
    nurse.goto(f"{service.address}/desk")
    rows(nurse, "#overdue").filter(has_text="UME-731").get_by_role("button", name="Ring").click()
    hold(nurse)
    nurse.get_by_role("button", name="Inte nådd").click()
    expect(rows(nurse, "#overdue").filter(has_text="UME-731")).to_contain_text("Inte nådd")
    hold(nurse)
    paths = ("visits/M1.5/paper", "stopped", "trail", "trail/looks", "signatures", "")
    for path in paths:
        nurse.goto(f"{service.address}/desk/patients/UME-731/{path}".rstrip("/"))
        hold(nurse)


def test_a_text_sent_again_stands_in_the_trail_with_the_nurses_name_and_once(nurse, service):
    randomised(service, "UME-741", LATE_FOR)
    nurse.goto(f"{service.address}/desk")
    again = rows(nurse, "#overdue").filter(has_text="UME-741").get_by_role("button", name="Skicka igen")
    again.click()
    expect(nurse.get_by_role("status")).to_contain_text("går en gång till")
    again.click()
    expect(nurse.get_by_role("status")).to_contain_text("UME-741")

    with reading(service.house.engine) as connection:
        sent = (Audit.action == "sent again", Audit.subject == "UME-741")
        actors = connection.execute(select(Audit.actor).where(*sent)).scalars().all()
    assert actors == ["nurse@example.org"]
    nurse.goto(f"{service.address}/desk/patients/UME-741")
    expect(rows(nurse, "#timeline").filter(has_text="Sms skickat igen")).to_contain_text("nurse@example.org")


def test_everything_can_be_done_without_scripts(browser, service):
    for subject in ("UME-751", "UME-752", "UME-753"):
        randomised(service, subject, LATE_FOR)
    with signed_in(browser, service, java_script_enabled=False) as page:
        page.get_by_label("Klinik").select_option("UME")
        page.get_by_role("button", name="Visa", exact=True).click()
        assert page.url.endswith("/desk?site=UME&visit=")
        row = rows(page, "#overdue").filter(has_text="UME-751")
        row.get_by_role("combobox").select_option("refused")
        row.get_by_role("button", name="Notera").click()
        expect(rows(page, "#overdue").filter(has_text="UME-751")).to_have_count(0)
        expect(page.get_by_label("Klinik")).to_have_value("UME")
        rows(page, "#overdue").filter(has_text="UME-752").get_by_role("button", name="Skicka igen").click()
        expect(page.get_by_role("status")).to_contain_text("går en gång till")
        rows(page, "#overdue").filter(has_text="UME-753").get_by_role("button", name="Ring").click()
        page.get_by_role("button", name="Talade med henne: hon svarar själv").click()
        expect(rows(page, "#overdue").filter(has_text="UME-753")).to_contain_text("hon svarar själv")
        page.goto(f"{service.address}/desk/forms?visit=M1.5")
        page.get_by_role("link", name="Läge").click()
        expect(page.get_by_role("columnheader", name="Läge")).to_have_attribute("aria-sort", "ascending")


def test_on_paper_every_row_stands_with_its_heads_and_the_time_and_no_button(nurse, service):
    randomised(service, "UME-761", LATE_FOR)
    for path in ("/desk", "/desk/completion", "/desk/forms", "/desk/patients/UME-761"):
        nurse.goto(service.address + path)
        nurse.emulate_media(media="print")
        assert [button for button in nurse.get_by_role("button").all() if button.is_visible()] == []
        expect(nurse.locator("footer.printed")).to_be_visible()
        heads = nurse.evaluate("[...document.querySelectorAll('thead')].map(head => getComputedStyle(head).display)")
        assert set(heads) == {"table-header-group"}
        nurse.emulate_media(media="screen")


def test_every_state_is_told_by_a_word_of_its_own_and_by_a_shape(nurse, service):
    randomised(service, "UME-771", LATE_FOR)
    nurse.goto(f"{service.address}/desk/forms")

    states = nurse.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('.state')].map(
            each => [each.className, [each.textContent, getComputedStyle(each, '::before').content]]))"""
    )

    assert len({words for words, _ in states.values()}) == len(states) >= 2
    assert all(shape not in ("none", "normal", '""') for _, shape in states.values())
