"""A browser that an account was signed in to: how it is known, to whom, and what that changes for its owner and others.

What unknown devices get meanwhile: `test_throttling_owner`.
"""

import asyncio
from datetime import timedelta
from ipaddress import IPv6Address
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events, queries
from app.auth.accounts import password_reset
from app.auth.models import counter_rows
from app.auth.rate_limit import known_devices, limits
from tests.contract.places import WRONG, Place, details, statuses, under_attack, wait_of
from tests.support.clock import Clock
from tests.support.mailbox import emails_to, link_in
from tests.support.people import PASSWORD, Person, make_user
from tests.support.phone import Phone, with_a_phone

pytestmark = pytest.mark.anyio
DEVICE = "__Host-device"
NEW = "wrong zebra paperclip sonata"
GIVEN = "Your password was entered on a new device"


async def to_the_code(place: Place, person: Person) -> None:
    answer = await place.fills_in(person.email, PASSWORD)
    assert answer.headers["location"].startswith("/login/code")


async def with_the_code(place: Place, phone: Phone, clock: Clock) -> None:
    await clock_on(clock)
    answer = await place.submit("/login/code", {"code": phone.shows(clock.now)})
    assert answer.status_code == 303


async def clock_on(clock: Clock) -> None:
    """Until the next code is shown: none is good twice."""
    clock.forward(seconds=30)


async def told(person: Person) -> int:
    return [email_message.subject for email_message in await emails_to(person.email)].count(GIVEN)


# v5.0.0-3.3.1, v5.0.0-3.3.2, v5.0.0-3.3.4
async def test_sign_in_gives_the_browser_a_cookie_of_its_own_that_a_sign_out_leaves(at: Any) -> None:
    browser, person = at("203.0.113.7"), await make_user()

    answer = await browser.fills_in(person.email, PASSWORD)
    out = await browser.submit("/logout")

    (line,) = [line for line in answer.headers.get_list("set-cookie") if line.startswith(f"{DEVICE}=")]
    seconds = int(known_devices.KNOWN_FOR.total_seconds())
    assert line.split("; ")[1:] == ["HttpOnly", f"Max-Age={seconds}", "Path=/", "SameSite=Strict", "Secure"]
    assert DEVICE not in " ".join(out.headers.get_list("set-cookie"))
    assert "cookies" not in out.headers["clear-site-data"]
    assert browser.cookie(DEVICE)


# v5.0.0-14.2.6
async def test_cookie_names_nobody_and_does_not_grow(at: Any) -> None:
    """Who finds it in a browser learns neither who signed in there nor how many."""
    browser, people = at("203.0.113.7"), [await make_user() for _ in range(4)]
    seen = []
    for person in people:
        await browser.has_signed_in(person.email)
        seen.append(browser.cookie(DEVICE))

    assert len({value.partition(".")[0] for value in seen}) == 1
    assert {len(value) for value in seen} == {22 + 1 + 10 + 1 + 43}
    text = " ".join([*seen, str(await db.fetch_all(sa.select(counter_rows)))])
    assert not any(str(each) in text for person in people for each in (person.id, person.id.hex, person.email))
    assert browser.cookie(DEVICE).partition(".")[0] not in str(await db.fetch_all(sa.select(counter_rows)))


async def test_nobody_else_is_given_one(at: Any) -> None:
    """Neither who only looks, nor who guesses, nor who has a password and no code, nor a program."""
    person = await make_user()
    await with_a_phone(person)
    browser, program, other = at("203.0.113.7"), at("203.0.113.8"), await make_user()

    await browser.visit("/login")
    await browser.fills_in(other.email)
    await to_the_code(browser, person)
    await browser.submit("/login/code", {"code": "000000"})
    await program.tries(other.email, PASSWORD)

    assert browser.cookie(DEVICE) is None
    assert not program.cookies


