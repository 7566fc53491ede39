"""By which door does a patient come in: the verbs that the pages call, or the pages themselves, as a browser sees them?

Both say the same things: whether the link still opens, which answers she was told are kept, whether the form is sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from zlib import crc32

from flask import Flask
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from epro.acts import answers, links, reaching, receipts, replies
from epro.acts.answers import Said
from epro.acts.replies import Incoming
from epro.rehearsal.cast import Person
from epro.rehearsal.stage import Away, Stage
from epro.store.audit import Actor
from epro.store.database import writing
from scheduler.carriers.twilio import with_token
from scheduler.ports import Receipt

SHARED_PHONE = Actor("whoever holds the phone", "stranger", "phone")
CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')
TICKET = re.compile(r'"ticket": "([^"]+)"')
UNAVAILABLE = 503
TWILIO_WORDS = {"accepted": "sent", "delivered": "delivered", "undelivered": "undelivered"}


@dataclass
class Visitor:
    """Somebody in front of her form, until she sends it or leaves it."""

    person: Person
    token: str = field(repr=False)
    client: Any = None
    ticket: str = field(default="", repr=False)


class Door(Protocol):
    def begin(self, visitor: Visitor, said: Sequence[Said], now: datetime) -> list[Said] | None:
        """Open the link and answer these questions. Those she was told are kept; None = the link opens nothing."""
        ...

    def send(self, visitor: Visitor, now: datetime) -> bool:
        """Send the form; whether she was thanked."""
        ...

    def deny(self, visitor: Visitor, now: datetime) -> None:
        """The phone is somebody else's, who says so."""
        ...

    def receipt(self, receipt: Receipt, now: datetime) -> None: ...

    def reply(self, sender: str, body: str, ref: str, now: datetime) -> None: ...


@dataclass(frozen=True)
class Verbs:
    """Straight to the acts, each in a transaction of its own as the pages do it."""

    stage: Stage

    def begin(self, visitor: Visitor, said: Sequence[Said], now: datetime) -> list[Said] | None:
        protocol = self.stage.house.protocol
        with writing(self.stage.house.engine) as connection:
            opened = links.opened_for_writing(connection, links.hash_of(visitor.token), now)
            if opened is None:
                return None
            answers.start(connection, protocol, opened, language=opened.language, now=now)
            if said:
                session = f"{links.hash_of(visitor.token)[:32]}"
                answers.save(connection, protocol, opened, said, session=session, now=now)
        return list(said)

    def send(self, visitor: Visitor, now: datetime) -> bool:
        hash_ = links.hash_of(visitor.token)
        with writing(self.stage.house.engine) as connection:
            opened = links.opened_for_writing(connection, hash_, now)
            if opened is None:
                return links.is_used_up(connection, hash_)
            answers.submit(connection, self.stage.house.protocol, opened, who=links.SELF, now=now)
        return True

    def deny(self, visitor: Visitor, now: datetime) -> None:
        with writing(self.stage.house.engine) as connection:
            opened = links.opened_for_writing(connection, links.hash_of(visitor.token), now)
            if opened is not None:
                subject, protocol = opened.subject, self.stage.house.protocol
                reaching.deny(connection, protocol, subject, number=True, by=SHARED_PHONE, now=now)

    def receipt(self, receipt: Receipt, now: datetime) -> None:
        with writing(self.stage.house.engine) as connection:
            receipts.take(connection, self.stage.house.protocol, receipt, now)

    def reply(self, sender: str, body: str, ref: str, now: datetime) -> None:
        house, text = self.stage.house, Incoming(ref, sender, body)
        with writing(house.engine) as connection:
            replies.keep(connection, house.protocol, house.cipher, text, now)


