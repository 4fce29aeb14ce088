"""E-mails in the database: queued in the caller's transaction, claimed by one worker, stored for a while."""

import asyncio

import pytest
import sqlalchemy as sa

from app import db
from app.email import outbox
from app.email.models import email_rows
from tests.support.clock import Clock

pytestmark = [pytest.mark.database, pytest.mark.anyio, pytest.mark.usefixtures("database")]


async def count() -> int:
    return int(await db.fetch_value(sa.select(sa.func.count()).select_from(email_rows)))


async def claimed(most: int = 100) -> list[outbox.QueuedEmail]:
    now = await outbox.due()
    return await outbox.claim(now, most) if now else []


async def test_email_is_queued_with_its_facts() -> None:
    user_id = db.uuid7()
    email_id = await outbox.enqueue(
        db, "hello", recipient="robin@example.com", user_id=user_id, device="Chrome on Linux"
    )

    (email_message,) = await claimed()

    assert (email_message.id, email_message.kind, email_message.recipient) == (email_id, "hello", "robin@example.com")
    assert (email_message.user_id, email_message.facts, email_message.attempts) == (
        user_id,
        {"device": "Chrome on Linux"},
        1,
    )


# v5.0.0-2.3.3
async def test_email_of_a_failed_transaction_is_not_queued() -> None:
    async def change_of_mind() -> None:
        async with db.transaction() as tx:
            await outbox.enqueue(tx, "hello", recipient="robin@example.com")
            raise ZeroDivisionError

    with outbox.wakeup() as woken, pytest.raises(ZeroDivisionError):
        await change_of_mind()

    assert not woken.is_set()
    assert await count() == 0


async def test_sender_is_woken_by_the_commit_and_not_before() -> None:
    with outbox.wakeup() as woken:
        async with db.transaction() as tx:
            await outbox.enqueue(tx, "hello", recipient="robin@example.com")
            before = woken.is_set()

        assert (before, woken.is_set()) == (False, True)


async def test_claimed_email_is_nobody_elses_until_the_lease_is_over(clock: Clock) -> None:
    await outbox.enqueue(db, "hello", recipient="robin@example.com")
    first = await claimed()

    during = await claimed()
    clock.forward(seconds=outbox.LEASE.total_seconds())
    after = await claimed()

    assert [email_message.attempts for email_message in first] == [1]
    assert during == []
    assert [email_message.attempts for email_message in after] == [2]


async def test_of_many_who_claim_at_once_one_gets_each_email() -> None:
    for _ in range(40):
        await outbox.enqueue(db, "hello", recipient="robin@example.com")

    rounds = await asyncio.gather(*(claimed(7) for _ in range(10)))

    ids = [email_message.id for email_messages in rounds for email_message in email_messages]
    assert len(ids) == len(set(ids))
    assert max(len(email_messages) for email_messages in rounds) <= 7


async def test_late_news_of_a_claim_that_is_over_changes_nothing(clock: Clock) -> None:
    await outbox.enqueue(db, "hello", recipient="robin@example.com")
    (slow,) = await claimed()
    clock.forward(seconds=outbox.LEASE.total_seconds())
    await claimed()

    await outbox.finish(slow, failed_at=clock.now)

    assert await db.fetch_value(sa.select(email_rows.c.failed_at)) is None


async def test_email_that_was_sent_is_sent_no_matter_who_held_the_claim(clock: Clock) -> None:
    await outbox.enqueue(db, "hello", recipient="robin@example.com")
    (slow,) = await claimed()
    clock.forward(seconds=outbox.LEASE.total_seconds())
    (other,) = await claimed()
    await outbox.finish(other, failed_at=clock.now, error="no answer")

    await outbox.finish(slow, sent_at=clock.now, failed_at=None, error="")
    await outbox.finish(other, failed_at=clock.now, error="no answer")

    row = await db.fetch_one(sa.select(email_rows))
    assert (row.sent_at, row.failed_at, row.error) == (clock.now, None, "")


async def test_emails_are_pruned_once_they_are_done_and_never_while_they_are_queued(clock: Clock) -> None:
    for _ in range(3):
        await outbox.enqueue(db, "hello", recipient="robin@example.com")
    sent, failed, _ = await claimed()
    await outbox.finish(sent, sent_at=clock.now, next_try_at=clock.now + outbox.RETENTION)
    await outbox.finish(failed, failed_at=clock.now, next_try_at=clock.now + outbox.FAILED_RETENTION)

    pruned = [await outbox.prune(clock.forward(**later)) for later in ({"days": 6}, {"days": 1}, {"days": 22})]
    left = await count()

    assert pruned == [0, 1, 0]
    assert left == 2
    assert await outbox.prune(clock.forward(days=1)) == 2  # nobody ever sent the third one


async def test_email_that_was_sent_is_not_due_again(clock: Clock) -> None:
    await outbox.enqueue(db, "hello", recipient="robin@example.com")
    (email_message,) = await claimed()
    await outbox.finish(email_message, sent_at=clock.now, next_try_at=clock.now + outbox.RETENTION)

    assert await outbox.due() is None
    clock.forward(days=8)  # not pruned yet
    assert await outbox.due() is None
