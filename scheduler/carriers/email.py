"""How does a text go out as a mail, and what does a mail server's reply mean?

By SMTP (RFC 5321), one connection a mail, never a second try. The server cannot be asked afterwards: once the words
have begun to leave, a reply that is lost leaves the mail unknown for a person to settle. Until then nothing was sent.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP as LINES_OF_SMTP
from email.utils import format_datetime
from typing import Literal

from scheduler.outcomes import refusal_of
from scheduler.ports import Accepted, CannotTell, Letter, Outcome, Refused, Trace, Unknown

TIMEOUT_SECONDS = 10.0
OK, SEND_THE_WORDS = 250, 354
AUTHENTICATION_WANTED = 530
FOR_NOW, FOR_GOOD = range(400, 500), range(500, 600)
NO_SUCH_MAILBOX = frozenset({550, 551, 553})
POLICY = b"5.7."  # RFC 3463: security or policy; says nothing certain about the address
STARTS_WITH_A_DOT = re.compile(rb"(?m)^\.")  # RFC 5321, section 4.5.2: a dot alone ends the words
Security = Literal["starttls", "tls", "none"]


class Email:
    """A mail server that takes mails for the world. `sender`: the address they come from.

    security: starttls (port 587), tls from the first byte (port 465), or none, for a relay on the same machine. The
    server's certificate is checked against `certificates`, by default the machine's own.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        sender: str,
        clock: Callable[[], datetime],
        security: Security = "starttls",
        user: str = "",
        password: str = "",
        timeout_seconds: float = TIMEOUT_SECONDS,
        certificates: ssl.SSLContext | None = None,
    ) -> None:
        self.host, self.port, self.sender, self.clock = host, port, sender, clock
        self.security, self.user, self._password = security, user, password
        self.timeout_seconds, self.certificates = timeout_seconds, certificates

    def send(self, letter: Letter, token: str) -> Outcome:
        if letter.valid_until <= self.clock():
            return Refused(None, "later")
        opened = self._open()
        if isinstance(opened, Refused):
            return opened
        try:
            refused = self._address(opened, letter.to)
            return refused or _hand_over(opened, self._mail(letter, token), reference(token, self.sender))
        finally:
            opened.close()

    def find(self, trace: Trace, token: str, since: datetime) -> CannotTell:
        """A mail server knows of nothing that it has taken."""
        return CannotTell()

    def why_not_let_in(self) -> str | None:
        """Why the server does not let this service in, without its words; None when it does."""
        opened = self._open()
        if isinstance(opened, Refused):
            return f"SMTP {opened.code}" if opened.code else "it cannot be reached, or its certificate is not trusted"
        opened.close()
        return None

    def _open(self) -> smtplib.SMTP | Refused:
        """Connected, encrypted and let in; or why not, and then surely nothing was sent."""
        context = self.certificates or ssl.create_default_context()
        try:
            server = (
                smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout_seconds, context=context)
                if self.security == "tls"
                else smtplib.SMTP(self.host, self.port, timeout=self.timeout_seconds)
            )
        except (smtplib.SMTPException, OSError) as error:
            return _not_let_in(error)
        try:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.user:
                server.login(self.user, self._password)
            server.ehlo_or_helo_if_needed()
        except (smtplib.SMTPException, OSError) as error:
            server.close()
            return _not_let_in(error)
        return server

    def _address(self, server: smtplib.SMTP, to: str) -> Refused | None:
        """Say from whom and to whom; the refusal, if there is one."""
        try:
            code, _ = server.mail(self.sender)
            if code != OK:
                return Refused(code, "later" if code in FOR_NOW else "stop_sender")
            code, words = server.rcpt(to)
        except (smtplib.SMTPException, OSError):
            return Refused(None, "later")
        return None if code in (250, 251) else _refused(code, words)

    def _mail(self, letter: Letter, token: str) -> bytes:
        mail = EmailMessage(policy=LINES_OF_SMTP)
        mail["From"], mail["To"], mail["Subject"] = self.sender, letter.to, letter.subject
        mail["Date"], mail["Message-ID"] = format_datetime(self.clock()), reference(token, self.sender)
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no machine is to answer
        mail.set_content(letter.body, cte="quoted-printable")
        return mail.as_bytes()


def reference(token: str, sender: str) -> str:
    """The Message-ID of an attempt: by it a person finds the mail in a server's log."""
    return f"<{token}@{sender.rpartition('@')[2]}>"


def _hand_over(server: smtplib.SMTP, mail: bytes, ref: str) -> Outcome:
    try:
        code, words = server.docmd("data")
    except (smtplib.SMTPException, OSError):
        return Refused(None, "later")
    if code != SEND_THE_WORDS:
        return _refused(code, words)
    try:
        server.send(STARTS_WITH_A_DOT.sub(b"..", mail) + b".\r\n")
        code, words = server.getreply()
    except (smtplib.SMTPException, OSError):
        return Unknown()
    if code == OK:
        return Accepted(ref)
    return _refused(code, words) if code in FOR_NOW or code in FOR_GOOD else Unknown(code)


def _refused(code: int, words: bytes) -> Refused:
    """What follows from a refusal of this mail: RFC 5321, section 4.2.1, 4yz for now and 5yz for good."""
    known = refusal_of(code)
    if known is not None:
        return known
    if code in FOR_NOW:
        return Refused(code, "later")
    if code == AUTHENTICATION_WANTED:
        return Refused(code, "stop_sender")
    return Refused(code, "never" if code in NO_SUCH_MAILBOX and not words.startswith(POLICY) else "ask_person")


def _not_let_in(error: Exception) -> Refused:
    """Nothing was sent. What will not heal by itself stops the sender."""
    if isinstance(error, smtplib.SMTPResponseException):
        return Refused(error.smtp_code, "later" if error.smtp_code in FOR_NOW else "stop_sender")
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return Refused(None, "later")
    lasting = isinstance(error, (smtplib.SMTPException, ssl.SSLCertVerificationError))  # what we ask is not offered
    return Refused(None, "stop_sender" if lasting else "later")