# v5.0.0-6.3.8
async def test_wrong_guess_beside_an_owner_tells_nothing_about_accounts(at: Any, clock: Clock) -> None:
    """At the very address where the owner signed in, in another browser, while the account is attacked, and one that
    does not exist as well."""
    person = await make_user()
    await at("203.0.113.7").has_signed_in(person.email)
    seen = []
    for email in (person.email, "nobody@example.com"):
        for number in range(30):
            await at(f"198.51.100.{number}").tries(email)
        seen.append([answer.status_code for answer in await at("203.0.113.7").tries(email, times=3)])

    assert seen[0] == seen[1] == [429] * 3


# v5.0.0-6.1.1
async def test_neighbours_at_the_owners_address_do_not_lock_the_owner_out(at: Any, clock: Clock) -> None:
    person, owner, neighbour = await make_user(), at("203.0.113.7"), at("203.0.113.7")
    await owner.has_signed_in(person.email)

    await neighbour.tries(person.email, times=11)
    for number in range(60):
        last = await neighbour.tries(f"person{number}@example.org")

    assert wait_of(last[0])
    assert (await owner.fills_in(person.email, PASSWORD)).status_code == 303


# v5.0.0-6.3.1
async def test_eleventh_guess_on_a_known_device_has_to_wait_from_wherever_it_is_sent(at: Any, clock: Clock) -> None:
    """A stolen cookie is a device like others: ten guesses, and even the right one waits. Elsewhere nothing changes."""
    person, owner = await make_user(), at("203.0.113.7")
    await owner.has_signed_in(person.email)
    stolen = owner.cookie(DEVICE)

    for number in range(10):
        attacker = at(f"192.0.2.{number}")
        attacker.put_cookie(DEVICE, stolen)
        assert (await attacker.fills_in(person.email)).status_code == 422
    answer = await attacker.fills_in(person.email, PASSWORD)

    assert wait_of(answer) == 300
    assert "set-cookie" not in answer.headers
    assert await details(events.LOGIN_THROTTLED) == [limits.DEVICE]
    assert statuses(await at("203.0.113.7").tries(person.email, PASSWORD)) == [200]
    clock.forward(minutes=5)
    assert (await owner.fills_in(person.email, PASSWORD)).status_code == 303


@pytest.mark.race
async def test_guesses_on_a_known_device_sent_at_once_are_no_more_than_ten(at: Any, clock: Clock) -> None:
    person, owner = await make_user(), at("203.0.113.7")
    await owner.has_signed_in(person.email)

    answers = await asyncio.gather(*(owner.fills_in(person.email, guess) for guess in [*[WRONG] * 40, PASSWORD]))

    assert statuses(answers).count(422) == 10
    assert answers[-1].status_code == 429


@pytest.mark.parametrize(
    "altered",
    [
        "", ".", "{name}", "{name}.{until}", "{name}.{until}.", "x{name}.{until}.{mac}", "{name}.9{until}.{mac}",
        "{name}.{until}.{mac}A", ".{until}.{mac}", "{name}.{until}.{other}",
    ],
)  # fmt: skip
async def test_cookie_that_we_did_not_make_so_is_none(at: Any, clock: Clock, altered: str) -> None:
    person, owner, other = await make_user(), at("203.0.113.7"), at("203.0.113.8")
    await owner.has_signed_in(person.email)
    await other.has_signed_in((await make_user()).email)
    await under_attack(at, person.email)
    name, until, mac = owner.cookie(DEVICE).split(".")

    attacker = at("192.0.2.1")
    attacker.put_cookie(
        DEVICE, altered.format(name=name, until=until, mac=mac, other=other.cookie(DEVICE).split(".")[2])
    )

    assert wait_of(await attacker.fills_in(person.email, PASSWORD))


async def test_device_of_one_account_is_unknown_to_another(at: Any, clock: Clock) -> None:
    """Who has an account here gains nothing at the accounts of others."""
    person, attacker = await make_user(), at("192.0.2.1")
    await attacker.has_signed_in((await make_user()).email)
    await under_attack(at, person.email)

    assert wait_of(await attacker.fills_in(person.email, PASSWORD))


