"""How the login limits guessing, over HTTP: figures, words, and what nobody learns from them. docs/behaviour.md."""

import re
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events, queries
from app.auth.models import counter_rows, session_rows
from app.auth.rate_limit import counters, limits
from tests.contract.places import WRONG, details, statuses, wait_of
from tests.support.clock import Clock
from tests.support.environment import ORIGIN
from tests.support.pages import without_keys
from tests.support.people import PASSWORD, make_user
from tests.support.statements import sent, spoken

pytestmark = pytest.mark.anyio


# v5.0.0-6.3.1, v5.0.0-2.4.1
async def test_eleventh_guess_from_one_address_has_to_wait(at: Any, clock: Clock) -> None:
    """AC-157. Even the right password: an answer would tell that it is right."""
    person, guesser = await make_user(), at("203.0.113.7")

    assert statuses(await guesser.tries(person.email, times=10)) == [401] * 10
    (answer,) = await guesser.tries(person.email, PASSWORD)

    assert wait_of(answer) == 300
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "Too many attempts. Please try again in 5 minutes."
    assert answer.headers["cache-control"] == "no-store"
    assert await db.fetch_all(sa.select(session_rows)) == []


async def test_page_keeps_what_was_typed_and_says_how_long(at: Any, clock: Clock) -> None:
    person, guesser = await make_user(), at("203.0.113.7")
    for _ in range(10):
        assert (await guesser.fills_in(person.email)).status_code == 422
    clock.forward(seconds=250)

    answer = await guesser.fills_in(person.email, PASSWORD, to="/account")

    assert wait_of(answer) == 50
    assert answer.headers["content-type"].startswith("text/html")
    assert "Please try again in 50 seconds." in answer.text
    assert f'value="{person.email}"' in answer.text
    assert 'name="next" value="/account"' in answer.text
    assert PASSWORD not in answer.text
    assert "set-cookie" not in answer.headers


async def test_program_at_the_page_gets_a_problem_document(at: Any, clock: Clock) -> None:
    guesser = at("203.0.113.7")
    form, headers = {"email": "x@example.com", "password": WRONG}, {"Accept": "application/json", "Origin": ORIGIN}
    for _ in range(10):
        await guesser.post("/login", data=form, headers=headers)

    answer = await guesser.post("/login", data=form, headers=headers)

    assert wait_of(answer) == 300
    assert answer.headers["content-type"] == "application/problem+json"


async def test_wait_is_over_to_the_second_and_refused_tries_do_not_prolong_it(at: Any, clock: Clock) -> None:
    person, guesser = await make_user(), at("203.0.113.7")
    await guesser.tries(person.email, times=10)

    for left in (300, 299, 298):
        assert wait_of((await guesser.tries(person.email))[0]) == left
        clock.forward(seconds=1)
    clock.forward(seconds=294.5)

    assert wait_of((await guesser.tries(person.email, PASSWORD))[0]) == 3
    clock.forward(seconds=2.5)
    assert statuses(await guesser.tries(person.email, PASSWORD)) == [200]


async def test_page_and_api_count_together(at: Any, clock: Clock) -> None:
    person, guesser = await make_user(), at("203.0.113.7")
    await guesser.tries(person.email, times=5)
    for _ in range(5):
        await guesser.fills_in(person.email)

    assert (await guesser.fills_in(person.email)).status_code == 429
    assert statuses(await guesser.tries(person.email.upper())) == [429]


async def test_good_logins_in_between_reset_nothing(at: Any, clock: Clock) -> None:
    """v5.0.0-6.3.1: to this account, and to one of the attacker's own."""
    person, own, guesser = await make_user(), await make_user(), at("203.0.113.7")

    for _ in range(5):
        assert statuses(await guesser.tries(person.email, times=2)) == [401] * 2
        assert statuses(await guesser.tries(own.email, PASSWORD)) == [200]
        clock.forward(seconds=1)

    assert statuses(await guesser.tries(person.email)) == [429]


async def test_good_logins_alone_are_never_refused_and_cost_five_statements(at: Any, clock: Clock) -> None:
    person, owner = await make_user(), at("203.0.113.7")

    with sent() as run:
        for _ in range(15):
            assert (await owner.fills_in(person.email, PASSWORD)).status_code == 303

    counted = [one for one in spoken(run) if "throttle_counters" in one]
    assert len(counted) == 15 * 5  # read, count, is it known, remember it, take back


