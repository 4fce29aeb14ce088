"""E-mail through the API of a provider: what is asked of it, over real TLS, and which refusals are final."""

import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
import trustme

from app import db
from app.email import https_api, outbox, sender, transport
from app.email.messages import Composer, Message
from app.email.models import email_rows
from app.setting_checks import MAIL_APIS
from tests.support import mail_api
from tests.support.mail_api import MailApi
from tests.support.server import free_port

pytestmark = pytest.mark.anyio

KEY = "key/with:signs"
QUOTED = "key%2Fwith%3Asigns"
PROVIDERS = sorted(https_api.PROVIDERS)
MESSAGE = Message("robin@example.com", "Grüße, 你好", "Grüße.\n\nHi.\n", "<p>Grüße.</p>\n")


def context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(made)
    return made


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[trustme.CA]:
    """One whose certificates this machine trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    https_api._tls.cache_clear()
    yield authority
    https_api._tls.cache_clear()


@pytest.fixture
def api(authority: trustme.CA) -> Iterator[MailApi]:
    with mail_api.listening(context(authority)) as api:
        yield api


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest, api: MailApi, setting: Callable[..., None]) -> str:
    """Each provider in turn; the settings lead to it."""
    name = str(request.param)
    setting(mail_url=api.url(name, QUOTED), mail_from="The Sender <sender@mail.example>")
    return name


async def send(email_id: Any = None) -> None:
    await transport.send(transport.written(MESSAGE, email_id or db.uuid7(), db.utcnow()))


def test_settings_and_code_know_the_same_providers() -> None:
    assert https_api.PROVIDERS.keys() == MAIL_APIS.keys()


async def test_e_mail_arrives_as_the_provider_wants_it(api: MailApi, provider: str) -> None:
    email_id = db.uuid7()

    await send(email_id)

    ((method, path, headers, body),) = api.asked
    if provider == "postmark":
        assert (method, path, headers["x-postmark-server-token"]) == ("POST", "/email", KEY)
        assert body == {
            "From": "The Sender <sender@mail.example>", "To": "robin@example.com", "Subject": "Grüße, 你好",
            "TextBody": "Grüße.\n\nHi.\n", "HtmlBody": "<p>Grüße.</p>\n", "MessageStream": "outbound",
            "Headers": [{"Name": "Auto-Submitted", "Value": "auto-generated"}],
        }  # fmt: skip
    else:
        assert (method, path, headers["authorization"]) == ("POST", "/emails", f"Bearer {KEY}")
        assert headers["idempotency-key"] == str(email_id)
        assert body == {
            "from": "The Sender <sender@mail.example>", "to": ["robin@example.com"], "subject": "Grüße, 你好",
            "text": "Grüße.\n\nHi.\n", "html": "<p>Grüße.</p>\n", "headers": {"Auto-Submitted": "auto-generated"},
        }  # fmt: skip
    assert KEY not in path + str(body)


@pytest.mark.parametrize(
    ("provider", "status", "said", "final"),
    [
        ("postmark", 422, {"ErrorCode": 406, "Message": "inactive recipient"}, True),
        ("postmark", 422, {"ErrorCode": 300, "Message": "Invalid 'To' address"}, True),
        ("postmark", 422, {"ErrorCode": 400, "Message": "Sender Signature not found"}, False),
        ("postmark", 401, {"ErrorCode": 10, "Message": "Bad or missing API token"}, False),
        ("postmark", 429, {"ErrorCode": 429, "Message": "Rate limit"}, False),
        ("postmark", 500, b"<html>", False),
        ("postmark", 503, ["no object"], False),
        ("resend", 422, {"name": "validation_error", "message": "Invalid `to` field"}, True),
        ("resend", 422, {"name": "invalid_from_address", "message": "Invalid `from`"}, False),
        ("resend", 400, {"name": "validation_error", "message": "API key is invalid"}, False),
        ("resend", 403, {"name": "validation_error", "message": "The domain is not verified"}, False),
        ("resend", 409, {"name": "concurrent_idempotent_requests", "message": "in progress"}, False),
        ("resend", 429, {"name": "daily_quota_exceeded", "message": "quota"}, False),
        ("resend", 503, b"", False),
    ],
    indirect=["provider"],
)  # fmt: skip
async def test_refusal_is_final_or_not(api: MailApi, provider: str, status: int, said: Any, final: bool) -> None:
    api.answer = (status, said, {})

    with pytest.raises(transport.Undeliverable if final else transport.Failed, match=str(status)) as refused:
        await send()

    words = said.get("Message") or said.get("message") if isinstance(said, dict) else ""
    assert words in str(refused.value)


async def test_key_is_in_no_error_and_goes_to_no_other_address(api: MailApi, provider: str) -> None:
    """v5.0.0-16.2.5"""
    api.answer = (401, {"ErrorCode": 10, "name": "x", "Message": f"{KEY} is bad", "message": f"{KEY} is bad"}, {})
    with pytest.raises(transport.Failed) as refused:
        await send()
    assert "*** is bad" in str(refused.value)
    assert KEY not in str(refused.value)

    api.answer = (307, {}, {"Location": f"https://127.0.0.1:{api.port}/elsewhere"})
    with pytest.raises(transport.Failed, match="307"):
        await send()
    assert "/elsewhere" not in [path for _, path, _, _ in api.asked]


# v5.0.0-12.3.2
@pytest.mark.parametrize("fault", ["another authority's certificate", "another host's certificate"])
@pytest.mark.parametrize("name", PROVIDERS)
async def test_nothing_is_sent_to_whom_cannot_be_trusted(
    setting: Callable[..., None], authority: trustme.CA, name: str, fault: str
) -> None:
    contexts = {
        "another authority's certificate": context(trustme.CA()),
        "another host's certificate": context(authority, "mail.example"),
    }
    with mail_api.listening(contexts[fault]) as api:
        setting(mail_url=api.url(name, QUOTED))

        with pytest.raises(transport.Failed, match="does not answer"):
            await send()

    assert api.asked == []


async def test_api_that_hangs_is_given_up(setting: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https_api, "STEP_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        setting(mail_url=f"postmark+https://{QUOTED}@127.0.0.1:{silent.getsockname()[1]}")

        with pytest.raises(transport.Failed, match="does not answer"):
            await send()


async def test_api_that_is_not_there_is_a_failure_that_may_pass(setting: Callable[..., None]) -> None:
    setting(mail_url=f"resend+https://{QUOTED}@127.0.0.1:{free_port()}")

    with pytest.raises(transport.Failed, match="does not answer"):
        await send()


async def test_check_asks_with_the_key_and_sends_nothing(api: MailApi, provider: str) -> None:
    assert await transport.greet() == "127.0.0.1"

    ((method, path, headers, body),) = api.asked
    assert (method, path, body) == ("GET", https_api.PROVIDERS[provider].check, None)
    assert KEY in headers.get("x-postmark-server-token", "") + headers.get("authorization", "")
    api.answer = (401, {"ErrorCode": 10, "name": "validation_error", "message": "API key is invalid"}, {})
    with pytest.raises(transport.Failed, match="401"):
        await transport.greet()


@pytest.mark.parametrize("provider", ["resend"], indirect=True)
async def test_key_that_may_only_send_passes_the_check(api: MailApi, provider: str) -> None:
    api.answer = (401, {"name": "restricted_api_key", "message": "restricted to only send emails"}, {})

    assert await transport.greet() == "127.0.0.1"


@pytest.mark.parametrize("provider", ["postmark"], indirect=True)
async def test_sender_tries_again_or_gives_up_as_with_smtp(
    database: str, api: MailApi, provider: str, composers: dict[str, Composer], logged: list[dict[str, Any]]
) -> None:
    """The rows of both, and no key, address or text in the log."""
    api.answer = (500, {"Message": f"{KEY} robin@example.com"}, {})
    async with db.transaction() as tx:
        first = await outbox.enqueue(tx, "hello", recipient="robin@example.com")
    await sender.send_due(composers)
    api.answer = (422, {"ErrorCode": 406, "Message": "bounced before"}, {})
    async with db.transaction() as tx:
        second = await outbox.enqueue(tx, "hello", recipient="kim@example.com")
    await sender.send_due(composers)

    rows = {row.id: row for row in await db.fetch_all(sa.select(email_rows))}
    assert (rows[first].failed_at, rows[first].attempts) == (None, 1)
    assert rows[second].failed_at is not None
    assert [line["event"] for line in logged] == ["email_retried", "email_undeliverable"]
    assert not [line for line in logged if KEY in str(line) or "robin@example.com" in str(line) or line.get("exc_info")]


@pytest.mark.parametrize("provider", ["resend", "postmark"], indirect=True)
async def test_key_that_a_provider_repeats_at_the_end_of_a_long_answer_is_cut_out_whole(
    api: MailApi, provider: str
) -> None:
    """A reason is cut to a length for the log; half a key there would be found by no search."""
    for length in range(150, 200, 5):
        words = "x" * length + KEY
        api.answer = (401, {"ErrorCode": 10, "name": "validation_error", "Message": words, "message": words}, {})

        with pytest.raises(transport.Failed) as failed:
            await send()

        assert KEY[:6] not in str(failed.value)
