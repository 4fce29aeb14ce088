"""The rules of the rate limits as tables and properties, and their counters."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv6Address
from typing import Any

import pytest
import sqlalchemy as sa
from cachetools import LRUCache
from hypothesis import given
from hypothesis import strategies as st

from app import db
from app.auth import passwords
from app.auth.errors import Overloaded, TooManyAttempts
from app.auth.models import counter_rows
from app.auth.rate_limit import attempts, counters, limits, quotas
from app.settings import get_settings
from tests.support.clock import Clock
from tests.support.statements import sent

MINUTE = timedelta(minutes=1)
numbers = st.integers(min_value=0, max_value=2**31)


@pytest.mark.parametrize(
    ("account", "site", "seconds"),
    [
        (0, 0, 0),
        (19, 599, 0),
        (20, 0, 1),
        (21, 0, 2),
        (25, 0, 32),
        (29, 0, 512),
        (30, 0, 900),
        (10**9, 0, 900),
        (0, 600, 10),
        (0, 1199, 10),
        (0, 1200, 20),
        (0, 10**9, 60),
        (20, 600, 10),
        (25, 600, 32),
    ],
)
def test_wait_of_unknown_devices(account: int, site: int, seconds: int) -> None:
    assert attempts.unknown_device_wait(account, site) == seconds


@given(numbers, numbers, numbers, numbers)
def test_wait_only_grows_with_failures_and_has_an_end(account: int, site: int, more: int, elsewhere: int) -> None:
    before = attempts.unknown_device_wait(account, site)
    after = attempts.unknown_device_wait(account + more, site + elsewhere)

    assert 0 <= before <= after <= attempts.MAX_WAIT


@pytest.mark.parametrize(
    ("ip", "networks"),
    [
        ("203.0.113.7", ["203.0.113.7"]),
        ("::ffff:203.0.113.7", ["203.0.113.7"]),
        ("2001:db8:1:2::1", ["2001:db8:1:2::/64", "2001:db8:1::/56", "2001:db8:1::/48"]),
        ("2001:db8:1:1ff:ffff:ffff:ffff:ffff", ["2001:db8:1:1ff::/64", "2001:db8:1:100::/56", "2001:db8:1::/48"]),
        ("fe80::1%eth0", ["fe80::/64", "fe80::/56", "fe80::/48"]),
        ("::1", ["::/64", "::/56", "::/48"]),
        ("", [""]),
        ("a socket", ["a socket"]),
    ],
)
def test_ipv4_address_is_one_network_and_an_ipv6_address_in_three(ip: str, networks: list[str]) -> None:
    assert limits.networks_of(ip) == networks


@given(st.integers(0x2000 << 48, 0x3FFF << 48), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_every_address_of_a_64_is_one_line_and_the_next_64_another(network: int, host: int, other: int) -> None:
    here = limits.networks_of(str(IPv6Address(network << 64 | host)))

    assert limits.networks_of(str(IPv6Address(network << 64 | other))) == here
    assert limits.networks_of(str(IPv6Address(network + 1 << 64 | other)))[0] != here[0]


@pytest.mark.anyio
@pytest.mark.usefixtures("database")
class TestCounters:
    @pytest.mark.parametrize(("seconds", "count"), [(0, 3), (59, 3), (60, 2), (3600, 2)])
    async def test_window_starts_with_the_first_and_starts_anew_at_its_end(
        self, clock: Clock, seconds: int, count: int
    ) -> None:
        began = clock.now
        await counters.add({"a": MINUTE}, 1, began)

        later = clock.forward(seconds=seconds)
        row = (await counters.add({"a": MINUTE}, 2, later))["a"]

        assert row.count == count
        assert row.ends_at == (began if count == 3 else later) + MINUTE

    async def test_counts_of_many_at_once_are_all_different(self, clock: Clock) -> None:
        """No two of them can both believe to have been the tenth. Keys in any order: nobody waits for ever."""
        windows = [{"a": MINUTE, "b": MINUTE}, {"b": MINUTE, "a": MINUTE}]

        answers = await asyncio.gather(*(counters.add(windows[n % 2], 1, clock.now) for n in range(60)))

        for key in ("a", "b"):
            assert sorted(rows[key].count for rows in answers) == list(range(1, 61))

    async def test_what_is_taken_back_was_never_there(self, clock: Clock) -> None:
        """Neither in the count nor in the time: a window that a good login began would tell that there was one."""
        await counters.add({"a": MINUTE}, 1, clock.now)
        began, now = clock.now, clock.forward(seconds=10)
        async with db.transaction() as tx:
            await counters.add({"a": MINUTE, "b": MINUTE}, 1, now, tx=tx)
            await counters.take_back(tx, ["a", "b"], now)

        later = clock.forward(seconds=10)
        rows = await counters.add({"a": MINUTE, "b": MINUTE}, 1, later)

        assert (rows["a"].count, rows["a"].ends_at) == (2, began + MINUTE)
        assert (rows["b"].count, rows["b"].ends_at) == (1, later + MINUTE)

    async def test_of_many_who_move_the_same_end_one_is_told_yes(self, clock: Clock) -> None:
        await counters.begin("a", clock.now + MINUTE)
        await counters.begin("a", clock.now + 9 * MINUTE)  # there already: nothing is prolonged

        async def again() -> bool:
            async with db.transaction() as tx:
                return await counters.begin_again(tx, "a", clock.now + 2 * MINUTE, at_most=clock.now + MINUTE)

        assert sorted(await asyncio.gather(*(again() for _ in range(5)))) == [False] * 4 + [True]
        assert (await counters.read(["a"]))["a"].ends_at == clock.now + 2 * MINUTE

    async def test_old_rows_are_pruned_and_who_waited_may_come_an_hour_later(self, clock: Clock) -> None:
        for number in range(30):
            await counters.add({f"old {number}": MINUTE}, 1, clock.now)
        await counters.begin("turn", clock.forward(minutes=45) + MINUTE)
        clock.forward(minutes=30)

        for _ in range(counters.PRUNE_EVERY):
            await counters.add({"new": MINUTE}, 1, clock.now)

        kept = {row.key for row in await db.fetch_all(sa.select(counter_rows))}
        assert kept == {"turn", "new"}

    async def test_flood_is_told_to_the_database_every_twentieth_time(self, clock: Clock) -> None:
        for _ in range(quotas.BATCH - 1):
            await quotas.count_refresh("token", clock.now)
        assert await db.fetch_all(sa.select(counter_rows)) == []

        await quotas.count_refresh("token", clock.now)

        (row,) = await db.fetch_all(sa.select(counter_rows))
        assert (row.count, row.ends_at) == (quotas.BATCH, clock.now + MINUTE)

    async def test_flood_is_counted_over_all_workers(self, clock: Clock) -> None:
        """Another worker has counted 290 of this token already: this one learns it with its first batch."""
        key = counters.key(limits.TOKEN, sha256(b"shared").hexdigest())
        await counters.add({key: MINUTE}, 290, clock.now)

        for _ in range(quotas.BATCH - 1):
            await quotas.count_refresh("shared", clock.now)
        for _ in range(2):
            with pytest.raises(TooManyAttempts) as refused:
                await quotas.count_refresh("shared", clock.now)

        assert refused.value.seconds == 60
        await quotas.count_refresh("shared", clock.forward(seconds=60))

    async def test_flood_at_once_gets_exactly_as_many_through_as_the_limit_says(self, clock: Clock) -> None:
        most, _ = limits.limit(limits.TOKEN)

        answers = await asyncio.gather(
            *(quotas.count_refresh("at once", clock.now) for _ in range(5 * most)), return_exceptions=True
        )

        assert answers.count(None) == most
        assert {type(answer) for answer in answers} == {type(None), TooManyAttempts}

    async def test_flood_at_once_is_counted_with_a_statement_for_twenty(self, clock: Clock) -> None:
        with sent() as run:
            await asyncio.gather(
                *(quotas.count_refresh("cheap", clock.now) for _ in range(2000)), return_exceptions=True
            )

        counted = [one for one in run if "throttle_counters" in one.sql]
        assert len(counted) == 300 // quotas.BATCH + 1

    async def test_each_other_worker_lets_through_less_than_one_batch_more(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Three workers, each with counts of its own, take turns until all refuse."""
        most, _ = limits.limit(limits.TOKEN)
        workers: list[LRUCache[Any, Any]] = [LRUCache(10) for _ in range(3)]
        passed = 0
        for number in range(3 * most):
            monkeypatch.setattr(quotas, "_tallies", workers[number % 3])
            with suppress(TooManyAttempts):
                await quotas.count_refresh("spread", clock.now)
                passed += 1

        assert most <= passed <= most + 2 * (quotas.BATCH - 1)

    async def test_counts_go_on_after_the_database_did_not_answer(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def gone(*_: object) -> None:
            raise db.Unavailable

        with monkeypatch.context() as broken:
            broken.setattr(counters, "add", gone)
            answers = await asyncio.gather(
                *(quotas.count_refresh("gone", clock.now) for _ in range(quotas.BATCH)), return_exceptions=True
            )
        assert [type(answer) for answer in answers if answer] == [db.Unavailable]

        for _ in range(quotas.BATCH):
            await quotas.count_refresh("gone", clock.now)

        (row,) = await db.fetch_all(sa.select(counter_rows))
        assert row.count == quotas.BATCH


@pytest.mark.anyio
async def test_only_so_many_passwords_wait_to_be_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """v5.0.0-15.2.2: what is too much is refused at once, the rest is done, and afterwards there is room again."""
    monkeypatch.setattr(get_settings(), "password_checks_waiting", 3)
    stored = await passwords.hash("correct horse battery staple")
    running = passwords.CORES

    checks = (passwords.verify("correct horse battery staple", stored) for _ in range(50))
    outcomes = await asyncio.gather(*checks, return_exceptions=True)

    done = [outcome for outcome in outcomes if isinstance(outcome, passwords.Verified)]
    assert len(done) == running + 3
    assert all(outcome.ok for outcome in done)
    assert {type(outcome) for outcome in outcomes} == {passwords.Verified, Overloaded}
    assert (await passwords.verify("correct horse battery staple", stored)).ok


def test_share_of_the_queue_is_counted_until_the_last_one_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "password_checks_waiting", 4)
    with limits.queue_share("party"), limits.queue_share("party"):
        with limits.queue_share("party"), pytest.raises(TooManyAttempts), limits.queue_share("party"):
            pass
        with limits.queue_share("party"), pytest.raises(TooManyAttempts), limits.queue_share("party"):
            pass

    assert "party" not in limits._in_progress