# v5.0.0-6.3.8
@pytest.mark.parametrize("where", ["page", "api"])
async def test_known_and_unknown_account_cannot_be_told_apart(at: Any, clock: Clock, where: str) -> None:
    """v5.0.0-6.3.8: status, headers, text and the statements that ran, through all limits of an attack."""
    person = await make_user(email="known-account@example.com")
    seen: dict[str, list[Any]] = {}
    for number, email in enumerate((person.email, "other-account@example.com")):
        for turn in range(36):
            place = at(f"198.51.{100 + number}.{turn // 12}")
            with sent() as run:
                answer = await place.fills_in(email) if where == "page" else (await place.tries(email))[0]
            fixed = {k: v for k, v in answer.headers.items() if k not in ("x-request-id", "content-security-policy")}
            text = (
                re.sub(r'nonce="[^"]+"', "", without_keys(answer.text))
                .replace(email, "")
                .replace(answer.headers["x-request-id"], "")
            )
            seen.setdefault(email, []).append((answer.status_code, fixed, text, spoken(run)))

    known, unknown = seen.values()
    assert known == unknown
    assert {status for status, *_ in known} == {422 if where == "page" else 401, 429}


@pytest.mark.parametrize(("other", "status"), [("2001:db8:1:1:ffff::9", 429), ("2001:db8:1:2::9", 401)])
async def test_ipv6_counts_by_64(at: Any, clock: Clock, other: str, status: int) -> None:
    for number in range(10):
        await at(f"2001:db8:1:1::{number}").tries("person@example.org")

    assert statuses(await at(other).tries("person@example.org")) == [status]


# v5.0.0-4.1.3, v5.0.0-15.3.4
async def test_forwarded_addresses_of_a_client_change_nothing(at: Any, clock: Clock) -> None:
    """AC-155"""
    spoofer = at("203.0.113.7")

    answers = [
        (
            await spoofer.tries(
                "person@example.org", headers={"X-Forwarded-For": f"192.0.2.{n}", "Forwarded": f"for={n}"}
            )
        )[0]
        for n in range(12)
    ]

    assert statuses(answers) == [401] * 10 + [429] * 2


# v5.0.0-16.3.3
async def test_audit_log_says_once_a_window_that_somebody_had_to_wait(at: Any, clock: Clock) -> None:
    """v5.0.0-16.3.3, and no flood of the log: 70 tries, one event for the pair, one for the address."""
    person, guesser = await make_user(), at("203.0.113.7")
    await guesser.tries(person.email, times=30)
    for number in range(50):
        await guesser.tries(f"person{number}@example.org")

    assert await details(events.LOGIN_THROTTLED) == [limits.PAIR, limits.ADDRESS]
    assert [row.detail for row in await queries.of_user(person.id, 50) if row.event == events.LOGIN_THROTTLED] == [
        limits.PAIR
    ]
    clock.forward(minutes=5)
    await guesser.tries(person.email, times=12)
    assert await details(events.LOGIN_THROTTLED) == [limits.PAIR, limits.ADDRESS, limits.PAIR, limits.ACCOUNT]


async def test_counters_name_neither_people_nor_addresses(at: Any) -> None:
    person = await make_user()
    await at("203.0.113.7").tries(person.email, times=2)
    await at("203.0.113.7").tries(person.email, PASSWORD)

    rows = await db.fetch_all(sa.select(counter_rows))

    assert len(rows) == 4
    assert not re.search(r"@|example|person|203\.0", str(rows))


# v5.0.0-16.5.3
@pytest.mark.parametrize(("gone", "password"), [("read", WRONG), ("read", PASSWORD), ("add", WRONG), ("add", PASSWORD)])
async def test_nobody_learns_anything_while_the_counters_do_not_answer(
    at: Any, monkeypatch: pytest.MonkeyPatch, gone: str, password: str
) -> None:
    """Fails closed: before the password is looked at, and where a failure could not be counted."""

    async def fails(*_: Any, **__: Any) -> Any:
        raise db.Unavailable("gone")

    person, guesser = await make_user(), at("203.0.113.7")
    monkeypatch.setattr(counters, gone, fails)

    (answer,) = await guesser.tries(person.email, password)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert await db.fetch_all(sa.select(session_rows)) == []
