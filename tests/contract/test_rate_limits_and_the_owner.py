"""Attacks from many places on one account, from one on many, and how the owner gets in meanwhile (v5.0.0-6.1.1)."""

import asyncio
from typing import Any

import pytest

from app.auth.rate_limit import attempts
from app.settings import get_settings
from tests.contract.places import WRONG, statuses, under_attack, wait_of
from tests.support.clock import Clock
from tests.support.people import PASSWORD, make_user, sign_in

pytestmark = pytest.mark.anyio


async def test_many_addresses_get_twenty_guesses_at_one_account(at: Any, clock: Clock) -> None:
    """v5.0.0-6.3.1, distributed."""
    person = await make_user()

    answers = await under_attack(at, person.email, places=60)

    assert statuses(answers) == [401] * 20 + [429] * 40
    assert {wait_of(answer) for answer in answers[20:]} == {1}
    clock.forward(hours=23)
    assert statuses([(await at("192.0.2.1").tries(person.email))[0]]) == [429]
    clock.forward(hours=1)
    assert statuses([(await at("192.0.2.1").tries(person.email))[0]]) == [401]


async def test_those_who_come_back_wait_longer_each_time(at: Any, clock: Clock) -> None:
    person, attacker = await make_user(), at("192.0.2.1")
    await under_attack(at, person.email)
    waits = []

    for _ in range(13):
        waits.append(wait_of((await attacker.tries(person.email))[0]))
        clock.forward(seconds=waits[-1] - 1)
        assert wait_of((await attacker.tries(person.email))[0]) == 1
        clock.forward(seconds=1)
        answers = await asyncio.gather(*(attacker.tries(person.email) for _ in range(5)))
        assert sorted(answer.status_code for (answer,) in answers) == [401] + [429] * 4

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


async def test_owner_gets_in_at_once_where_they_signed_in_before(at: Any, clock: Clock) -> None:
    """v5.0.0-6.1.1: attempts from other devices lock nobody out. A mistyped password does not change that."""
    person, owner = await make_user(), at("203.0.113.7")
    await owner.has_signed_in(person.email)
    clock.forward(days=59)
    assert statuses(await under_attack(at, person.email))[-1] == 429

    assert statuses(await owner.tries(person.email, times=3)) == [401] * 3
    assert (await owner.fills_in(person.email, PASSWORD)).status_code == 303


# v5.0.0-6.3.1
async def test_owner_gets_in_from_a_new_place_after_a_wait_whatever_others_do(at: Any, clock: Clock) -> None:
    """The turn is promised to the network: nobody elsewhere can take it, or push it beyond a quarter of an hour."""
    person, owner = await make_user(), at("203.0.113.7")
    attackers = [at(f"192.0.2.{number}") for number in range(6)]
    await under_attack(at, person.email)
    for _ in range(3):  # they wait for their turns too, until the delay has grown
        await asyncio.gather(*(attacker.tries(person.email) for attacker in attackers))
        clock.forward(minutes=16)

    wait = wait_of(await owner.fills_in(person.email, PASSWORD))
    for _ in range(3):
        clock.forward(seconds=wait / 3)
        await asyncio.gather(*(attacker.tries(person.email) for attacker in attackers))

    assert 60 < wait <= attempts.MAX_WAIT
    assert (await owner.fills_in(person.email, PASSWORD)).status_code == 303
    assert (await owner.fills_in(person.email, PASSWORD)).status_code == 303


async def test_one_address_gets_fifty_guesses_at_many_accounts(at: Any, clock: Clock) -> None:
    """v5.0.0-6.3.1, stuffing: a try each. Elsewhere nothing has changed."""
    person, stuffer = await make_user(), at("203.0.113.7")

    answers = [(await stuffer.tries(f"person{number}@example.org"))[0] for number in range(60)]

    assert statuses(answers) == [401] * 50 + [429] * 10
    assert {wait_of(answer) for answer in answers[50:]} == {300}
    assert statuses(await stuffer.tries(person.email, PASSWORD)) == [429]
    assert statuses(await at("203.0.113.8").tries(person.email, PASSWORD)) == [200]
    clock.forward(minutes=5)
    assert statuses(await stuffer.tries(person.email, PASSWORD)) == [200]


async def test_stuffing_from_everywhere_slows_unknown_devices_alone(
    at: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of the whole site degrades gently: a wait of seconds, and only at places new to the account."""
    monkeypatch.setattr(get_settings(), "login_failures_per_minute", 25)
    person, owner, abroad = await make_user(), at("203.0.113.7"), at("203.0.113.8")
    await owner.has_signed_in(person.email)

    answers = [(await at(f"198.51.100.{n}").tries(f"person{n}@example.org"))[0] for n in range(40)]

    assert statuses(answers) == [401] * 25 + [429] * 15
    assert statuses(await owner.tries(person.email, PASSWORD)) == [200]
    assert wait_of((await abroad.tries(person.email, PASSWORD))[0]) == 10
    clock.forward(seconds=10)
    assert statuses(await abroad.tries(person.email, PASSWORD)) == [200]


async def test_step_up_takes_ten_guesses_of_a_session_from_any_address(at: Any, clock: Clock) -> None:
    """A stolen session is no way around the login's limits, and another address no new chance."""
    person = await make_user()
    pair = await sign_in(at("203.0.113.7"), person)
    for number in range(10):
        attacker = at(f"192.0.2.{number}")
        attacker.put_cookie("__Host-access", pair.access_token)
        assert (await attacker.submit("/step-up", {"password": WRONG, "next": "/account"})).status_code == 422

    answer = await attacker.submit("/step-up", {"password": PASSWORD, "next": "/account"})

    assert wait_of(answer) == 300
    assert 'name="next" value="/account"' in answer.text
    assert "Please try again in 5 minutes." in answer.text
    assert "set-cookie" not in answer.headers
    owner = at("203.0.113.7")
    await sign_in(owner, person)
    assert (await owner.submit("/step-up", {"password": PASSWORD})).status_code == 303
    clock.forward(minutes=5)
    assert (await attacker.submit("/step-up", {"password": PASSWORD})).status_code == 303


async def test_attackers_at_the_login_do_not_keep_the_owner_from_stepping_up(at: Any, clock: Clock) -> None:
    person, owner = await make_user(), at("203.0.113.7")
    await sign_in(owner, person)
    await under_attack(at, person.email)
    await owner.tries(person.email, times=11)

    assert (await owner.submit("/step-up", {"password": PASSWORD})).status_code == 303
