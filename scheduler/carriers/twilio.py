"""How does a text go out through Twilio, and how is it asked what it has?

The client never tries by itself and waits ten seconds at most. A reply that was lost leaves the text unknown: Twilio's
API knows no idempotency key, so it is asked by address and day, and the link in the body tells the text.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from threading import local
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from requests.exceptions import ConnectionError as NotConnected
from requests.exceptions import ConnectTimeout, RequestException
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]
from twilio.request_validator import RequestValidator, get_signature_algorithm  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]
from urllib3.exceptions import HTTPError, NewConnectionError

from scheduler.outcomes import outcome_of
from scheduler.ports import (
    LINK_TOKEN,
    Accepted,
    Balance,
    CannotTell,
    Letter,
    Listed,
    NotFound,
    Outcome,
    Receipt,
    ReceiptStatus,
    Received,
    Refused,
    Trace,
    Unknown,
    link_hash,
)

if TYPE_CHECKING:
    from twilio.http.response import Response  # type: ignore[import-untyped]

TIMEOUT_SECONDS = 10.0
LONGEST_VALIDITY = timedelta(hours=4)
SHORTEST_VALIDITY = timedelta(seconds=1)
CLOCKS_DIFFER_BY = timedelta(minutes=5)
MOST_LISTED = 100  # the newest texts to one number; a trial sends a handful a month
PAGE = 1000  # texts asked for at once
OURS, THEIRS = "outbound-api", "inbound"  # an answer to a text that came in is neither
TOKEN_FIELD = "attempt"  # in the status callback's query
STATUSES: Mapping[str, ReceiptStatus] = {
    "accepted": "accepted",
    "scheduled": "accepted",
    "queued": "accepted",
    "sending": "accepted",
    "sent": "accepted",
    "partially_delivered": "accepted",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "undelivered",
    "failed": "undelivered",
    "canceled": "undelivered",
}


class Twilio:
    """Twilio's Messages API. One of `sender` (a number or an alphanumeric name) and `messaging_service_sid` is needed.

    status_callback: the public address that receipts come to; each text adds its own token to it. base_url: another
    host that speaks the same API, for tests.
    """

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        status_callback: str,
        clock: Callable[[], datetime],
        sender: str | None = None,
        messaging_service_sid: str | None = None,
        region: str | None = None,
        edge: str | None = None,
        base_url: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        if not (sender or messaging_service_sid):
            raise ValueError("Twilio needs a sender or a messaging service to send from")
        self.http = _OneTry(timeout=timeout_seconds, logger=_silent_logger())
        self.client = Client(account_sid, auth_token, region=region, edge=edge, http_client=self.http)
        if base_url:
            self.client.api.base_url = base_url
        self.status_callback, self.clock = status_callback, clock
        origin = {"messaging_service_sid": messaging_service_sid, "from_": sender}
        self.origin = {name: value for name, value in origin.items() if value}

    def send(self, letter: Letter, token: str) -> Outcome:
        left = letter.valid_until - self.clock()
        if left < SHORTEST_VALIDITY:
            return Refused(None, "later")
        try:
            sent = self.client.messages.create(
                to=letter.to,
                body=letter.body,
                status_callback=with_token(self.status_callback, token),
                validity_period=int(min(left, LONGEST_VALIDITY).total_seconds()),
                **self.origin,
            )
        except TwilioException as error:  # two kinds, of one shape: a status and a code
            status, code = getattr(error, "status", None), getattr(error, "code", None)
            return Unknown() if status is None else outcome_of(status, code, self.http.retry_after)
        except RequestException as error:
            return Refused(None, "later") if surely_not_connected(error) else Unknown()
        except ValueError:  # a success whose body was cut or is no JSON
            return Unknown()
        return Accepted(sent.sid)

    def find(self, trace: Trace, token: str, since: datetime) -> Accepted | NotFound | CannotTell:
        """List the newest texts to this address, and look for the link in those of that time.

        Never by the date of sending, which a text in the queue does not have yet. Bodies that Twilio was told to
        discard cannot be told apart: then it cannot tell.
        """
        earliest = since - CLOCKS_DIFFER_BY
        try:
            listed = self.client.messages.list(to=trace.to, limit=MOST_LISTED)
        except (TwilioException, RequestException, ValueError):
            return CannotTell(for_now=True)
        ours = [text for text in listed if text.date_created is None or text.date_created >= earliest]
        for text in ours:
            if any(link_hash(found) == trace.link_hash for found in LINK_TOKEN.findall(text.body or "")):
                return Accepted(text.sid)
        return CannotTell() if any(not text.body for text in ours) else NotFound()

    def sent_since(self, since: datetime) -> Sequence[Listed] | CannotTell:
        """Every text that this account took from us since then, the newest first; from any sender of ours."""
        texts = self._since(since, OURS)
        if isinstance(texts, CannotTell):
            return texts
        hashes = [frozenset(map(link_hash, LINK_TOKEN.findall(text.body or ""))) for text in texts]
        return [
            Listed(text.sid, text.date_created or since, text.to, links)
            for text, links in zip(texts, hashes, strict=True)
            if links or not text.body  # words without a link are no letter; discarded words may be one
        ]

    def received_since(self, since: datetime) -> Sequence[Received] | CannotTell:
        """Every text that came in to this account since then, the oldest first; to any number of ours."""
        texts = self._since(since, THEIRS)
        if isinstance(texts, CannotTell):
            return texts
        return [Received(text.sid, text.date_created or since, text.from_, text.body or "") for text in reversed(texts)]

    def _since(self, since: datetime, direction: str) -> list[Any] | CannotTell:
        """The account's texts of one direction, the newest first."""
        texts = []
        try:
            for text in self.client.messages.stream(page_size=PAGE):
                if text.date_created is not None and text.date_created < since:
                    break
                if text.direction == direction:
                    texts.append(text)
        except (TwilioException, RequestException, ValueError):
            return CannotTell(for_now=True)
        return texts

    def why_not_let_in(self) -> str | None:
        """Why Twilio does not let this account in, without its words; None when it does."""
        try:
            self.client.messages.list(limit=1)
        except TwilioException as error:
            return f"HTTP {getattr(error, 'status', None)}, code {getattr(error, 'code', None)}"
        except (RequestException, ValueError):
            return "it cannot be reached"
        return None

    def balance(self) -> Balance | None:
        """What is left on the account; None where Twilio does not say (a subaccount)."""
        try:
            told = self.client.balance.fetch()
        except (TwilioException, RequestException, ValueError):
            return None
        return Balance(str(told.balance), str(told.currency)) if told.balance and told.currency else None

    def fetch(self, ref: str) -> Receipt | None:
        try:
            text = self.client.messages(ref).fetch()
        except (TwilioException, RequestException, ValueError):
            return None
        status = STATUSES.get(str(text.status))
        return Receipt(None, ref, status, _code_of(text)) if status else None

    def redact(self, ref: str) -> bool:
        try:
            return not self.client.messages(ref).update(body="").body
        except (TwilioException, RequestException, ValueError):
            return False


