"""Much at once: guesses, good logins, refreshes and garbage. What is too much is refused early and cheaply."""

import asyncio
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
import sqlalchemy as sa
from passlib.context import CryptContext

from app import db
from app.audit import events
from app.auth.models import session_rows, user_rows
from app.auth.rate_limit import counters, limits, quotas
from app.settings import get_settings
from tests.contract.places import WRONG, details, statuses, wait_of
from tests.support import forge
from tests.support.clock import Clock
from tests.support.people import PASSWORD, make_user, sign_in, start_session
from tests.support.statements import sent, spoken

pytestmark = pytest.mark.anyio

REFRESH = "__Host-refresh"


# v5.0.0-2.3.2, v5.0.0-15.4.2
async def test_guesses_sent_at_once_get_no_more_answers_than_one_after_the_other(at: Any, clock: Clock) -> None:
    """v5.0.0-2.3.2. The right one is the last: by then the limit is reached, so it opens nothing."""
    person, guesser = await make_user(), at("203.0.113.7")
    guesses = [WRONG] * 59 + [PASSWORD]

    answers = await asyncio.gather(*(guesser.tries(person.email, guess) for guess in guesses))

    got = [answer.status_code for (answer,) in answers]
    assert (got.count(401), got.count(429)) == (10, 50)
    assert await db.fetch_all(sa.select(session_rows)) == []
    assert await details(events.LOGIN_THROTTLED) == [limits.PAIR]
    assert len(await details(events.LOGIN_FAILED)) == 10


async def test_guesses_from_everywhere_at_once_get_no_more_answers_either(at: Any, clock: Clock) -> None:
    person = await make_user()
    places = [at(f"198.51.100.{number}") for number in range(60)]

    answers = await asyncio.gather(*(place.tries(person.email) for place in places))

    got = [answer.status_code for (answer,) in answers]
    assert (got.count(401), got.count(429)) == (20, 40)


async def test_twenty_good_logins_at_once_are_all_let_in(at: Any, clock: Clock) -> None:
    person, owner = await make_user(), at("203.0.113.7")

    answers = await asyncio.gather(*(owner.tries(person.email, PASSWORD) for _ in range(20)))

    assert [answer.status_code for (answer,) in answers] == [200] * 20


async def test_two_hundred_refreshes_at_once_with_one_token_all_succeed(at: Any) -> None:
    pair, program = await start_session(await make_user()), at("203.0.113.7")

    answers = await asyncio.gather(*(program.refreshes(pair.refresh_token) for _ in range(200)))

    assert set(statuses(answers)) == {200}


async def test_flood_with_one_good_token_is_refused_and_ends_nothing(at: Any, clock: Clock) -> None:
    """AC-080: from then on without a statement. The session lives on, in this program and in others."""
    pair, program = await start_session(await make_user()), at("203.0.113.7")
    answers = [await program.refreshes(pair.refresh_token) for _ in range(330)]

    with sent() as run:
        last = await program.refreshes(pair.refresh_token)

    assert statuses(answers) == [200] * 300 + [429] * 30
    assert wait_of(last) == 60
    assert spoken(run) == []
    newest = await program.refreshes(answers[0].json()["refresh_token"])
    assert newest.status_code == 200
    assert await details(events.REFRESH_THROTTLED) == [limits.TOKEN]
    clock.forward(seconds=60)
    assert (await program.refreshes(pair.refresh_token)).status_code != 429


# v5.0.0-2.3.2
async def test_flood_at_once_with_one_good_token_gets_as_many_answers_as_one_after_the_other(
    at: Any, clock: Clock
) -> None:
    pair, program = await start_session(await make_user()), at("203.0.113.7")

    answers = await asyncio.gather(*(program.refreshes(pair.refresh_token) for _ in range(600)))

    got = statuses(answers)
    assert (got.count(200), got.count(429)) == (300, 300)


async def test_flood_of_the_page_is_refused_and_keeps_the_cookies(at: Any, clock: Clock) -> None:
    browser = at("203.0.113.7")
    pair = await sign_in(browser, await make_user())

    token = counters.key(limits.TOKEN, sha256(pair.refresh_token.encode()).hexdigest())
    await counters.add({token: timedelta(minutes=1)}, 290, clock.now)  # by another worker

    for _ in range(quotas.BATCH):
        browser.drop_cookie("__Host-access")
        browser.put_cookie(REFRESH, pair.refresh_token)
        answer = await browser.visit("/auth/resume")

    assert wait_of(answer) == 60
    assert answer.headers["content-type"].startswith("text/html")
    assert "set-cookie" not in answer.headers


