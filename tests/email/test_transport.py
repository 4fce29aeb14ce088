"""What goes over the wire, and over which wires it does not go: a real SMTP server at the other end."""

import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from app import db
from app.email import transport
from app.email.messages import Message
from app.settings import get_settings
from tests.support.server import free_port
from tests.support.sink import Sink, listening

pytestmark = pytest.mark.anyio

ELSEWHERE = "127.0.0.2"  # no name of this machine, as far as the rule for STARTTLS knows
LINE_ENDS = ["\r\n", "\n", "\r", "\0", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"]
BCC = "Bcc: eve@evil.example"


def message(recipient: str = "robin@example.com", subject: str = "Hello", **parts: str) -> Message:
    return Message(recipient, subject, **{"text": "Grüße.\n", "html": "<p>Grüße.</p>\n"} | parts)


async def send(made: Message) -> None:
    await transport.send(transport.written(made, db.uuid7(), db.utcnow()))


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[trustme.CA]:
    """One whose certificates this machine trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    transport._tls.cache_clear()
    yield authority
    transport._tls.cache_clear()


def certificate(authority: trustme.CA, name: str = ELSEWHERE) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_email_arrives_in_both_forms_with_its_headers(sink: Sink) -> None:
    email_id = db.uuid7()

    await transport.send(transport.written(message(subject="Grüße, 你好"), email_id, db.utcnow()))

    (received,) = sink.received
    assert (received.sender, received.recipients) == ("no-reply@testserver", ["robin@example.com"])
    assert received.mail["from"] == "Lanyard <no-reply@testserver>"
    assert received.mail["to"] == "robin@example.com"
    assert received.mail["subject"] == "Grüße, 你好"
    assert received.mail["message-id"] == f"<{email_id}@testserver>"
    assert received.mail["auto-submitted"] == "auto-generated"
    assert received.mail["date"].datetime.tzinfo is not None
    assert received.mail.get_content_type() == "multipart/alternative"
    assert (received.part("plain"), received.part("html")) == ("Grüße.\n", "<p>Grüße.</p>\n")


async def test_sender_is_who_the_setting_says(sink: Sink, setting: Callable[..., None]) -> None:
    setting(mail_from="The Sender <sender@mail.example>")

    await send(message())

    assert sink.received[0].sender == "sender@mail.example"
    assert sink.received[0].mail["from"] == "The Sender <sender@mail.example>"


async def test_address_outside_ascii_is_reached_by_its_other_name(sink: Sink) -> None:
    await send(message(recipient="robin@bücher.example"))

    assert sink.received[0].recipients == ["robin@xn--bcher-kva.example"]


# v5.0.0-1.3.11
@pytest.mark.parametrize("end", LINE_ENDS, ids=ascii)
@pytest.mark.parametrize(
    "hostile",
    [
        lambda end: message(recipient=f"robin@example.com{end}{BCC}"),
        lambda end: message(recipient=f"robin{end}@example.com"),
        lambda end: message(recipient=f"robin@example.com{end}"),
        lambda end: message(subject=f"Hello{end}{BCC}"),
        lambda end: message(subject=f"Hello{end}"),
    ],
    ids=["after the address", "in the address", "behind the address", "in the subject", "behind the subject"],
)
def test_line_end_in_a_header_is_refused(end: str, hostile: Callable[[str], Message]) -> None:
    """v5.0.0-1.3.11"""
    with pytest.raises(transport.Undeliverable, match="cannot be composed"):
        transport.written(hostile(end), db.uuid7(), db.utcnow())


@pytest.mark.parametrize(
    "recipient",
    [
        "", "robin", "robin@", "@example.com",
        "robin@example.com, eve@evil.example", "robin@example.com;eve@evil.example",
        "<robin@example.com>", "Robin <robin@example.com>", "robin@example.com> RCPT TO:<eve@evil.example",
        '"a b"@example.com', "a(c)@example.com", "robin@[127.0.0.1]", "robin@example.com eve@evil.example",
        "röbin@example.com",
    ],
)  # fmt: skip
def test_what_is_not_one_plain_address_is_refused(recipient: str) -> None:
    with pytest.raises(transport.Undeliverable, match="cannot be composed"):
        transport.written(message(recipient=recipient), db.uuid7(), db.utcnow())


async def test_line_that_ends_an_email_in_smtp_does_not_end_this_one(sink: Sink) -> None:
    text = "One.\n.\nMAIL FROM:<eve@evil.example>\nRCPT TO:<robin@example.com>\n"

    await send(message(text=text))

    assert len(sink.received) == 1
    assert sink.received[0].part("plain") == text


async def test_refused_recipient_is_undeliverable_for_good_or_for_now(sink: Sink) -> None:
    sink.refuse = {"gone@example.com": "550 5.1.1 nobody here", "full@example.com": "452 4.2.2 mailbox full"}

    with pytest.raises(transport.Undeliverable, match=r"550 5\.1\.1 nobody here"):
        await send(message("gone@example.com"))
    with pytest.raises(transport.Failed):
        await send(message("full@example.com"))

    assert sink.received == []


async def test_refused_text_is_undeliverable_for_good_or_for_now(sink: Sink) -> None:
    """RFC 5321 section 4.2.1: what begins with 5 after DATA is as final as at RCPT."""
    for answer in ("550 5.7.1 not wanted here", "552 5.3.4 too big", "554 5.6.0 no"):
        sink.refuse_text = answer
        with pytest.raises(transport.Undeliverable, match=answer):
            await send(message())
    sink.refuse_text = "451 4.7.1 come back later"
    with pytest.raises(transport.Failed, match="come back later"):
        await send(message())

    assert sink.received == []


# v5.0.0-12.3.1
async def test_elsewhere_the_email_and_the_login_are_encrypted(
    setting: Callable[..., None], authority: trustme.CA
) -> None:
    with listening(ELSEWHERE, tls=certificate(authority)) as sink:
        setting(mail_url=f"smtp://mail%40example.com:p%40ss%2Fword@{ELSEWHERE}:{sink.port}")

        await send(message())

    assert len(sink.received) == 1
    assert sink.logins == [(b"mail@example.com", b"p@ss/word")]


@pytest.mark.parametrize("trusted", [True, False])
async def test_encrypted_from_the_first_byte_and_to_whom_is_trusted_alone(
    setting: Callable[..., None], authority: trustme.CA, trusted: bool
) -> None:
    """smtps://, on this machine too."""
    context = certificate(authority if trusted else trustme.CA(), "127.0.0.1")
    with listening(tls=context, at_once=True) as sink:
        setting(mail_url=f"smtps://127.0.0.1:{sink.port}")

        if trusted:
            await send(message())
        else:
            with pytest.raises(transport.Failed):
                await send(message())

    assert len(sink.received) == trusted


# v5.0.0-12.3.2
@pytest.mark.parametrize("fault", ["no encryption", "another authority's certificate", "another host's certificate"])
async def test_elsewhere_nothing_is_sent_to_whom_cannot_be_trusted(
    setting: Callable[..., None], authority: trustme.CA, fault: str
) -> None:
    contexts = {
        "no encryption": None,
        "another authority's certificate": certificate(trustme.CA()),
        "another host's certificate": certificate(authority, "mail.example"),
    }
    with listening(ELSEWHERE, tls=contexts[fault]) as sink:
        setting(mail_url=f"smtp://mail:secret@{ELSEWHERE}:{sink.port}")

        with pytest.raises(transport.Failed) as refused:
            await send(message())

    assert (sink.received, sink.logins) == ([], [])
    assert "secret" not in str(refused.value)


async def test_server_that_hangs_is_given_up(setting: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "STEP_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        setting(mail_url=f"smtp://127.0.0.1:{silent.getsockname()[1]}")

        with pytest.raises(transport.Failed):
            await send(message())


async def test_server_that_is_not_there_is_a_failure_that_may_pass(setting: Callable[..., None]) -> None:
    setting(mail_url=f"smtp://127.0.0.1:{free_port()}")

    with pytest.raises(transport.Failed):
        await send(message())


# v5.0.0-16.2.5
def test_password_of_the_mail_server_is_never_shown(setting: Callable[..., None]) -> None:
    setting(mail_url="smtps://mail:pass-word@mail.example")

    assert "pass-word" not in repr(get_settings()) + str(get_settings())