def _code_of(text: Any) -> int | None:
    return int(text.error_code) if text.error_code else None


def _silent_logger() -> logging.Logger:
    """The client logs what it asks for, and with it addresses; so does the layer below when it is told to debug."""
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
    logger = logging.getLogger(f"{__name__}.client")
    logger.disabled = True
    return logger


class _OneTry(TwilioHttpClient):  # type: ignore[misc]
    """The client's own transport, which also remembers the Retry-After of this thread's last reply."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._last = local()

    @property
    def retry_after(self) -> timedelta | None:
        return getattr(self._last, "retry_after", None)

    def request(self, *args: Any, **kwargs: Any) -> Response:
        self._last.retry_after = None
        response = super().request(*args, **kwargs)
        asked = (response.headers or {}).get("Retry-After", "")
        self._last.retry_after = timedelta(seconds=int(asked)) if asked.isdecimal() else None
        return response


def surely_not_connected(error: RequestException) -> bool:
    """Whether no byte of the request can have arrived: no name, no route, no one listening, no connection in time."""
    if isinstance(error, ConnectTimeout):
        return True
    cause = error.args[0] if isinstance(error, NotConnected) and error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(reason, HTTPError) and isinstance(reason, NewConnectionError)


def with_token(address: str, token: str) -> str:
    """The address of receipts, with the attempt's token in its query."""
    parts = urlsplit(address)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), (TOKEN_FIELD, token)])
    return urlunsplit(parts._replace(query=query))


def receipt_of(form: Mapping[str, str], token: str | None) -> Receipt | None:
    """The receipt in a status callback; None when it says nothing we act on. `token`: from the callback's query.

    Named fields only: the rest of a callback holds phone numbers.
    """
    status = STATUSES.get(form.get("MessageStatus") or form.get("SmsStatus") or "")
    if status is None:
        return None
    code = form.get("ErrorCode") or ""
    ref = form.get("MessageSid") or form.get("SmsSid") or None
    return Receipt(token or None, ref, status, int(code) if code.isdecimal() else None)


def verified(
    auth_token: str, url: str, params: Mapping[str, Any], signature: str | None, settings_header: str | None = None
) -> bool:
    """Whether a webhook was signed by who holds the token. `url`: as configured and public, with its query.

    `signature` is the header X-Twilio-Signature, `settings_header` X-Twilio-Webhooks-Signature-Settings, which names
    the algorithm where it is not HMAC-SHA1. A signature has no time in it: a replay verifies for ever.
    """
    algorithm = get_signature_algorithm(settings_header)
    return bool(RequestValidator(auth_token).validate(url, params, signature or "", algorithm))
