"""The nurse checks of what the lists show (1, 2, 5, 6, 13, 14, 15), by hand beside what stands in the database.

Which test holds which of the twenty stands in `test_nurse_checks`.
"""

import csv
import io
import re
import time
from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from benchmarks.wards import NOW
from epro.acts import patients
from epro.store import facts, people
from epro.store.database import reading
from epro.store.models import Assessment
from scheduler import ledger
from tests.journeys.browsing import chromium, needs_chromium
from tests.journeys.ward import OTHER, OWN, TODAY

pytestmark = needs_chromium

MISCARRIED = {"undelivered", "refused", "unknown", "given_up"}
SECONDS_OF_WORK = 0.5  # of the processor, for the server and for driving the browser


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def behind(ward):
    """Beside the two hundred: three who are late by different days, of whom one is not reached; and one due today."""
    for n, days in enumerate((100, 96, 98)):
        ward.enrol(f"{OWN}-32{n}", TODAY - timedelta(days=days), texts_allowed=n != 1)
    ward.enrol(f"{OWN}-329", TODAY - timedelta(days=90))


@pytest.fixture(scope="module")
def nurse(ward, behind, browser):
    with ward.staff(browser) as page:
        yield page


def waiting(connection, known):
    """The forms of the nurse's site that somebody still may answer, the window that closes first at the top."""
    forms = connection.execute(select(Assessment.__table__).order_by(Assessment.closes_at)).all()
    ours = [form for form in forms if known[form.subject].site == OWN and known[form.subject].ended is None]
    open_ended = [form for form in ours if form.expected and form.completed_at is None and form.reason is None]
    return [form for form in open_ended if form.closes_at > NOW]


def by_hand(house):
    """Counted form by form, without the queries of the desk."""
    with reading(house.engine) as connection:
        known = people.facts_of(connection)
        forms = waiting(connection, known)
        unreached = set()
        for form in forms:
            texts = [text for text in ledger.rows(connection, form.subject) if text.visit == form.visit]
            tried = [text for text in texts if text.left_at or text.state in MISCARRIED]
            last = max(tried, key=lambda text: text.left_at or text.send_at, default=None)
            miscarried = last is not None and last.state in MISCARRIED
            soon = form.opens_at <= NOW + timedelta(days=14) and form.started_at is None
            if soon and (miscarried or not known[form.subject].texts_allowed):
                unreached.add(form.subject)
    opened = [form for form in forms if form.opens_at <= NOW]
    late = [form for form in opened if form.due_on < TODAY]
    return {"overdue": len(late), "due": len(opened) - len(late), "unreachable": len(unreached)}


def test_the_first_screen_after_signing_in_counts_what_the_database_holds(ward, nurse):
    shown = {name: int(nurse.locator(f".counts .{name} b").inner_text()) for name in ("overdue", "due", "unreachable")}

    assert shown == by_hand(ward.house)
    assert min(shown.values()) > 0, "a ward in which nobody is late proves nothing"


def test_the_overdue_list_has_the_form_with_least_time_left_on_top(ward, nurse):
    nurse.goto(f"{ward.address}/desk")

    shown = nurse.evaluate(
        """() => [...document.querySelectorAll('#overdue tr.late')].map(row =>
            [row.querySelector('.subject').textContent, row.querySelector('td:nth-child(4) time').dateTime])"""
    )

    with reading(ward.house.engine) as connection:
        forms = waiting(connection, people.facts_of(connection))
    late = [form for form in forms if form.opens_at <= NOW and form.due_on < TODAY]
    assert [last_on for _, last_on in shown] == sorted(last_on for _, last_on in shown)
    assert shown[0][0] in [form.subject for form in late if form.closes_at == late[0].closes_at]
    assert len(shown) == len(late) > 1


def test_one_of_two_hundred_patients_is_found_by_her_id_in_less_than_half_a_second_of_work(ward, nurse):
    with reading(ward.house.engine) as connection:
        assert connection.execute(select(func.count()).select_from(Assessment)).scalar_one() >= 1800
    nurse.get_by_label("Subject id").fill("sab-017")

    before = time.process_time()
    nurse.keyboard.press("Enter")
    expect(nurse.get_by_role("heading", level=1)).to_have_text("SAB-017")

    assert time.process_time() - before < SECONDS_OF_WORK


def test_the_grid_shows_both_denominators_with_their_share_and_every_total_adds_up(ward, browser):
    with ward.staff(browser, "monitor") as page:
        page.goto(f"{ward.address}/desk/completion")
        table = page.evaluate(
            """() => [...document.querySelectorAll('table.grid tbody tr, table.grid tfoot tr')].map(row =>
                [...row.querySelectorAll('td')].map(cell => cell.innerText))"""
        )
    counts = [[pairs(cell) for cell in row] for row in table]

    for row in counts:
        assert summed(row[:-1]) == row[-1]
    for column in zip(*counts, strict=True):
        assert summed(column[:-1]) == column[-1]
    for row, words in zip(counts, table, strict=True):
        for (received, expected, of_due, due), cell in zip(row, words, strict=True):
            shares = [round(100 * n / of) for n, of in ((received, expected), (of_due, due)) if of]
            assert [int(share) for share in re.findall(r"(\d+)\s%", cell)] == shares
    assert counts[-1][-1][1] > 500
    assert counts[-1][-1][3] > counts[-1][-1][1], "the dead are of the randomised, and nothing is expected of them"