async def test_device_is_forgotten_after_sixty_days(at: Any, clock: Clock) -> None:
    person, owner = await make_user(), at("203.0.113.7")
    for days in (0, 59, 59):  # each sign-in begins anew
        clock.forward(days=days)
        await owner.has_signed_in(person.email)
    cookie = owner.cookie(DEVICE)
    clock.forward(days=61)
    await under_attack(at, person.email)

    owner.put_cookie(DEVICE, cookie)

    assert wait_of(await owner.fills_in(person.email, PASSWORD))


async def test_program_may_bring_the_cookie_of_a_browser_and_is_given_none(at: Any, clock: Clock) -> None:
    person, browser, program = await make_user(), at("203.0.113.7"), at("203.0.113.9")
    await browser.has_signed_in(person.email)
    await under_attack(at, person.email)
    program.put_cookie(DEVICE, browser.cookie(DEVICE))

    (answer,) = await program.tries(person.email, PASSWORD)

    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers


# v5.0.0-6.1.1
async def test_owner_on_a_new_device_gets_in_by_an_emailed_link_during_an_attack(at: Any, clock: Clock) -> None:
    """For half an hour the browser where the link chose the password is as good as a known one."""
    person, owner = await make_user(), at("203.0.113.7")
    await password_reset.request(person.email)
    (email_message,) = await emails_to(person.email)
    token = link_in(email_message).partition("?token=")[2]
    assert (await owner.submit("/reset-password", {"token": token, "password": NEW})).status_code == 303

    await under_attack(at, person.email)

    assert (await owner.fills_in(person.email, WRONG)).status_code == 422
    clock.forward(minutes=31)
    assert wait_of(await owner.fills_in(person.email, NEW))


async def test_mailed_link_does_not_shorten_what_a_sign_in_has_given(at: Any, clock: Clock) -> None:
    person, owner = await make_user(), at("203.0.113.7")
    await owner.has_signed_in(person.email)
    await password_reset.request(person.email)
    token = link_in((await emails_to(person.email))[-1]).partition("?token=")[2]
    await owner.submit("/reset-password", {"token": token, "password": NEW})
    clock.forward(days=30)
    await under_attack(at, person.email)

    assert (await owner.fills_in(person.email, NEW)).status_code == 303


