"""Connections that say nothing, or half of something, take nobody's place."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from epro.web.app import HEADERS
from epro.web.serving import IDLE_SECONDS, REQUEST_SECONDS
from tests.journeys.conftest import Phone
from tests.journeys.test_answering import kept

HALF_HEAD = b"POST /form/answer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le"
HALF_BODY = b"POST /form/answer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\nticket="
SILENCE = b""


@contextmanager
def connections(service, each: int) -> Iterator[list[socket.socket]]:
    """As many connections of each kind, open all at once."""
    address = urlsplit(service.address)
    with ExitStack() as stack:
        opened = []
        for said in (SILENCE, HALF_HEAD, HALF_BODY):
            for _ in range(each):
                connection = stack.enter_context(socket.create_connection((address.hostname, address.port)))
                connection.sendall(said)
                opened.append(connection)
        yield opened


def answer_ten(service, subject: str) -> list[int]:
    (link,) = service.tick(service.first_text_is_due_at(service.enrol(subject)))
    phone = Phone(service.address)
    page = phone.press(phone.open(link))
    statuses = []
    for _ in range(10):
        page = phone.press(page, value="2")
        statuses.append(page.status)
    return statuses


@pytest.mark.requirement("abuse-30")
def test_sixty_idle_and_half_sent_connections_hold_up_no_answer(service):
    with connections(service, 20):
        statuses = answer_ten(service, "UME-001")

    assert statuses == [200] * 10
    assert [value for _, value in kept(service, "UME-001")] == [2] * 10


@pytest.mark.requirement("abuse-30")
@pytest.mark.slow
def test_five_hundred_hold_up_none_either_and_each_is_let_go_in_the_end(service):
    with connections(service, 170) as opened:
        statuses = answer_ten(service, "UME-002")
        for connection in opened:
            connection.settimeout(IDLE_SECONDS + REQUEST_SECONDS + 20)
            while connection.recv(1000):  # a word of why, perhaps, and then the end
                pass

    assert statuses == [200] * 10


NO_HTTP = {
    b"NONSENSE said-by-nobody\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nsaid-by-nobody : 1\r\n\r\n": 400,
    b"GET / HTTP/9.9\r\nHost: said-by-nobody\r\n\r\n": 400,
    b"GET /?" + b"said-by-nobody" * 400 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n": 414,
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA: " + b"said-by-nobody" * 700 + b"\r\n\r\n": 431,
}


@pytest.mark.requirement("abuse-22", "abuse-30")
def test_what_is_no_request_gets_a_page_of_ours_with_every_header_and_none_of_its_own_words(service):
    address = urlsplit(service.address)
    for sent, status in NO_HTTP.items():
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(sent)
            connection.settimeout(REQUEST_SECONDS)
            answered = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, page = answered.partition(b"\r\n\r\n")

        assert head.split()[1] == str(status).encode(), sent[:40]
        assert b"said-by-nobody" not in answered
        assert b"Det gick inte" in page
        for name, value in HEADERS.items():
            assert f"\r\n{name}: {value}\r\n".encode() in head + b"\r\n", (name, sent[:40])


@pytest.mark.requirement("abuse-30")
def test_a_body_that_is_too_large_is_refused_before_it_is_read(service):
    address = urlsplit(service.address)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(HALF_BODY.replace(b"900", b"90000000"))
        connection.settimeout(REQUEST_SECONDS)
        assert b" 413 " in connection.recv(200)