@dataclass(frozen=True)
class Pages:
    """Through the web application: links, forms and signed webhooks, by the addresses that the outside uses."""

    stage: Stage
    app: Flask

    def begin(self, visitor: Visitor, said: Sequence[Said], now: datetime) -> list[Said] | None:
        if not visitor.ticket and not self._sit_down(visitor):
            return None
        return [one for one in said if self._save(visitor, one, now)]

    def send(self, visitor: Visitor, now: datetime) -> bool:
        fields = {"ticket": visitor.ticket, "key": "0" * 32, "send": "1", "who": links.SELF}
        response = self._post(visitor.client, visitor.person, "/form/answer", fields)
        return response.status_code == 200 and bool(response.json["kept"])

    def deny(self, visitor: Visitor, now: datetime) -> None:
        visitor.client = self._client()
        path = f"/p/{visitor.token}/not-me"
        page = self._get(visitor.client, visitor.person, path)
        if page.status_code == 200:
            fields = {"csrf_token": _found(CSRF, page.text), "why": "wrong_number"}
            self._post(visitor.client, visitor.person, path, fields)

    def receipt(self, receipt: Receipt, now: datetime) -> None:
        fields = {"MessageSid": receipt.carrier_ref or "", "MessageStatus": TWILIO_WORDS[receipt.status]}
        if receipt.code is not None:
            fields["ErrorCode"] = str(receipt.code)
        self._webhook(with_token("/webhooks/twilio/receipt", receipt.token or ""), fields)

    def reply(self, sender: str, body: str, ref: str, now: datetime) -> None:
        self._webhook("/webhooks/twilio/reply", {"From": sender, "Body": body, "MessageSid": ref})

    def _sit_down(self, visitor: Visitor) -> bool:
        """1. Look at the start page. 2. Begin. 3. Take the form's ticket. False = the link opens nothing."""
        visitor.client = self._client()
        path = f"/p/{visitor.token}"
        page = self._get(visitor.client, visitor.person, path)
        if page.status_code == 404:
            return False
        fields = {"csrf_token": _found(CSRF, page.text), "who": links.SELF}
        if visitor.person.second_step:
            fields["second_step"] = visitor.person.second_step
        begun = self._post(visitor.client, visitor.person, path, fields)
        if begun.status_code == 404:
            return False
        form = self._get(visitor.client, visitor.person, "/form")
        if form.status_code == 404:
            return False
        visitor.ticket = _found(TICKET, form.text)
        return True

    def _save(self, visitor: Visitor, said: Said, now: datetime) -> bool:
        value = said.text if said.text is not None else "" if said.value is None else str(said.value)
        fields = {"ticket": visitor.ticket, "key": said.key, "name": f"{said.instrument}.{said.item}", "value": value}
        fields["said_at"] = now.isoformat()
        response = self._post(visitor.client, visitor.person, "/form/answer", fields)
        return response.status_code == 200 and bool(response.json["kept"])

    def _webhook(self, path: str, fields: dict[str, str]) -> None:
        settings = self.stage.house.settings
        signer = RequestValidator(settings.twilio_auth_token.get_secret_value())
        signature = signer.compute_signature(settings.address + path, fields)
        response = self._client().post(path, data=fields, headers={"X-Twilio-Signature": signature})
        _refuse_unless(response.status_code, {200, 204})

    def _client(self) -> Any:
        client = self.app.test_client()
        client.environ_base["wsgi.url_scheme"] = self.stage.house.settings.address.partition("://")[0]
        return client

    def _get(self, client: Any, person: Person, path: str) -> Any:
        response = client.get(path, base_url=self.stage.house.settings.address, environ_overrides=_from(person))
        _refuse_unless(response.status_code, {200, 404})
        return response

    def _post(self, client: Any, person: Person, path: str, fields: dict[str, str]) -> Any:
        address = self.stage.house.settings.address
        response = client.post(path, data=fields, base_url=address, environ_overrides=_from(person))
        _refuse_unless(response.status_code, {200, 303, 404, 410})
        return response


class Unexpected(AssertionError):
    """A page answered what no patient should meet."""


def _refuse_unless(status: int, expected: set[int]) -> None:
    if status == UNAVAILABLE:
        raise Away("the service said that it is not available")
    if status not in expected:
        raise Unexpected(f"a page answered {status}")


def _from(person: Person) -> dict[str, str]:
    """Each patient calls from an address of her own."""
    number = crc32(person.subject.encode())
    return {"REMOTE_ADDR": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}


def _found(pattern: re.Pattern[str], page: str) -> str:
    found = pattern.search(page)
    if found is None:
        raise Unexpected("a page lacks what its script or its form needs")
    return found[1]
