"""The double answers as Twilio's own OpenAPI document says, or what it teaches us is worth nothing."""

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
from openapi_core import OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse
from openapi_core.validation.response.exceptions import InvalidData
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from tests.scheduler import twilio_double as double_of
from tests.scheduler.house import PHONE
from tests.scheduler.twilio_double import ACCOUNT, AUTH_TOKEN, Double

DOCUMENT = "twilio_api_v2010.json"
TESTS = Path(__file__).parents[1]
FOLDERS = (os.environ.get("EPRO_ORACLES", ""), TESTS / "oracles", TESTS.parents[1] / "shared" / "oracles")
ACCOUNTS = "/2010-04-01/Accounts/{AccountSid}"
MESSAGES, BALANCE = f"{ACCOUNTS}/Messages", f"{ACCOUNTS}/Balance"
CREATED = {"To": PHONE, "From": "epro", "Body": "Hej!"}
ALWAYS_GIVEN = (  # the document requires no field; these are what Twilio's documentation shows in every reply
    "sid account_sid messaging_service_sid to from body status direction num_segments num_media price price_unit "
    "error_code error_message date_created date_updated date_sent api_version uri subresource_uris"
)
PAGE = "messages page page_size start end uri first_page_uri next_page_uri previous_page_uri"


def document() -> Path:
    for folder in filter(None, map(Path, map(str, FOLDERS))):
        for path in (folder / DOCUMENT, folder / "twilio" / DOCUMENT, folder.parent / "twilio" / DOCUMENT):
            if path.is_file():
                return path
    pytest.skip(f"{DOCUMENT} is missing; set EPRO_ORACLES to a folder that has it")


@cache
def contract(path: Path) -> OpenAPI:
    """The paths of messages alone; the fields that are always given are required here."""
    whole = json.loads(path.read_text(encoding="utf-8"))
    whole["paths"] = {
        name: {key: value for key, value in described.items() if key != "servers"}
        for name, described in whole["paths"].items()
        if name in (f"{MESSAGES}.json", f"{MESSAGES}/{{Sid}}.json", f"{BALANCE}.json")
    }
    whole["components"]["schemas"]["api.v2010.account.message"]["required"] = ALWAYS_GIVEN.split()
    whole["components"]["schemas"]["api.v2010.account.balance"]["required"] = ["account_sid", "balance", "currency"]
    listed = whole["paths"][f"{MESSAGES}.json"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    listed["required"] = PAGE.split()
    return OpenAPI.from_dict(whole)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with double_of.running() as running:
        yield running


def judged(
    double: Double, method: str, sid: str | None = None, *, of: str = MESSAGES, **asked: Any
) -> requests.Response:
    """Ask the double, and hold question and answer to the document."""
    path = f"{of.format(AccountSid=ACCOUNT)}{f'/{sid}' if sid else ''}.json"
    request = requests.Request(method, double.url + path, auth=(ACCOUNT, AUTH_TOKEN), **asked).prepare()
    with requests.Session() as session:
        reply = session.send(request, timeout=10)
    twilio = request.copy()
    twilio.url = (request.url or "").replace(double.url, "https://api.twilio.com")
    contract(document()).validate_response(RequestsOpenAPIRequest(twilio), RequestsOpenAPIResponse(reply))
    return reply


def test_every_answer_of_the_double_is_one_that_twilio_may_give(double: Double) -> None:
    sid = judged(double, "POST", data=CREATED).json()["sid"]
    for n in range(3):
        judged(double, "POST", data={**CREATED, "Body": f"Hej {n}!"})

    assert judged(double, "GET", sid).json()["body"] == "Hej!"
    page = judged(double, "GET", params={"To": PHONE, "PageSize": 2}).json()
    assert [text["body"] for text in page["messages"]] == ["Hej 2!", "Hej 1!"]
    assert page["next_page_uri"]
    double.report(sid, "undelivered", 30003)
    assert judged(double, "GET", sid).json()["error_code"] == 30003
    assert judged(double, "POST", sid, data={"Body": ""}).json()["body"] == ""
    assert judged(double, "DELETE", sid).status_code == 204
    assert judged(double, "GET", of=BALANCE).json()["balance"] == "12.34"


def test_a_double_that_says_what_twilio_never_says_is_found_out(double: Double) -> None:
    sid = judged(double, "POST", data=CREATED).json()["sid"]
    double.taken[0]["status"] = "flying"

    with pytest.raises(InvalidData):
        judged(double, "GET", sid)


def test_a_double_that_leaves_a_field_out_is_found_out(double: Double) -> None:
    sid = judged(double, "POST", data=CREATED).json()["sid"]
    del double.taken[0]["date_created"]

    with pytest.raises(InvalidData):
        judged(double, "GET", sid)


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("+15005550001", 21211),
        ("+15005550002", 21612),
        ("+15005550003", 21408),
        ("+15005550004", 21610),
        ("+15005550009", 21614),
        ("0701740605", 21211),
    ],
)
def test_the_magic_numbers_of_twilios_test_credentials_are_refused(double: Double, to: str, code: int) -> None:
    client = Client(ACCOUNT, AUTH_TOKEN)
    client.api.base_url = double.url

    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to=to, from_="epro", body="Hej!")

    assert (refused.value.status, refused.value.code) == (400, code)
    assert double.taken == []


def test_who_does_not_hold_the_token_is_not_let_in(double: Double) -> None:
    client = Client(ACCOUNT, "another")
    client.api.base_url = double.url

    with pytest.raises(TwilioRestException, match="401"):
        client.messages.create(to=PHONE, from_="epro", body="Hej!")


def test_a_text_is_listed_as_late_as_the_double_is_told(double: Double) -> None:
    double.listed_after = timedelta(seconds=30)
    double.take(CREATED)

    assert double.listed(PHONE, 50, 0)["messages"] == []
    double.now += timedelta(seconds=30)
    assert len(double.listed(PHONE, 50, 0)["messages"]) == 1


def test_the_real_client_turns_the_pages_of_the_double(double: Double) -> None:
    client = Client(ACCOUNT, AUTH_TOKEN)
    client.api.base_url = double.url
    for n in range(5):
        client.messages.create(to=PHONE, from_="epro", body=f"{n}")

    assert [text.body for text in client.messages.list(to=PHONE, page_size=2)] == ["4", "3", "2", "1", "0"]