async def test_right_password_without_the_code_makes_no_device_known(at: Any, clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    attacker, owner = at("192.0.2.1"), at("203.0.113.7")
    await attacker.has_signed_in((await make_user()).email)  # a browser with a cookie of its own
    for place in (attacker, owner):
        await to_the_code(place, person)
    await with_the_code(owner, phone, clock)

    await under_attack(at, person.email)

    assert wait_of(await attacker.fills_in(person.email))
    assert (await owner.fills_in(person.email)).status_code == 422


# v5.0.0-6.3.5, v5.0.0-16.3.1
async def test_right_password_on_a_new_device_is_told_and_on_a_known_one_written_down(at: Any, clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    owner, attacker = at("203.0.113.7"), at("192.0.2.1")

    await to_the_code(owner, person)
    assert await told(person) == 1
    await with_the_code(owner, phone, clock)
    await to_the_code(owner, person)
    assert await told(person) == 1
    for _ in range(5):
        await to_the_code(attacker, person)

    assert await told(person) == known_devices.NOTIFICATIONS[0]
    logged = await queries.of_user(person.id, 50)
    assert [row.event for row in logged].count(events.SECOND_FACTOR_REQUESTED) == 7
    assert "192.0.2.1" in {row.ip for row in logged if row.event == events.SECOND_FACTOR_REQUESTED}


# v5.0.0-6.3.1
async def test_right_password_without_a_code_is_limited_and_the_owners_device_counts_for_itself(
    at: Any, clock: Clock
) -> None:
    """Ten an hour for everyone with the password, from anywhere."""
    person = await make_user()
    phone = await with_a_phone(person)
    owner = at("203.0.113.7")
    await to_the_code(owner, person)
    await with_the_code(owner, phone, clock)
    for number in range(10):
        await to_the_code(at(f"192.0.2.{number}"), person)

    answer = await at("192.0.2.99").fills_in(person.email, PASSWORD)

    assert wait_of(answer) == 3600
    assert "set-cookie" not in answer.headers
    await to_the_code(owner, person)
    clock.forward(hours=1)
    await to_the_code(at("192.0.2.99"), person)


async def test_sign_in_that_is_finished_does_not_count(at: Any, clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)

    for _ in range(12):
        program = at("203.0.113.9")  # one without cookies
        (half,) = await program.tries(person.email, PASSWORD)
        await clock_on(clock)
        code = {"ticket": half.json()["ticket"], "code": phone.shows(clock.now)}
        assert (await program.post("/api/auth/login/code", json=code)).status_code == 200

    await to_the_code(at("203.0.113.7"), person)


# v5.0.0-6.3.1
async def test_networks_of_a_48_that_began_to_wait_early_have_one_turn_and_the_wait_of_now(
    at: Any, clock: Clock
) -> None:
    """Turns that were taken while the wait was a second are not all good when it is over."""
    person = await make_user()
    await under_attack(at, person.email, places=20)
    lines = [at(f"2001:db8:1:{number:x}::1") for number in range(60)]
    others = [at(f"192.0.2.{number}") for number in range(10)]
    for place in [*lines, *others]:
        assert wait_of((await place.tries(person.email))[0]) == 1
    clock.forward(seconds=2)

    answers = [(await place.tries(person.email))[0] for place in [*lines, *others]]
    clock.forward(minutes=15)
    later = [(await place.tries(person.email))[0] for place in lines]

    assert statuses(answers).count(401) == 2  # the first second, and then two of them
    assert statuses(later).count(401) == 1


async def test_unknown_devices_have_a_hundred_tries_a_day_in_all(at: Any, clock: Clock) -> None:
    person, owner = await make_user(), at("203.0.113.7")
    await owner.has_signed_in(person.email)
    places = [at(f"198.51.{number // 250}.{number % 250}") for number in range(130)]
    looked_at = 0
    for _ in range(3):
        for place in places:
            looked_at += (await place.tries(person.email))[0].status_code == 401
        clock.forward(minutes=15)

    assert looked_at == limits.limit(limits.UNKNOWN_DEVICES)[0] == 100
    assert wait_of((await at("192.0.2.1").tries(person.email))[0]) > timedelta(hours=22).total_seconds()
    assert limits.UNKNOWN_DEVICES in await details(events.LOGIN_THROTTLED)
    assert (await owner.fills_in(person.email, PASSWORD)).status_code == 303


@pytest.mark.parametrize(("apart", "most"), [(1, 100), (2**8, 200), (2**16, 300)])
async def test_addresses_of_one_customer_fail_together(at: Any, clock: Clock, apart: int, most: int) -> None:
    """Fifty failures from each /64, but no more than a hundred from a /56, and two hundred from a /48."""
    failed = 0
    for number in range(6):
        place = at(str(IPv6Address(0x20010DB800000000 + number * apart << 64)))
        failed += sum([(await place.tries(f"p{number}.{n}@example.org"))[0].status_code == 401 for n in range(52)])

    assert failed == most


# v5.0.0-6.3.5
async def test_attacker_with_the_name_and_address_of_the_owners_browser_is_a_new_device(at: Any, clock: Clock) -> None:
    person, owner, attacker = await make_user(), at("203.0.113.7"), at("203.0.113.7")
    await owner.has_signed_in(person.email)
    await owner.has_signed_in(person.email)
    assert await emails_to(person.email) == []

    await attacker.has_signed_in(person.email)

    (message,) = await emails_to(person.email)
    assert message.subject == "A sign-in on a new device"


async def test_cookie_of_another_site_or_of_ones_own_making_makes_no_device_known(at: Any, clock: Clock) -> None:
    person, owner, attacker = await make_user(), at("203.0.113.7"), at("203.0.113.7")
    await owner.has_signed_in(person.email)
    name, _, stamp = owner.cookie(DEVICE).partition(".")
    attacker.put_cookie(DEVICE, f"{name}.{stamp[:-1]}{'A' if stamp[-1] != 'A' else 'B'}")

    await attacker.has_signed_in(person.email)

    assert [message.subject for message in await emails_to(person.email)] == ["A sign-in on a new device"]
