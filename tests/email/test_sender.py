"""E-mails that are sent, tried again, failed or dropped: one bad e-mail never stops the others."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.email import outbox, sender
from app.email.messages import Composer, Message
from app.email.models import email_rows
from tests.support import mailbox
from tests.support.clock import Clock
from tests.support.server import free_port
from tests.support.sink import Sink, listening

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]

Composers = dict[str, Composer]
ROBIN = "robin@example.com"
PATIENCE = 10


@pytest.fixture
def production(setting: Callable[..., None]) -> None:
    setting(env="production")


async def row() -> Any:
    return await db.fetch_one(sa.select(email_rows))


@asynccontextmanager
async def following(composers: Composers) -> Any:
    """The background task of a worker; ends with the block."""
    task = asyncio.create_task(sender.follow(composers))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - it happens in another thread
            await asyncio.sleep(0.01)


async def test_queued_email_is_sent_once(sink: Sink, composers: Composers) -> None:
    email_id = await outbox.enqueue(db, "hello", recipient=ROBIN)

    rounds = [await sender.send_due(composers) for _ in range(3)]

    assert rounds == [1, 0, 0]
    (received,) = sink.received
    assert (received.recipients, received.part("plain")) == ([ROBIN], "Hello to you.\n")
    assert received.mail["message-id"] == f"<{email_id}@testserver>"
    assert (await row()).sent_at is not None


async def test_composer_sees_the_email_as_it_was_queued(composers: Composers) -> None:
    seen = []

    async def look(email_message: Any) -> None:
        seen.append(
            (
                email_message.kind,
                email_message.recipient,
                email_message.user_id,
                email_message.facts,
                email_message.created_at <= db.utcnow(),
            )
        )

    user_id = db.uuid7()
    await outbox.enqueue(db, "look", user_id=user_id, ip="192.0.2.7")

    await sender.send_due({"look": look})

    assert seen == [("look", "", user_id, {"ip": "192.0.2.7"}, True)]


async def test_email_to_nobody_is_dropped(sink: Sink, composers: Composers) -> None:
    await outbox.enqueue(db, "nobody", recipient=ROBIN)

    await sender.send_due(composers)

    assert sink.received == []
    dropped = await row()
    assert dropped.dropped_at is not None
    assert (dropped.sent_at, dropped.failed_at, dropped.subject) == (None, None, "")


# v5.0.0-16.5.2
async def test_server_that_was_down_gets_the_email_when_it_is_up_again(
    setting: Callable[..., None], clock: Clock, composers: Composers
) -> None:
    port = free_port()
    setting(mail_url=f"smtp://127.0.0.1:{port}")
    await outbox.enqueue(db, "hello", recipient=ROBIN)

    await sender.send_due(composers)
    early = await sender.send_due(composers)
    waiting = await row()
    clock.forward(seconds=10)
    with listening(port=port) as sink:
        await sender.send_due(composers)

    assert early == 0
    assert (waiting.next_try_at, waiting.sent_at) == (clock.now, None)
    assert waiting.error.startswith("SMTPConnectError")
    assert len(sink.received) == 1
    sent = await row()
    assert (sent.attempts, sent.error, sent.sent_at) == (2, "", clock.now)


async def test_email_is_tried_ten_times_within_two_days_and_has_then_failed(
    setting: Callable[..., None], clock: Clock, composers: Composers, logged: list[Any]
) -> None:
    setting(mail_url=f"smtp://127.0.0.1:{free_port()}")
    await outbox.enqueue(db, "hello", recipient=ROBIN)
    began = clock.now

    waits = []
    while (queued := await row()).failed_at is None:
        waits.append(queued.next_try_at - clock.now)
        clock.now = queued.next_try_at
        await sender.send_due(composers)

    assert (queued.attempts, len(waits)) == (10, 10)
    assert waits == sorted(waits)
    assert clock.now - began < timedelta(days=2)
    assert logged[-1]["event"] == "email_undeliverable"
    assert logged[-1]["reason"].startswith("SMTPConnectError")
    assert ROBIN not in str(logged)


async def test_mailbox_that_does_not_exist_fails_at_once_and_one_that_is_full_is_tried_again(
    sink: Sink, composers: Composers, logged: list[Any]
) -> None:
    sink.refuse = {
        "gone@example.com": "550 5.1.1 <gone@example.com> unknown",
        "full@example.com": "452 4.2.2 mailbox full",
    }
    for address in ("gone@example.com", "full@example.com", ROBIN):
        await outbox.enqueue(db, "hello", recipient=address)

    await sender.send_due(composers)

    rows = {each.recipient: each for each in await db.fetch_all(sa.select(email_rows))}
    gone, full = rows["gone@example.com"], rows["full@example.com"]
    assert gone.failed_at is not None
    assert gone.error == "Undeliverable: 550 5.1.1 <gone@example.com> unknown"
    assert (full.failed_at, full.sent_at) == (None, None)
    assert rows[ROBIN].sent_at is not None
    assert [received.recipients for received in sink.received] == [[ROBIN]]
    assert logged
    assert "gone@example.com" not in str(logged)


@pytest.mark.parametrize("end", ["\r\n", "\0", "\u2028"], ids=ascii)
async def test_email_that_would_smuggle_a_header_fails_and_the_others_go_out(
    sink: Sink, composers: Composers, end: str
) -> None:
    """v5.0.0-1.3.11"""

    async def hostile(email_message: Any) -> Message:
        return Message(f"eve@example.com{end}Bcc: robin@example.com", f"Hi{end}Bcc: x", f"a{end}", f"b{end}")

    await outbox.enqueue(db, "hostile")
    await outbox.enqueue(db, "hello", recipient=ROBIN)

    await sender.send_due(composers | {"hostile": hostile})

    failed, sent = await db.fetch_all(sa.select(email_rows).order_by(email_rows.c.id))
    assert failed.failed_at is not None
    assert failed.error.startswith("Undeliverable: the e-mail cannot be composed: ")
    assert sent.sent_at is not None
    assert [received.recipients for received in sink.received] == [[ROBIN]]


async def test_composer_that_fails_is_logged_and_called_again(
    sink: Sink, clock: Clock, composers: Composers, logged: list[Any]
) -> None:
    broken = True

    async def sometimes(email_message: Any) -> Message:
        if broken:
            raise ZeroDivisionError("a mistake of ours")
        return Message(email_message.recipient, "Hello", "Hello.\n", "<p>Hello.</p>\n")

    await outbox.enqueue(db, "sometimes", recipient=ROBIN)
    await outbox.enqueue(db, "hello", recipient=ROBIN)

    await sender.send_due(composers | {"sometimes": sometimes})
    first = len(sink.received)
    broken = False
    clock.forward(seconds=10)
    await sender.send_due(composers | {"sometimes": sometimes})

    assert (first, len(sink.received)) == (1, 2)
    (failed,) = [line for line in logged if line["log_level"] == "warning"]
    assert failed["reason"] == "ZeroDivisionError: a mistake of ours"
    assert isinstance(failed["exc_info"], ZeroDivisionError)


async def test_kind_that_only_a_newer_worker_knows_waits_for_it(sink: Sink, clock: Clock, composers: Composers) -> None:
    await outbox.enqueue(db, "hello", recipient=ROBIN)

    await sender.send_due({})
    error = (await row()).error
    clock.forward(seconds=10)
    await sender.send_due(composers)

    assert error == "UnknownKindError: there is no template for 'hello'"
    assert len(sink.received) == 1


async def test_old_news_are_not_sent(sink: Sink, clock: Clock, composers: Composers) -> None:
    """The mail server was set up a week late: nobody is flooded with links that are over."""
    await outbox.enqueue(db, "hello", recipient=ROBIN)
    clock.forward(days=8)

    await sender.send_due(composers)

    assert sink.received == []
    assert (await row()).error == "Undeliverable: older than 7 days"


async def test_composer_without_a_database_leaves_the_email_to_the_lease(
    sink: Sink, clock: Clock, composers: Composers
) -> None:
    async def offline(_: Any) -> Message:
        raise db.Unavailable("connection lost")

    await outbox.enqueue(db, "hello", recipient=ROBIN)
    await outbox.enqueue(db, "hello", recipient="other@example.com")

    await sender.send_due({"hello": offline})
    clock.forward(seconds=outbox.LEASE.total_seconds())
    await sender.send_due(composers)

    assert len(sink.received) == 2


# v5.0.0-14.2.4
async def test_in_production_nothing_that_an_email_says_is_kept(
    production: None, sink: Sink, composers: Composers, logged: list[Any]
) -> None:
    """A link in it would open an account to anyone who reads the database."""

    async def to_owner(_: Any) -> Message:
        return Message(ROBIN, "Secret subject", "Secret text.\n", "<p>Secret text.</p>\n")

    await outbox.enqueue(db, "owner", user_id=db.uuid7())

    await sender.send_due({"owner": to_owner})

    sent = await row()
    assert sent.sent_at is not None
    assert (sent.recipient, sent.subject, sent.text, sent.html) == ("", "", "", "")
    assert len(sink.received) == 1
    assert logged
    assert "Secret" not in str(logged)
    assert ROBIN not in str(logged)


async def test_in_production_without_a_mail_server_emails_stay_queued(production: None, composers: Composers) -> None:
    await outbox.enqueue(db, "hello", recipient=ROBIN)

    async with asyncio.timeout(PATIENCE):
        await sender.follow(composers)  # ends by itself: there is nothing to do

    queued = await row()
    assert (queued.attempts, queued.sent_at, queued.dropped_at, queued.failed_at) == (0, None, None, None)


async def test_in_development_without_a_mail_server_the_email_is_shown(composers: Composers, logged: list[Any]) -> None:
    await outbox.enqueue(db, "hello", recipient=ROBIN)

    email_messages = await mailbox.delivered(composers)

    assert email_messages == [Message(ROBIN, "Hello", "Hello to you.\n", "<p>Hello to you.</p>\n")]
    assert [line["read_it_at"] for line in logged] == ["https://testserver/dev/mailbox"]
    assert ROBIN not in str(logged)


async def test_commit_wakes_the_sender(sink: Sink, composers: Composers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "POLL_EVERY", 3600)
    async with following(composers):
        await asyncio.sleep(0)
        async with db.transaction() as tx:
            await outbox.enqueue(tx, "hello", recipient=ROBIN)

        await until(lambda: sink.received)


async def test_email_of_another_worker_is_found_too(
    sink: Sink, composers: Composers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "POLL_EVERY", 0.05)
    monkeypatch.setattr(outbox, "_wake", lambda: None)
    async with following(composers):
        await outbox.enqueue(db, "hello", recipient=ROBIN)

        await until(lambda: sink.received)


@pytest.mark.parametrize("error", [db.Unavailable("connection lost"), ZeroDivisionError("a mistake of ours")])
async def test_nothing_ends_the_task(
    sink: Sink, composers: Composers, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(sender, "POLL_EVERY", 0.01)
    answers = iter([error, error])

    async def due(due: Any = outbox.due) -> Any:
        if fault := next(answers, None):
            raise fault
        return await due()

    monkeypatch.setattr(outbox, "due", due)
    await outbox.enqueue(db, "hello", recipient=ROBIN)
    async with following(composers):
        await until(lambda: sink.received)


async def test_email_under_way_arrives_and_is_written_down_when_the_worker_stops(
    sink: Sink, composers: Composers
) -> None:
    sink.seconds = 0.5
    began = asyncio.Event()

    async def slow(email_message: Any) -> Any:
        began.set()
        return await composers["hello"](email_message)

    for _ in range(2 * sender.AT_ONCE):
        await outbox.enqueue(db, "slow", recipient=ROBIN)
    async with following({"slow": slow}):
        await began.wait()

    settled = await db.fetch_all(sa.select(email_rows.c.sent_at).where(email_rows.c.attempts > 0))
    assert len(sink.received) == len(settled) == sender.AT_ONCE  # and no new ones were begun
    assert None not in [each.sent_at for each in settled]
