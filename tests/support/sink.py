"""A real SMTP server on the loopback interface that keeps what it is given."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.support.server import free_port


@dataclass(frozen=True)
class Received:
    sender: str
    recipients: list[str]
    mail: EmailMessage

    def part(self, kind: str) -> str:
        """The text of the part: "plain" or "html"."""
        found = self.mail.get_body((kind,))
        assert found is not None
        return str(found.get_content()).replace("\r\n", "\n")


@dataclass
class Sink:
    """`refuse`: address -> the answer to RCPT, such as "550 5.1.1 nobody here". `refuse_text`: the answer to a text."""

    host: str
    port: int
    refuse: dict[str, str] = field(default_factory=dict)
    refuse_text: str = ""
    seconds: float = 0  # delay before it accepts an e-mail
    received: list[Received] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://{self.host}:{self.port}"

    async def handle_RCPT(self, _: Any, __: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:  # noqa: N802 - the names aiosmtpd calls
        await asyncio.sleep(self.seconds)
        if self.refuse_text:
            return self.refuse_text
        mail = message_from_bytes(envelope.content, policy=policy.SMTP)
        self.received.append(Received(envelope.mail_from, list(envelope.rcpt_tos), mail))
        return "250 OK"

    def authenticate(self, _: Any, __: Any, ___: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=True)


@contextmanager
def listening(
    host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None, at_once: bool = False, **options: Any
) -> Iterator[Sink]:
    """`tls`: the server's context; STARTTLS is then a must, and a login is offered. 127.0.0.2 is not "this machine".

    `at_once`: encrypted from the first byte on instead (smtps).
    """
    sink = Sink(host, port or free_port(), **options)
    how: dict[str, Any] = {}
    if tls and at_once:
        how = {"ssl_context": tls}
    elif tls:
        how = {"authenticator": sink.authenticate, "require_starttls": True, "tls_context": tls}
    controller = Controller(sink, hostname=sink.host, port=sink.port, server_hostname="sink.example", **how)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()
