"""Numbers and charts of the overview."""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.admin import charts, overview
from app.admin.audit_log import first_id
from app.audit import events
from app.audit.models import event_rows
from app.auth.accounts import user_admin
from app.email import outbox
from app.email.models import email_rows
from tests.support.clock import Clock
from tests.support.people import make_user, sign_in, start_session
from tests.support.statements import sent
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio
_numbers = count(1)


async def happened(event: str, moment: datetime) -> None:
    """An event whose id was made at that moment."""
    event_id = UUID(int=first_id(moment).int + next(_numbers))
    await db.execute(sa.insert(event_rows).values(id=event_id, at=moment, event=event))


@pytest.mark.usefixtures("database")
async def test_numbers_are_those_of_the_tables(clock: Clock) -> None:
    admin, person, closed = await make_user(role="admin"), await make_user(), await make_user(active=False)
    for _ in range(3):
        await start_session(person)
    await user_admin.end_sessions(person.id, admin.id)
    await start_session(admin)
    await happened(events.SESSION_REUSED, clock.now)
    await happened(events.SESSION_REUSED, clock.now - timedelta(days=40))
    async with db.transaction() as tx:
        for _ in range(3):
            email_id = await outbox.enqueue(tx, "password_changed", user_id=closed.id)
        await tx.execute(sa.update(email_rows).where(email_rows.c.id == email_id).values(failed_at=clock.now))

    numbers = await overview.numbers(clock.now)

    assert numbers == overview.Numbers(
        people=3, admins=1, deactivated=1, sessions=1, alarms=1, queued=2, failed_emails=1
    )


@pytest.mark.usefixtures("database")
async def test_days_begin_at_midnight_and_today_is_the_last(clock: Clock) -> None:
    clock.now = datetime(2026, 3, 1, 0, 0, 30, tzinfo=UTC)
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    for moment in (clock.now, midnight, midnight - timedelta(milliseconds=1), midnight - timedelta(days=29)):
        await happened(events.LOGIN, moment)
    await happened(events.LOGIN, midnight - timedelta(days=30))
    await happened(events.LOGIN_FAILED, midnight)

    days = await overview.per_day(clock.now)

    counted = {day: number for day, number in days[events.LOGIN] if number}
    assert len(days[events.LOGIN]) == 30
    assert counted == {date(2026, 3, 1): 2, date(2026, 2, 28): 1, date(2026, 1, 31): 1}
    assert days[events.LOGIN_FAILED][-1] == (date(2026, 3, 1), 1)


@pytest.mark.usefixtures("database")
async def test_day_that_is_over_is_counted_once_and_today_every_time(clock: Clock) -> None:
    clock.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    await overview.per_day(clock.now)
    await happened(events.LOGIN, clock.now)

    with sent() as run:
        days = await overview.per_day(clock.now)

    assert days[events.LOGIN][-1] == (date(2026, 3, 1), 1)
    assert len(run) == 1
    assert run[0].sql.count("count(*)") == len(overview.CHARTED)


@pytest.mark.usefixtures("database")
async def test_event_that_becomes_visible_after_midnight_is_not_missed(clock: Clock) -> None:
    """A transaction that began on the day before."""
    clock.now = datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC)
    await overview.per_day(clock.now)
    await happened(events.LOGIN, clock.now - timedelta(seconds=5))

    days = await overview.per_day(clock.forward(seconds=20))

    assert dict(days[events.LOGIN])[date(2026, 2, 28)] == 1


async def test_charts_have_a_name_a_description_and_a_table(client: Visitor) -> None:
    await sign_in(client, await make_user(role="admin"))
    await events.record(events.LOGIN_FAILED)

    page = (await client.visit("/admin")).text

    assert page.count('role="img"') == 2
    today = db.utcnow()
    assert f"1 in 30 days, at most 1 on {today.day} {today:%B %Y}." in page
    assert "None in 30 days." in page
    assert page.count("<tr>") == 2 * 31
    assert "style=" not in page


@pytest.mark.parametrize(
    ("most", "ticks"), [(0, [(0, 120)]), (1, [(1, 0), (0, 120)]), (40, [(40, 0), (20, 60), (0, 120)])]
)
def test_axis_says_the_most_and_half_of_it(most: int, ticks: list[tuple[int, float]]) -> None:
    drawn = charts.bars("Sign-ins", "plain", [(date(2026, 1, 1), 0), (date(2026, 1, 2), most)])

    assert list(drawn.ticks) == ticks


@pytest.mark.parametrize(
    ("counts", "heights"),
    [([0, 0], [0, 0]), ([1, 2, 4], [30.0, 60.0, 120.0]), ([1, 10_000], [2, 120.0]), ([5], [120.0]), ([], [])],
)
def test_tallest_bar_takes_the_height_and_a_small_one_is_seen(counts: list[int], heights: list[float]) -> None:
    chart = charts.bars("Things", "plain", [(date(2026, 1, 1 + n), number) for n, number in enumerate(counts)])

    assert [bar.height for bar in chart.bars] == heights
    assert all(bar.y + bar.height <= charts.HEIGHT for bar in chart.bars)
    assert all(bar.x + bar.width <= charts.WIDTH for bar in chart.bars)
