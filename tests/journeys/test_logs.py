"""A journey with crashes, and every debugging variable set (see `service`): what did the log say of anybody?"""

import json
import socket
from urllib.parse import urlsplit

import pytest
import requests
from sqlalchemy import text

from epro.store.database import writing
from tests.scans import secrets_in

pytestmark = pytest.mark.requirement("trust-40", "abuse-22")


def test_no_line_of_a_journey_with_crashes_holds_a_number_a_token_or_an_answer(service, phone):
    service.enrol("UME-001")
    token = service.tick(service.first_text_is_due_at("UME-001"))[0]
    page = phone.press(phone.open(token))
    phone.press(page, "/form/1", value="3")
    for path in (token, f"{token}?to=%2B46701740605", "/p/" + "a" * 3_000, "/desk/patients/UME-001", f"/p/{'z' * 26}"):
        requests.get(service.address + path, timeout=30, headers={"X-Note": "070-174 06 05"})
    form = {"From": "+46701740605", "Body": "I feel 4", "MessageSid": "SM1", "email": "nurse@example.org"}
    for path in ("/webhooks/twilio/reply", "/desk/login", "/form/1", "/no-such-page"):
        requests.post(service.address + path, data=form, timeout=30)
    _speak_no_http(service.address, f"GET {token} +46701740605\r\n\r\n")
    with writing(service.house.engine) as connection:
        connection.execute(text("ALTER TABLE answer RENAME TO answer_gone"))
    crashed = phone.press(page, "/form/1", value="3")
    with writing(service.house.engine) as connection:
        connection.execute(text("ALTER TABLE answer_gone RENAME TO answer"))

    assert crashed.status in (500, 503)  # a table that is gone is told as unavailable by SQLite
    service.wait_until_logged(_tells_of_the_crash)
    said = [json.loads(line) for line in service.lines]
    assert {"/p/<token>", "/form/<int:n>"} <= {line.get("route") for line in said}
    assert all(line["request"] and line["ms"] >= 0 for line in said if line["event"] == "request")
    everything = "".join(service.lines)
    assert secrets_in(everything) == []
    for secret in (token.removeprefix("/p/"), "I feel", "nurse@", "UME-001", "answer_gone", "value"):
        assert secret not in everything, secret


def _tells_of_the_crash(line: str) -> bool:
    event: str = json.loads(line)["event"]
    return event.startswith(("unforeseen", "database:"))


def _speak_no_http(address: str, words: str) -> None:
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(words.encode())
        connection.recv(4096)
