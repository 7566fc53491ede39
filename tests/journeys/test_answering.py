"""A text becomes data: over the network, through the processes that a trial runs."""

import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import func, select

from epro.store.database import reading
from epro.store.models import Answer, Assessment, Audit, Form
from tests.journeys.conftest import Phone

ITEMS = 30


def kept(service, subject):
    """The answers kept for a patient, by item, in the order they came."""
    with reading(service.house.engine) as connection:
        rows = connection.execute(
            select(Answer.item, Answer.value)
            .join(Form, Form.id == Answer.form)
            .join(Assessment, Assessment.id == Form.assessment)
            .where(Assessment.subject == subject)
            .order_by(Answer.id)
        )
        return [tuple(row) for row in rows]


def test_a_text_leads_to_a_form_that_is_answered_in_two_sittings_and_sent_once(service):
    due_at = service.first_text_is_due_at(service.enrol("UME-001"))
    (link,) = service.tick(due_at)
    first = Phone(service.address)
    page = first.press(first.open(link))
    for value in ("1", "2", "3"):
        page = first.press(page, value=value)

    second = Phone(service.address)
    page = second.press(second.open(link))
    assert page.path == "/form/4"
    while page.path != "/form/review":
        page = second.press(page, value=page.options[-1])
    page = second.press(page, "/form/submit")

    assert page.path == "/form/done"
    assert [value for _, value in kept(service, "UME-001")] == [1, 2, 3, *[4] * 25, 7, 7]
    assert Phone(service.address).open(link).status == 404
    assert service.tick(due_at + timedelta(days=9)) == []  # no reminder of what is done


def test_eight_phones_at_once_lose_no_answer_and_each_has_its_audit_entry(service):
    subjects = [service.enrol(f"GBG-{n:03d}") for n in range(1, 9)]
    links = service.tick(service.first_text_is_due_at(subjects[0]))
    assert len(links) == len(subjects)
    entries = entries_of(service)

    def answer_all(link):
        phone = Phone(service.address)
        page = phone.press(phone.open(link))
        statuses = []
        while page.path != "/form/review":
            page = phone.press(page, value="2")
            statuses.append(page.status)
        return statuses

    with ThreadPoolExecutor(len(subjects)) as phones:
        statuses = list(phones.map(answer_all, links))

    assert statuses == [[200] * ITEMS] * len(subjects)
    for subject in subjects:
        assert [value for _, value in kept(service, subject)] == [2] * ITEMS
    assert entries_of(service) - entries == len(subjects) * (1 + ITEMS)  # a start, and each answer


def entries_of(service):
    with reading(service.house.engine) as connection:
        return connection.execute(select(func.count()).select_from(Audit)).scalar_one()


def test_what_the_service_logs_holds_no_token_and_no_answer(service, phone):
    token = "neverinanylog" * 2
    page = phone.open(f"/p/{token}")
    phone.press(page, f"/p/{token}", value="4")
    host, port = "127.0.0.1", service.house.settings.port
    for request in (f"GET /p/{token} HTTP/9.9", f"NONSENSE /p/{token}", f"GET /p/{token} HTTP/1.1\r\n: {token}"):
        with socket.create_connection((host, port), timeout=30) as connection:
            connection.sendall(f"{request}\r\n\r\n".encode())
            while connection.recv(4096):
                pass

    assert token not in "".join(service.lines)
