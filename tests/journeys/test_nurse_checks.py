"""A nurse's work in a real browser: filters, sorting, calls, print, no scripts, and how many clicks it takes.

The twenty acceptance checks of the desk, and the browser test that holds each (in this file where none is named):

 1 counts on the first screen     test_nurse_lists: the_first_screen_after_signing_in_counts_…
 2 least time left on top         test_nurse_lists: the_overdue_list_has_the_form_with_least_time_left_on_top
 3 filters in place and address   filters_and_sorted_columns_change_the_rows_in_place_…
 4 sorting by click and keyboard  the same
 5 search among 200 patients      test_nurse_lists: one_of_two_hundred_patients_is_found_by_her_id_…
 6 both denominators, totals      test_nurse_lists: the_grid_shows_both_denominators_…
 7 a death today                  test_nurse_acts: a_death_recorded_today_takes_later_forms_off_…
 8 the timeline                   test_nurse_acts: the_timeline_tells_everything_in_order_of_time_…
 9 a text sent again              a_text_sent_again_stands_in_the_trail_with_the_nurses_name_and_once
10 an undelivered text            test_nurse_acts: one_callback_puts_an_undelivered_text_on_the_list_…
11 a missing reason               test_nurse_acts: a_missing_reason_is_one_of_the_list_…
12 from paper or by phone         test_nurse_acts: a_form_entered_from_paper_says_so_…, answers_given_by_phone_…
13 patients of another site       test_nurse_lists: a_nurse_can_neither_list_nor_open_…
14 no arm and no score            test_nurse_lists: no_page_source_or_file_shows_an_arm_or_a_score_…
15 the file for Excel             test_nurse_lists: the_file_holds_exactly_the_filtered_rows_…
16 on paper                       on_paper_every_row_stands_with_its_heads_and_the_time_and_no_button
17 without colours                test_nurse_lists: every_state_is_told_by_a_word_and_a_shape_…
18 accessibility                  every_page_of_a_nurse_breaks_no_rule_…; test_desk_pages: every page of every role
19 without scripts; by keyboard   everything_can_be_done_without_scripts, a_row_…_with_the_keyboard_alone
20 idle, note kept, looks kept    test_nurse_acts: an_idle_session_ends_the_half_written_note_comes_back_…
"""

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

MOST_TABS = 200
HEADS_WITHOUT_CELLS = """() => [...document.querySelectorAll('table')].filter(table => table.tBodies[0]?.rows.length)
    .flatMap(table => [...table.tHead.rows[0].cells]
        .filter((head, n) => head.checkVisibility() && !table.tBodies[0].rows[0].cells[n]?.checkVisibility())
        .map(head => head.textContent))"""
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
    subjects = nurse.locator("table.forms tbody th").all_inner_texts()
    assert subjects == sorted(subjects, reverse=True)

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
    paths = ("visits/M1.5/paper", "stopped", "trail", "looks", "signatures", "")
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


def test_a_row_of_the_list_is_worked_with_the_keyboard_alone_and_the_focus_is_seen(nurse, service):
    randomised(service, "UME-756", LATE_FOR)
    nurse.goto(f"{service.address}/desk")
    row = rows(nurse, "#overdue").filter(has_text="UME-756")
    tab_to(nurse, row.get_by_role("button", name="Ring"))
    nurse.keyboard.press("Enter")
    nurse.wait_for_url("**/call*")
    tab_to(nurse, nurse.get_by_role("button", name="Inte nådd"))
    nurse.keyboard.press("Space")
    expect(row).to_contain_text("Inte nådd")

    tab_to(nurse, row.get_by_role("combobox"))
    nurse.keyboard.press("ArrowDown")
    tab_to(nurse, row.get_by_role("button", name="Notera"))
    nurse.keyboard.press("Enter")

    expect(row).to_have_count(0)


def tab_to(page, wanted):
    """Tab until this has the focus, and see at every step where the focus is."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", page.evaluate("document.activeElement.outerHTML")
        if wanted.evaluate("each => each === document.activeElement"):
            return
    raise AssertionError("the keyboard does not lead there")


def test_on_paper_every_row_stands_with_its_heads_and_the_time_and_no_button(nurse, service):
    randomised(service, "UME-761", LATE_FOR)
    for path in ("/desk", "/desk/completion", "/desk/forms", "/desk/patients/UME-761"):
        nurse.goto(service.address + path)
        nurse.emulate_media(media="print")
        assert [button for button in nurse.get_by_role("button").all() if button.is_visible()] == []
        expect(nurse.locator("footer.printed")).to_be_visible()
        heads = nurse.evaluate("[...document.querySelectorAll('thead')].map(head => getComputedStyle(head).display)")
        assert set(heads) == {"table-header-group"}
        assert nurse.evaluate(HEADS_WITHOUT_CELLS) == []
        nurse.emulate_media(media="screen")
