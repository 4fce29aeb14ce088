"""What is over is deleted, and nothing else."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app import db, maintenance
from app.auth import email_links, form_submissions
from app.auth.accounts import account_deletion, login_flow
from app.auth.models import counter_rows, invalidation_rows, link_rows, session_rows, submission_rows, user_rows
from app.auth.rate_limit import counters
from app.auth.sessions import lifetime, session_cache
from app.email import outbox
from app.email.models import email_rows
from app.mfa.models import authenticator_rows, passkey_rows, recovery_rows
from app.web import features
from tests.support.clock import Clock
from tests.support.device import with_a_device
from tests.support.people import make_user, start_session
from tests.support.phone import with_a_phone

pytestmark = [pytest.mark.database, pytest.mark.anyio, pytest.mark.usefixtures("database")]

TABLES = {
    "emails": email_rows,
    "mailed links": link_rows,
    "sessions": session_rows,
    "cache invalidations": invalidation_rows,
    "rate limit counters": counter_rows,
    "forms": submission_rows,
}
A_LOOK = timedelta(seconds=1)


async def rows() -> dict[str, int]:
    count = sa.select(sa.func.count())
    return {name: await db.fetch_value(count.select_from(table)) for name, table in TABLES.items()}


@pytest.fixture
async def one_of_each(clock: Clock) -> Any:
    """A row in each table, and when it is over."""
    person = await make_user()
    await start_session(person)
    async with db.transaction() as tx:
        link = await email_links.make(tx, email_links.RESET, clock.now, user_id=person.id)
        await session_cache.invalidate(tx, user_id=person.id)
    await counters.add({"key": timedelta(minutes=5)}, 1, clock.now)
    await form_submissions.claim(form_submissions.of("key", "/address", {}, {}, clock.now), clock.now)
    await outbox.enqueue(db, "hello", recipient=person.email)
    (email_message,) = await outbox.claim(clock.now, 1)
    await outbox.finish(email_message, sent_at=clock.now, next_try_at=clock.now + outbox.RETENTION)
    session = await db.fetch_one(sa.select(session_rows))
    return {
        "emails": clock.now + outbox.RETENTION - A_LOOK,
        "mailed links": link.ends_at + email_links.RETENTION,
        "sessions": session.ends_at + lifetime.RETENTION,
        "cache invalidations": clock.now + session_cache.RETENTION,
        "rate limit counters": clock.now + timedelta(minutes=5) + counters.RETENTION,
        "forms": clock.now + form_submissions.LIFETIME - A_LOOK,
    }


# v5.0.0-14.2.7
async def test_each_row_stays_to_its_last_moment_and_no_longer(clock: Clock, one_of_each: Any) -> None:
    kernel = [each for each in features.registered() if each.name in ("auth", "email", "mfa")]
    tasks = {name for each in kernel for name in each.maintenance}
    assert tasks == {"accounts", "void second factors", *one_of_each}  # for those two see below
    for name, last in sorted(one_of_each.items(), key=lambda item: item[1]):
        clock.now = last
        before = await maintenance.run()
        clock.now = last + A_LOOK
        after = await maintenance.run()

        assert {before[task] for task in tasks} == {0}, name
        assert {task for task in tasks if after[task]} == {name}
        assert after[name] == 1
    assert await rows() == dict.fromkeys(TABLES, 0)


async def test_account_that_was_given_up_goes_when_its_time_is_over(clock: Clock) -> None:
    person = await make_user()
    await account_deletion.schedule(person.id)

    clock.forward(days=14, seconds=-1)
    assert (await maintenance.run())["accounts"] == 0
    clock.forward(seconds=1)
    assert (await maintenance.run())["accounts"] == 1

    assert await db.fetch_all(sa.select(user_rows)) == []


async def test_many_rows_go_in_pieces(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "PRUNED", 3)
    await counters.add({f"key {number}": timedelta(minutes=5) for number in range(10)}, 1, clock.now)
    clock.forward(hours=2)

    assert (await maintenance.run())["rate limit counters"] == 10


async def test_two_workers_may_do_it_at_once(clock: Clock, one_of_each: Any) -> None:
    clock.forward(days=100)

    both = await asyncio.gather(maintenance.run(), maintenance.run())

    assert {name: sum(each[name] for each in both) for name in TABLES} == dict.fromkeys(TABLES, 1)


async def test_database_that_is_away_does_not_end_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    done = asyncio.Event()
    answers = iter([db.Unavailable("connection lost"), ZeroDivisionError("a mistake of ours")])

    async def run() -> dict[str, int]:
        if error := next(answers, None):
            raise error
        done.set()
        return {}

    monkeypatch.setattr(maintenance, "run", run)
    monkeypatch.setattr(maintenance, "FIRST_SECONDS", 0)
    monkeypatch.setattr(maintenance, "EVERY_SECONDS", 0)
    task = asyncio.create_task(maintenance.run_hourly())
    try:
        async with asyncio.timeout(10):
            await done.wait()
    finally:
        task.cancel()


async def test_what_a_mailed_link_made_void_goes_and_the_rest_stays(clock: Clock) -> None:
    person, other = await make_user(), await make_user()
    for each in (person, other):
        await with_a_device(each)
        await with_a_phone(each)
    async with db.transaction() as tx:
        await login_flow.undo_second_factor(tx, person.id)
        await tx.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(passkeys_since=db.now()))

    assert (await maintenance.run())["void second factors"] == 12

    for table, left in ((authenticator_rows, 1), (recovery_rows, 10), (passkey_rows, 1)):
        assert [row.user_id for row in await db.fetch_all(sa.select(table))] == [other.id] * left
