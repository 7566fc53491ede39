"""A mail server on loopback (aiosmtpd), which remembers what it took and answers by a script."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "epro", "a password of the mail server"
TAKEN = "250 taken"


@dataclass
class MailServer:
    """`at_rcpt` and `at_data` are replies, one a mail, before the usual one. `drops`, `waits`: after it took a mail."""

    host: str = "127.0.0.1"
    port: int = 0
    at_mail: list[str] = field(default_factory=list)
    at_rcpt: list[str] = field(default_factory=list)
    at_data: list[str] = field(default_factory=list)
    drops: bool = False
    waits: bool = False
    taken: list[EmailMessage] = field(default_factory=list)
    to: list[str] = field(default_factory=list)

    async def handle_MAIL(self, _s: SMTP, _session: Session, envelope: Envelope, address: str, _o: list[str]) -> str:
        envelope.mail_from = address
        return self.at_mail.pop(0) if self.at_mail else "250 OK"

    async def handle_RCPT(self, _s: SMTP, _session: Session, envelope: Envelope, address: str, _o: list[str]) -> str:
        reply = self.at_rcpt.pop(0) if self.at_rcpt else "250 OK"
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        reply = self.at_data.pop(0) if self.at_data else TAKEN
        if reply == TAKEN:
            content = envelope.content if isinstance(envelope.content, bytes) else b""
            self.taken.append(email.message_from_bytes(content, policy=email.policy.default))
            self.to += envelope.rcpt_tos
        if self.drops and server.transport is not None:
            server.transport.abort()  # type: ignore[attr-defined]
        if self.waits:
            await asyncio.sleep(30)
        return reply

    def authenticate(self, _server: SMTP, _session: Any, _envelope: Any, _how: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)


@contextmanager
def running(**options: Any) -> Iterator[MailServer]:
    """options: of aiosmtpd's SMTP, such as tls_context or auth_required."""
    server = MailServer(port=a_free_port())
    controller = Controller(
        server,
        hostname=server.host,
        port=server.port,
        authenticator=server.authenticate,
        **{"auth_require_tls": False, **options},
    )
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def certificates(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's own certificate for 127.0.0.1, and a client that trusts it alone."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    in_pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(in_pem, serialization.PrivateFormat.PKCS8, plain) + certificate.public_bytes(in_pem)
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))
