"""What does the double know of each text: who asked for it, what became of it, when is it listed?"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from twilio.request_validator import RequestValidator

from scheduler.texts import segments

ACCOUNT = "AC" + "0" * 32
AUTH_TOKEN = "secret"
HOME = f"/2010-04-01/Accounts/{ACCOUNT}/Messages"
BALANCE = f"/2010-04-01/Accounts/{ACCOUNT}/Balance.json"
VALID = re.compile(r"\+[1-9]\d{6,14}")
MAGIC_NUMBERS = {  # Twilio's documentation of its test credentials: what a text to each of them is answered
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
FINAL = {"delivered", "undelivered", "failed", "canceled"}
Form = Mapping[str, str]


class Refusal(Exception):
    """An error that Twilio answers with its own code."""

    def __init__(self, status: int, code: int) -> None:
        super().__init__(f"{status}, code {code}")
        self.status, self.code = status, code


@dataclass(frozen=True)
class Callback:
    """A status callback as Twilio posts it: where to, with which fields, under which signature."""

    url: str
    form: dict[str, str]
    signature: str


@dataclass
class Double:
    """The account. `faults` are played one a request, then `choose` is asked; without either it answers as it should.

    now: the double's clock. listed_after: how long after it was taken a text is listed.
    """

    url: str = ""
    left: str = "12.34"  # on the account
    now: datetime = datetime(2027, 4, 1, 8, tzinfo=UTC)
    listed_after: timedelta = timedelta(0)
    taken: list[dict[str, Any]] = field(default_factory=list)  # resources, as Twilio gives them
    came_in: list[dict[str, Any]] = field(default_factory=list)  # the same, of what patients sent to us
    asked: list[dict[str, str]] = field(default_factory=list)  # forms of each request to create
    faults: list[Callable[[Any], None]] = field(default_factory=list)
    choose: Callable[[Form], Callable[[Any], None] | None] = lambda form: None
    callbacks: dict[str, str] = field(default_factory=dict)  # sid → the address for its receipts
    released: threading.Event = field(default_factory=threading.Event)  # ends a slow reply
    lock: threading.RLock = field(default_factory=threading.RLock)

    def take(self, form: Form) -> dict[str, Any]:
        """Create a text. Raises Refusal, as Twilio would, for what it does not take."""
        _judge(form)
        with self.lock:
            sid = f"SM{len(self.taken) + 1:032x}"
            resource = _resource(sid, form, self.now)
            self.taken.append(resource)
            self.callbacks[sid] = form.get("StatusCallback", "")
            return dict(resource)

    def comes_in(self, sender: str, body: str, to: str = "+46701740699") -> dict[str, Any]:
        """A patient sends a text to our number."""
        with self.lock:
            sid = f"SM{0xF << 124 | len(self.came_in) + 1:032x}"
            resource = _resource(sid, {"To": to, "From": sender, "Body": body}, self.now)
            self.came_in.append(resource | {"direction": "inbound", "status": "received"})
            return dict(self.came_in[-1])

    def fetch(self, sid: str) -> dict[str, Any]:
        with self.lock:
            return dict(self._find(sid))

    def listed(self, to: str | None, page_size: int, page: int) -> dict[str, Any]:
        """One page of the texts to this number that are listed by now, the newest first."""
        with self.lock:
            known = sorted([*self.taken, *self.came_in], key=lambda text: parsedate_to_datetime(text["date_created"]))
            shown = [dict(text) for text in reversed(known) if to in (None, text["to"]) and self._is_listed(text)]
        start = page * page_size
        texts = shown[start : start + page_size]
        uri = f"{HOME}.json?PageSize={page_size}&Page="
        if to:
            uri = f"{HOME}.json?To=%2B{to.lstrip('+')}&PageSize={page_size}&Page="
        more = start + page_size < len(shown)
        return {
            "messages": texts,
            "page": page,
            "page_size": page_size,
            "start": start,
            "end": start + max(len(texts) - 1, 0),
            "uri": f"{uri}{page}",
            "first_page_uri": f"{uri}0",
            "next_page_uri": f"{uri}{page + 1}&PageToken=PA{page + 1}" if more else None,
            "previous_page_uri": f"{uri}{page - 1}&PageToken=PB{page - 1}" if page else None,
        }

    def update(self, sid: str, form: Form) -> dict[str, Any]:
        """Redact a body, or cancel what has not left. Raises Refusal."""
        with self.lock:
            text = self._find(sid)
            if form.get("Body") == "" and text["status"] not in FINAL:
                raise Refusal(400, 20009)  # a text on its way keeps its words
            if form.get("Body") == "":
                text["body"] = ""
            if form.get("Status") == "canceled":
                text["status"] = "canceled"
            text["date_updated"] = format_datetime(self.now)
            return dict(text)

    def balance(self) -> dict[str, str]:
        return {"account_sid": ACCOUNT, "balance": self.left, "currency": "USD"}

    def delete(self, sid: str) -> None:
        with self.lock:
            self.taken.remove(self._find(sid))

    def report(self, sid: str, status: str, code: int | None = None) -> Callback:
        """The text is at this status from now on; returns the callback that says so, signed."""
        with self.lock:
            text = self._find(sid)
            if text["status"] not in FINAL:
                text.update(status=status, error_code=code, date_updated=format_datetime(self.now))
                text["date_sent"] = text["date_sent"] or format_datetime(self.now)
            url = self.callbacks[sid]
        form = {
            "MessageSid": sid,
            "SmsSid": sid,
            "MessageStatus": status,
            "SmsStatus": status,
            "To": text["to"],
            "From": text["from"] or "",
            "AccountSid": ACCOUNT,
            "ApiVersion": "2010-04-01",
            **({"ErrorCode": str(code)} if code else {}),
        }
        return Callback(url, form, RequestValidator(AUTH_TOKEN).compute_signature(url, form))

    def _find(self, sid: str) -> dict[str, Any]:
        found = next((text for text in (*self.taken, *self.came_in) if text["sid"] == sid), None)
        if found is None:
            raise Refusal(404, 20404)
        return found

    def _is_listed(self, text: Mapping[str, Any]) -> bool:
        return parsedate_to_datetime(text["date_created"]) + self.listed_after <= self.now


def _judge(form: Form) -> None:
    to = form.get("To", "")
    if to in MAGIC_NUMBERS:
        raise Refusal(400, MAGIC_NUMBERS[to])
    if not VALID.fullmatch(to):
        raise Refusal(400, 21211)
    if not form.get("Body"):
        raise Refusal(400, 21602)
    if not (form.get("From") or form.get("MessagingServiceSid")):
        raise Refusal(400, 21603)
    if not 1 <= int(form.get("ValidityPeriod", "36000")) <= 36000:
        raise Refusal(400, 20001)


def _resource(sid: str, form: Form, now: datetime) -> dict[str, Any]:
    service = form.get("MessagingServiceSid")
    return {
        "sid": sid,
        "account_sid": ACCOUNT,
        "messaging_service_sid": service,
        "to": form["To"],
        "from": form.get("From"),
        "body": form["Body"],
        "status": "accepted" if service else "queued",
        "direction": "outbound-api",
        "num_segments": "0" if service else str(segments(form["Body"]).count),
        "num_media": "0",
        "price": None,
        "price_unit": "USD",
        "error_code": None,
        "error_message": None,
        "date_created": format_datetime(now),
        "date_updated": format_datetime(now),
        "date_sent": None,
        "api_version": "2010-04-01",
        "uri": f"{HOME}/{sid}.json",
        "subresource_uris": {"media": f"{HOME}/{sid}/Media.json"},
    }