async def test_flood_of_invalid_tokens_is_refused_while_good_tokens_of_that_address_pass(at: Any, clock: Clock) -> None:
    """AC-080: users who share the address with an attacker are not logged out."""
    pair, ended = await start_session(await make_user()), await start_session(await make_user())
    abuser, neighbour = at("203.0.113.9"), at("203.0.113.9")
    await neighbour.post("/api/auth/logout", json={"refresh_token": ended.refresh_token})
    neighbour.put_cookie(REFRESH, ended.refresh_token)

    with sent() as run:
        answers = [await abuser.refreshes(f"garbage.number.{number}") for number in range(340)]

    assert statuses(answers) == [401] * 300 + [429] * 40
    assert len(spoken(run)) == 16 + 1  # a batch of twenty each, and one event
    assert (await neighbour.visit("/auth/resume")).headers["location"].startswith("/login")
    assert (await abuser.refreshes(pair.refresh_token)).status_code == 200
    assert await details(events.REFRESH_THROTTLED) == [limits.INVALID_TOKEN]
    clock.forward(seconds=60)
    assert (await abuser.refreshes("garbage.of.later")).status_code == 401


async def test_program_that_refreshes_in_a_circle_has_to_pause(at: Any, clock: Clock) -> None:
    """Each token is new, and none is lost: the one in hand is good again after the pause."""
    pair, program = await start_session(await make_user()), at("203.0.113.7")
    token = forge.resign(pair.refresh_token, quick=quotas.MAX_QUICK - 2)  # as after 298 in a row

    last = await program.refreshes(token)
    refused = await program.refreshes(last.json()["refresh_token"])
    clock.forward(seconds=5)
    again = await program.refreshes(last.json()["refresh_token"])

    assert wait_of(refused) == 5
    assert statuses([last, again]) == [200, 200]
    assert "quick" not in forge.claims(again.json()["refresh_token"])


async def test_ordinary_refresh_costs_no_statement_for_rate_limits(at: Any, clock: Clock) -> None:
    pair, program = await start_session(await make_user()), at("203.0.113.7")

    with sent() as run:
        assert (await program.refreshes(pair.refresh_token)).status_code == 200

    assert spoken(run)
    assert not [one for one in run if "throttle_counters" in one.sql]


# v5.0.0-13.2.6, v5.0.0-15.2.2
async def test_too_many_at_once_are_told_to_come_back(at: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """v5.0.0-15.2.2: 503 before memory runs out, and the form keeps what was typed."""
    monkeypatch.setattr(get_settings(), "password_checks_waiting", 4)
    people = [await make_user() for _ in range(40)]
    places = [at(f"203.0.113.{number}") for number in range(40)]

    pairs = list(zip(places, people, strict=True))
    answers = await asyncio.gather(*(place.fills_in(person.email, PASSWORD) for place, person in pairs))

    assert set(statuses(answers)) == {303, 503}
    person, refused = next(pair for pair in zip(people, answers, strict=True) if pair[1].status_code == 503)
    assert refused.headers["retry-after"] == "2"
    assert f'value="{person.email}"' in refused.text
    assert "Too many people are signing in right now" in refused.text
    assert (await places[0].fills_in(person.email, PASSWORD)).status_code == 303


# v5.0.0-15.4.4
async def test_one_busy_address_leaves_room_for_others(at: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """v5.0.0-15.4.4: with good passwords too, so that no limit of failures helps."""
    monkeypatch.setattr(get_settings(), "password_checks_waiting", 8)
    people, busy, other = [await make_user() for _ in range(41)], at("203.0.113.7"), at("203.0.113.8")

    crowd = [busy.tries(person.email, PASSWORD) for person in people[:40]]
    *answers, (others,) = await asyncio.gather(*crowd, other.tries(people[40].email, PASSWORD))

    got = [answer.status_code for (answer,) in answers]
    assert (got.count(200), got.count(429)) == (6, 34)
    assert others.status_code == 200


# v5.0.0-15.4.4
async def test_one_busy_account_leaves_room_for_others(at: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """From forty addresses, all with the right password: neither a place's share nor a limit of failures helps."""
    monkeypatch.setattr(get_settings(), "password_checks_waiting", 8)
    busy, other = await make_user(), await make_user()
    places = [at(f"203.0.113.{number}") for number in range(40)]

    crowd = [place.tries(busy.email, PASSWORD) for place in places]
    *answers, (others,) = await asyncio.gather(*crowd, at("198.51.100.7").tries(other.email, PASSWORD))

    refused = [answer for (answer,) in answers if answer.status_code == 429]
    assert (len(answers) - len(refused), len(refused)) == (2, 38)
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert others.status_code == 200


async def test_good_logins_at_once_while_the_hash_is_brought_up_to_date_are_all_let_in(at: Any) -> None:
    """One of them replaces the stored hash; the others must not be taken for guesses."""
    person, owner = await make_user(), at("203.0.113.7")
    old = "argon2" + CryptContext(["argon2"], argon2__memory_cost=8, argon2__time_cost=1, argon2__parallelism=1).hash(
        PASSWORD
    )
    await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(password=old))

    answers = await asyncio.gather(*(owner.tries(person.email, PASSWORD) for _ in range(12)))

    assert [answer.status_code for (answer,) in answers] == [200] * 12
    assert await details(events.LOGIN_FAILED) == []
