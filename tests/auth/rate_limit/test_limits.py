"""Wherever something secret may be tried: of tries sent at once no more are answered than of those one by one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.auth import email_links
from app.auth.accounts import email_change, login_flow, password_change, signup
from app.auth.errors import TooManyAttempts
from app.auth.models import link_rows
from app.auth.rate_limit import limits
from app.auth.tokens import TokenPair
from app.mfa import enrolment, second_factor
from app.mfa.proofs import Proof
from tests.support import forge
from tests.support.clock import Clock
from tests.support.people import PASSWORD, Person, make_user, start_session
from tests.support.phone import with_a_phone

pytestmark = [pytest.mark.race, pytest.mark.anyio, pytest.mark.usefixtures("database")]
AT_ONCE = 40
NEW = "wrong zebra paperclip sonata"
WRONG = "wrongzebrapaperclipsonat"  # in the form of a recovery code, too: else it is no guess
Try = Callable[[str], Awaitable[Any]]


def sid_of(pair: TokenPair | None) -> UUID:
    assert pair
    return UUID(forge.claims(pair.access_token)["sid"])


async def sign_in(person: Person, sid: UUID) -> tuple[Try, str]:
    return lambda guess: login_flow.login(person.email, guess), PASSWORD


async def step_up(person: Person, sid: UUID) -> tuple[Try, str]:
    return lambda guess: login_flow.step_up(person.id, sid, guess), PASSWORD


async def new_password(person: Person, sid: UUID) -> tuple[Try, str]:
    return lambda guess: password_change.change_password(person.id, sid, guess, NEW), PASSWORD


async def new_password_that_is_refused(person: Person, sid: UUID) -> tuple[Try, str]:
    """The complaint about the new one must not tell that the current one was right."""
    return lambda guess: password_change.change_password(person.id, sid, guess, "too short"), PASSWORD


async def new_address(person: Person, sid: UUID) -> tuple[Try, str]:
    return lambda guess: email_change.request_email_change(person.id, sid, "new@example.com", guess), PASSWORD


async def address_of_now(person: Person, sid: UUID) -> tuple[Try, str]:
    return lambda guess: email_change.request_email_change(person.id, sid, person.email, guess), PASSWORD


async def registration_that_needs_its_password(person: Person, sid: UUID) -> tuple[Try, str]:
    for name in ("Joan", "Somebody"):
        await signup.request("contested@example.com", name, PASSWORD)
    row = await db.fetch_one(sa.select(link_rows).where(link_rows.c.name == "Joan"))
    return lambda guess: signup.confirm(email_links.token(row), guess), PASSWORD


async def second_step(person: Person, sid: UUID) -> tuple[Try, str]:
    phone = await with_a_phone(person)
    half = await login_flow.login(person.email, PASSWORD)
    assert isinstance(half, login_flow.PendingLogin)
    return lambda guess: second_factor.sign_in(half.ticket, guess), phone.recovery_codes[0]


async def turning_off(person: Person, sid: UUID) -> tuple[Try, str]:
    phone = await with_a_phone(person)
    here = sid_of(phone.pair)
    return lambda guess: enrolment.turn_off(person.id, here, Proof(PASSWORD, guess)), phone.recovery_codes[0]


async def turning_off_by_password(person: Person, sid: UUID) -> tuple[Try, str]:
    """The complaint about the code must not tell that the password was right."""
    here = sid_of((await with_a_phone(person)).pair)
    return lambda guess: enrolment.turn_off(person.id, here, Proof(guess, "no code of ours")), PASSWORD


async def new_recovery_codes(person: Person, sid: UUID) -> tuple[Try, str]:
    phone = await with_a_phone(person)
    here = sid_of(phone.pair)
    return lambda guess: enrolment.new_recovery_codes(person.id, here, Proof(PASSWORD, guess)), phone.recovery_codes[0]


# What is tried -> the limit of it.
WAYS = {
    sign_in: limits.PAIR,
    step_up: limits.SESSION,
    new_password: limits.SESSION,
    new_password_that_is_refused: limits.SESSION,
    new_address: limits.SESSION,
    address_of_now: limits.SESSION,
    registration_that_needs_its_password: limits.SESSION,
    second_step: limits.CODE,
    turning_off: limits.CODE,
    turning_off_by_password: limits.SESSION,
    new_recovery_codes: limits.CODE,
}


# v5.0.0-2.3.2, v5.0.0-6.3.1, v5.0.0-15.4.2
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_right_one_behind_a_crowd_of_wrong_ones_is_not_told_from_them(way: Any, clock: Clock) -> None:
    person = await make_user()
    sid = sid_of(await start_session(person))
    attempt, right = await way(person, sid)
    most, _ = limits.limit(WAYS[way])

    crowd = [attempt(WRONG) for _ in range(AT_ONCE)]
    *answers, last = await asyncio.gather(*crowd, attempt(right), return_exceptions=True)

    assert sum(not isinstance(answer, TooManyAttempts) for answer in answers) == most
    assert isinstance(last, TooManyAttempts)


# v5.0.0-6.3.1
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_right_one_among_the_first_is_answered_and_costs_no_try(way: Any, clock: Clock) -> None:
    person = await make_user()
    sid = sid_of(await start_session(person))
    attempt, right = await way(person, sid)
    most, _ = limits.limit(WAYS[way])
    for _ in range(most - 1):
        wrong = await attempt(WRONG)

    assert await attempt(right) != wrong