def pairs(cell):
    """received, expected, received of the randomised, randomised"""
    found = [int(n) for pair in re.findall(r"(\d+)/(\d+)", cell) for n in pair]
    return tuple(found or (0, 0, 0, 0))


def summed(cells):
    return tuple(map(sum, zip(*cells, strict=True)))


def test_a_nurse_can_neither_list_nor_open_a_patient_of_another_site(ward, nurse):
    refused = [f"patients/{OTHER}-001", f"patients/{OTHER}-001/trail", f"forms?site={OTHER}", f"?site={OTHER}"]
    assert {nurse.goto(f"{ward.address}/desk/{path}").status for path in refused} == {404}

    for path in ("", "forms", "completion"):
        assert nurse.goto(f"{ward.address}/desk/{path}".rstrip("/")).status == 200
        assert f"{OTHER}-" not in nurse.content()
    nurse.get_by_label("Subject id").fill(f"{OTHER}-001")
    nurse.keyboard.press("Enter")
    expect(nurse.get_by_role("heading", level=1)).to_be_visible()
    expect(nurse.get_by_role("link", name=f"{OTHER}-001")).to_have_count(0)
    nurse.goto(f"{ward.address}/desk")


def test_no_page_source_or_file_shows_an_arm_or_a_score_to_whom_the_trial_does_not_show_it(ward, browser):
    arms = [word for code, title in ward.house.protocol.arms.items() for word in (code, title)]
    scales = [scale.code for scale in ward.house.protocol.instruments["qlq-c30"].scales]
    pages = ("", "/completion", "/forms", f"/patients/{OWN}-007", f"/patients/{OWN}-007/trail", "/forms.csv")
    lists = ("", "/completion", "/forms", "/forms.csv")  # of her own patients the nurse may know the arm
    hidden = {"monitor": pages, "nurse": lists}
    for role, of_role in hidden.items():
        with ward.staff(browser, role) as page:
            for path in of_role:
                answer = page.request.get(f"{ward.address}/desk{path}")
                assert answer.status in (200, 403)
                assert [word for word in arms if word in answer.text()] == [], (role, path)
                assert [code for code in scales if f">{code}<" in answer.text()] == [], (role, path)
    with ward.staff(browser) as page:
        page.goto(f"{ward.address}/desk/patients/{OWN}-007")
        assert [word for word in arms if word in page.content()], "nobody at all is shown an arm: this proves nothing"


def test_the_file_holds_exactly_the_filtered_rows_with_swedish_letters_and_inert_cells(ward, browser):
    ward.enrol(f"{OWN}-301", TODAY - timedelta(days=100))
    told = {"kind": facts.SURGERY, "on": TODAY, "reason": "=SUM(A1:A9)"}
    ward.then(TODAY).act(patients.record, f"{OWN}-301", **told)
    with ward.staff(browser) as page:
        page.goto(f"{ward.address}/desk/forms?visit=M3&state=missed&sort=-subject&language=sv")
        shown = page.evaluate(
            """() => [...document.querySelectorAll('table.forms tbody tr')].map(row =>
                [row.querySelector('th').innerText.trim(), row.querySelector('.state').innerText.trim()])"""
        )
        raw = downloaded(page, page.get_by_role("link", name="Som fil (CSV)"))
        head, *lines = csv.reader(io.StringIO(raw.decode("utf-8-sig")), delimiter=";")
        assert raw.startswith(b"\xef\xbb\xbf")
        assert {"Klinik", "Läge"} <= set(head)
        assert [[line[0], line[head.index("Läge")]] for line in lines] == shown
        assert len(lines) > 1

        page.goto(f"{ward.address}/desk/patients/{OWN}-301/trail")
        text = downloaded(page, page.get_by_role("link", name="CSV", exact=True)).decode("utf-8-sig")
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert "'=SUM(A1:A9)" in cells
        assert [cell for cell in cells if cell.startswith(("=", "+", "@"))] == []


@pytest.mark.parametrize("sight", ["achromatopsia", "deuteranopia"])
def test_every_state_is_told_by_a_word_and_a_shape_also_to_who_sees_no_colour(ward, nurse, sight):
    nurse.goto(f"{ward.address}/desk/forms?visit=M3")
    nurse.context.new_cdp_session(nurse).send("Emulation.setEmulatedVisionDeficiency", {"type": sight})

    kinds = nurse.evaluate("[...new Set([...document.querySelectorAll('.state')].map(each => each.className))]")
    states = [nurse.locator(f".{kind.replace(' ', '.')}").first for kind in kinds]
    words = [state.inner_text() for state in states]
    shapes = [state.evaluate("each => getComputedStyle(each, '::before').content") for state in states]
    pictures = [state.screenshot() for state in states]

    assert len(kinds) >= 4
    assert len(set(words)) == len(set(pictures)) == len(kinds)
    assert all(shape not in ("none", "normal", '""') for shape in shapes)


def downloaded(page, link):
    with page.expect_download() as coming:
        link.click()
    return coming.value.path().read_bytes()
