"""What the owner changes about the ways to sign in: only with a proof, each time, and in one transaction with it."""

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import passwords, tokens
from app.auth.accounts import login_flow, logout_flow, profile
from app.auth.claims import AppToken
from app.auth.errors import SessionEnded, TooManyAttempts
from app.auth.models import user_rows
from app.auth.sessions import session_cache
from app.auth.tokens import TokenPair
from app.mfa import enrolment, passkeys, proofs, second_factor, totp, webauthn
from app.mfa.models import authenticator_rows, passkey_rows, recovery_rows
from app.mfa.proofs import Proof
from tests.support import secrets
from tests.support.account_state import happened, live
from tests.support.clock import Clock
from tests.support.device import Device, offered, session_of, with_a_device
from tests.support.mailbox import emails_to
from tests.support.people import PASSWORD, Person, make_user, start_session
from tests.support.phone import Phone, is_on, with_a_phone

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]

OWN = Proof(PASSWORD)
WRONG = "not the right passphrase"


def token_of(pair: TokenPair) -> AppToken:
    token = tokens.read(pair.access_token, "access", db.utcnow())
    assert token
    return token


async def turned_on(person: Person, sid: UUID, phone: Phone, clock: Clock, proof: Proof = OWN) -> Any:
    done = await enrolment.turn_on(person.id, sid, phone.secret, phone.shows(clock.now), proof)
    if isinstance(done, enrolment.On):
        secrets.keep(done.pair.access_token, done.pair.refresh_token, *done.recovery_codes)
    return done


# v5.0.0-6.3.7
async def test_turning_it_on_ends_the_other_sessions_and_emails_the_owner() -> None:
    person = await make_user()
    await start_session(person)
    await start_session(person)

    await with_a_phone(person)

    assert await live(person) == 1
    assert [each.subject for each in await emails_to(person.email)] == ["Two-factor authentication is on"]
    assert events.SECOND_FACTOR_ON in await happened(person)


async def test_wrong_first_code_turns_nothing_on(clock: Clock) -> None:
    person = await make_user()
    sid, phone = await session_of(person), Phone(totp.new_secret())

    for code in (phone.never_shows(clock.now), "", "x" * 100):
        faults = await enrolment.turn_on(person.id, sid, phone.secret, code, OWN)
        assert isinstance(faults, dict)
        assert set(faults) == {"code"}

    assert not await is_on(person)
    assert await live(person) == 1


# v5.0.0-11.5.1
async def test_two_who_hold_one_session_see_two_secrets(clock: Clock) -> None:
    """An attacker with a copy of the cookie must not end up with the secret that the owner scans."""
    person, other = await make_user(), await make_user()
    sid, elsewhere = await session_of(person), await session_of(other)

    mine, theirs = enrolment.offer(sid), enrolment.offer(sid)

    assert mine.secret != theirs.secret
    assert mine.secret not in mine.encrypted
    assert enrolment.offer(sid, mine.encrypted) == mine  # the page once more, after a wrong code
    for encrypted in ("", "x", mine.encrypted + "A", enrolment.offer(elsewhere).encrypted):
        assert enrolment.offered(encrypted, sid) is None
        assert enrolment.offer(sid, encrypted).encrypted != encrypted


@pytest.mark.race
async def test_turned_on_twice_at_once_is_on_once(clock: Clock) -> None:
    person = await make_user()
    phones = [Phone(totp.new_secret()) for _ in range(4)]
    sessions = [await session_of(person) for _ in phones]

    outcomes = await asyncio.gather(
        *(turned_on(person, sid, phone, clock) for sid, phone in zip(sessions, phones, strict=True)),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["On", *["SessionEnded"] * 3]
    assert await live(person) == 1


@pytest.mark.race
async def test_sign_in_that_meets_the_turning_on_leaves_no_session_without_it(clock: Clock) -> None:
    """Whichever is first: a session of the password alone does not live on."""
    for _ in range(5):
        person = await make_user()
        sid, phone = await session_of(person), Phone(totp.new_secret())

        await asyncio.gather(
            turned_on(person, sid, phone, clock), *(login_flow.login(person.email, PASSWORD) for _ in range(3))
        )

        assert await is_on(person)
        assert await live(person) == 1


async def test_turned_on_again_is_refused_while_it_is_on(clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    proof, sid = OWN._replace(code=phone.recovery_codes[0]), await session_of(person)

    with pytest.raises(SessionEnded):
        await turned_on(person, sid, Phone(totp.new_secret()), clock, proof)
    assert await second_factor.recovery_codes_left(person.id) == 10


# v5.0.0-6.5.6
async def test_turned_off_with_password_and_code_and_the_password_is_enough_again(clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    sid = await session_of(person)
    clock.forward(seconds=30)

    assert await enrolment.turn_off(person.id, sid, OWN._replace(code=phone.shows(clock.now))) == {}

    assert isinstance(await login_flow.login(person.email, PASSWORD), login_flow.Login)
    assert await db.fetch_all(sa.select(authenticator_rows)) == await db.fetch_all(sa.select(recovery_rows)) == []
    assert "Two-factor authentication is off" in [
        email_message.subject for email_message in await emails_to(person.email)
    ]
    assert await enrolment.turn_off(person.id, sid, OWN) == {}  # once more: it is off, and nobody is told again
    assert (await happened(person)).count(events.SECOND_FACTOR_OFF) == 1


async def test_sessions_that_a_worker_remembers_are_over_at_once_when_it_is_turned_on(clock: Clock) -> None:
    """Each of them was opened by the password alone: the one that turned it on, and the others."""
    person = await make_user()
    own, other = [token_of(await start_session(person)) for _ in range(2)]
    await session_cache.read_invalidations()  # from here on what is remembered counts
    for token in (own, other, own, other):
        assert await session_cache.load(token, clock.now)

    done = await turned_on(person, own.sid, Phone(enrolment.offer(own.sid).secret), clock)

    assert [await session_cache.load(token, clock.now) for token in (own, other)] == [None, None]
    cached = await session_cache.load(token_of(done.pair), clock.now)
    assert cached
    assert cached.second_factor


async def test_session_that_a_worker_remembers_knows_at_once_that_it_is_off(clock: Clock) -> None:
    """Without the word to the others a page for who has a second factor would stay open to who has none."""
    person = await make_user()
    phone = await with_a_phone(person)
    token = token_of(await start_session(person))
    await session_cache.read_invalidations()  # from here on what is remembered counts
    for remembered in (await session_cache.load(token, clock.now), await session_cache.load(token, clock.now)):
        assert remembered
        assert remembered.second_factor

    await enrolment.turn_off(person.id, token.sid, OWN._replace(code=phone.recovery_codes[0]))

    cached = await session_cache.load(token, clock.now)
    assert cached
    assert not cached.second_factor


async def test_ticket_of_the_time_before_it_was_turned_off_is_gone(clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    half = await login_flow.login(person.email, PASSWORD)
    assert isinstance(half, login_flow.PendingLogin)
    first, second = phone.recovery_codes[:2]
    await enrolment.turn_off(person.id, await session_of(person), OWN._replace(code=first))

    with pytest.raises(second_factor.TicketExpired):
        await second_factor.sign_in(half.ticket, second)


async def new_codes(person: Person, phone: Phone, clock: Clock) -> enrolment.NewCodes:
    clock.forward(seconds=30)
    proof = OWN._replace(code=phone.shows(clock.now))
    made = await enrolment.new_recovery_codes(person.id, await session_of(person), proof)
    assert isinstance(made, enrolment.NewCodes)
    return made


async def signs_in(person: Person, code: str) -> bool:
    half = await login_flow.login(person.email, PASSWORD)
    assert isinstance(half, login_flow.PendingLogin)
    return await second_factor.sign_in(half.ticket, code) is not None


async def test_old_recovery_codes_are_good_until_the_new_ones_are_saved(clock: Clock) -> None:
    """The page that shows them may be lost on the way."""
    person = await make_user()
    phone = await with_a_phone(person)
    old = phone.recovery_codes
    made = await new_codes(person, phone, clock)

    assert not set(made.recovery_codes) & set(old)
    assert not await signs_in(person, made.recovery_codes[0])
    assert await signs_in(person, old[0])
    assert await second_factor.recovery_codes_left(person.id) == 9
    assert await enrolment.save_recovery_codes(person.id, made.signed)

    assert await second_factor.recovery_codes_left(person.id) == 10
    assert not await signs_in(person, old[1])
    assert await signs_in(person, made.recovery_codes[0])


async def test_codes_saved_twice_cause_one_email(clock: Clock) -> None:
    person = await make_user()
    made = await new_codes(person, await with_a_phone(person), clock)
    assert events.RECOVERY_CODES_MADE not in await happened(person)

    assert await enrolment.save_recovery_codes(person.id, made.signed)
    await signs_in(person, made.recovery_codes[0])
    assert await enrolment.save_recovery_codes(person.id, made.signed)

    assert (await happened(person)).count(events.RECOVERY_CODES_MADE) == 1
    assert await second_factor.recovery_codes_left(person.id) == 9


async def test_codes_that_newer_ones_replaced_cannot_be_saved(clock: Clock) -> None:
    """Of two pages the one counts that was shown last."""
    person = await make_user()
    phone = await with_a_phone(person)
    first, second = await new_codes(person, phone, clock), await new_codes(person, phone, clock)

    assert not await enrolment.save_recovery_codes(person.id, first.signed)
    assert await signs_in(person, phone.recovery_codes[0])
    assert await enrolment.save_recovery_codes(person.id, second.signed)
    assert not await enrolment.save_recovery_codes(person.id, first.signed)


async def test_codes_are_saved_by_who_has_seen_them_alone(clock: Clock) -> None:
    """A copy of the session's cookie does not know what stands on the page, nor does an export say it."""
    person, other = await make_user(), await make_user()
    phone = await with_a_phone(person)
    made = await new_codes(person, phone, clock)
    first, _, mac = made.signed.partition(".")

    for guessed in ("", "x", first, f"{first}.", f"{first}.{mac[::-1]}", f"{db.uuid7()}.{mac}"):
        assert not await enrolment.save_recovery_codes(person.id, guessed)
    assert not await enrolment.save_recovery_codes(other.id, made.signed)
    assert await signs_in(person, phone.recovery_codes[0])


async def test_codes_of_a_factor_that_was_turned_off_cannot_be_saved(clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    made = await new_codes(person, phone, clock)
    await enrolment.turn_off(person.id, await session_of(person), OWN._replace(code=phone.recovery_codes[0]))

    assert not await enrolment.save_recovery_codes(person.id, made.signed)
    assert await db.fetch_all(sa.select(recovery_rows)) == []


async def test_no_recovery_codes_where_it_is_off() -> None:
    person = await make_user()

    with pytest.raises(SessionEnded):
        await enrolment.new_recovery_codes(person.id, await session_of(person), OWN)


class Situation:
    """Somebody with a second factor or without, a passkey, and a session; and what is kept of it all."""

    def __init__(self, person: Person, phone: Phone | None, device: Device, sid: UUID) -> None:
        self.person, self.phone, self.device, self.sid = person, phone, device, sid

    async def kept(self) -> list[Any]:
        tables = authenticator_rows.c.secret, recovery_rows.c.digest, passkey_rows.c.credential
        rows = [await db.fetch_all(sa.select(column).order_by(column)) for column in tables]
        return [*rows, await is_on(self.person), await live(self.person)]

    async def tries(self, change: str, proof: Proof, clock: Clock) -> Any:
        """Make the change with this proof."""
        who = self.person.id, self.sid
        if change == "add a passkey":
            user = SimpleNamespace(id=self.person.id, sid=self.sid, email=self.person.email, name=self.person.name)
            options = webauthn.to_add(user, ())
            return await enrolment.add_passkey(*who, Device().create(options), "A device", proof)
        if change == "turn on":
            phone = Phone(totp.new_secret())
            return await enrolment.turn_on(*who, phone.secret, phone.shows(clock.now), proof)
        return await (enrolment.turn_off if change == "turn off" else enrolment.new_recovery_codes)(*who, proof)


async def situation(change: str, with_factor: bool) -> Situation:
    person = await make_user()
    device = await with_a_device(person)
    phone = await with_a_phone(person) if with_factor else None
    return Situation(person, phone, device, await session_of(person))


# Change, and whether the second factor is on.
CHANGES = [
    ("add a passkey", False), ("add a passkey", True), ("turn on", False), ("turn off", True), ("new codes", True),
]  # fmt: skip
changes = pytest.mark.parametrize(("change", "on"), CHANGES)


# v5.0.0-7.5.1, v5.0.0-7.5.3
@changes
async def test_without_a_proof_nothing_is_changed(change: str, on: bool, clock: Clock) -> None:
    """The session alone, which a copied cookie has as well, makes nothing that outlives it."""
    at = await situation(change, on)
    before = await at.kept()
    code = at.phone.recovery_codes[0] if at.phone else ""
    others = await with_a_device(await make_user())
    refused = {
        Proof(): {"current_password", *(["code"] if on else [])},
        Proof(code=code): {"current_password"},
        Proof(WRONG, code): {"current_password"},
        Proof(passkey="x"): {"passkey"},
        Proof(passkey=at.device.get(webauthn.to_sign(webauthn.SIGN_IN))): {"passkey"},
        Proof(passkey=at.device.get(webauthn.to_sign(webauthn.stepping_up(at.sid)))): {"passkey"},
        Proof(passkey=at.device.get(proofs.to_prove(db.uuid7()))): {"passkey"},
        Proof(passkey=others.get(proofs.to_prove(at.sid))): {"passkey"},
    }
    if on:
        refused |= {Proof(PASSWORD): {"code"}, Proof(PASSWORD, "000000"): {"code"}}
    before[2] = (await at.kept())[2]  # the other one's passkey

    for proof, fields in refused.items():
        faults = await at.tries(change, proof, clock)
        assert isinstance(faults, dict), proof
        assert set(faults) == fields

    assert await at.kept() == before


@changes
@pytest.mark.parametrize("way", ["password", "passkey"])
async def test_with_a_proof_it_is(change: str, on: bool, way: str, clock: Clock) -> None:
    at = await situation(change, on)
    before = await at.kept()
    proof = Proof(PASSWORD, at.phone.recovery_codes[0] if at.phone else "")
    if way == "passkey":
        proof = Proof(passkey=at.device.get(proofs.to_prove(at.sid)))

    done = await at.tries(change, proof, clock)

    assert done == {} or not isinstance(done, dict)
    assert await at.kept() != before


@changes
async def test_passkey_proves_once(change: str, on: bool, clock: Clock) -> None:
    at = await situation(change, on)
    proof = Proof(passkey=at.device.get(proofs.to_prove(at.sid)))
    assert await passkeys.prove(at.person.id, webauthn.proving(at.sid), proof.passkey, nothing)

    assert await at.tries(change, proof, clock) == {"passkey": proofs.NOT_GOOD}


async def nothing(*_: Any) -> bool:
    return True


@changes
@pytest.mark.parametrize("way", ["password", "passkey"])
async def test_session_that_ended_meanwhile_changes_nothing(change: str, on: bool, way: str, clock: Clock) -> None:
    at = await situation(change, on)
    proof = Proof(PASSWORD, at.phone.recovery_codes[0] if at.phone else "")
    if way == "passkey":
        proof = Proof(passkey=at.device.get(proofs.to_prove(at.sid)))
    await logout_flow.end_own_session(at.person.id, at.sid)
    before = await at.kept()

    with pytest.raises(SessionEnded):
        await at.tries(change, proof, clock)

    assert await at.kept() == before


@changes
async def test_guesses_at_the_password_are_counted_as_at_step_up(change: str, on: bool, clock: Clock) -> None:
    """v5.0.0-6.3.1"""
    at = await situation(change, on)
    right = Proof(PASSWORD, at.phone.recovery_codes[0] if at.phone else "")
    for _ in range(10):
        await at.tries(change, right._replace(password=WRONG), clock)

    with pytest.raises(TooManyAttempts):
        await at.tries(change, right, clock)
    with pytest.raises(TooManyAttempts):
        await login_flow.step_up(at.person.id, at.sid, PASSWORD)
    assert (await happened(at.person)).count(events.STEP_UP_FAILED) == 10


@pytest.mark.parametrize("change", ["add a passkey", "turn off", "new codes"])
async def test_guesses_at_the_code_are_counted_as_at_the_sign_in(change: str, clock: Clock) -> None:
    """v5.0.0-6.3.1"""
    at = await situation(change, True)
    assert at.phone
    for _ in range(5):
        await at.tries(change, OWN._replace(code=at.phone.never_shows(clock.now)), clock)

    with pytest.raises(TooManyAttempts):
        await at.tries(change, OWN._replace(code=at.phone.recovery_codes[0]), clock)
    assert (await happened(at.person)).count(events.SECOND_FACTOR_FAILED) == 5


@pytest.mark.parametrize("changed", ["password", "second_factor_at"])
async def test_account_that_changed_while_the_password_was_looked_at_is_not_changed(
    changed: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await make_user()
    sid = await session_of(person)

    async def and_then_changed(*given: Any, verify: Any = passwords.verify) -> Any:
        values = {changed: await passwords.hash("another") if changed == "password" else clock.now}
        await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(values))
        return await verify(*given)

    monkeypatch.setattr(passwords, "verify", and_then_changed)

    assert await turned_on(person, sid, Phone(totp.new_secret()), clock) == {"current_password": profile.NOT_YOURS}
    assert await db.fetch_all(sa.select(authenticator_rows)) == []


async def test_what_the_device_made_is_good_for_another_try_of_the_form() -> None:
    """Or a device would keep a passkey that we do not know, for each password that was mistyped."""
    person = await make_user()
    sid, options = await offered(person)
    answer = Device().create(options)

    assert set(await enrolment.add_passkey(person.id, sid, answer, "x", Proof(WRONG))) == {"current_password"}
    assert await enrolment.add_passkey(person.id, sid, answer, "x", OWN) == {}
    assert await enrolment.add_passkey(person.id, sid, answer, "x", OWN) == {"credential": enrolment.NOT_ADDED}
    assert len(await passkeys.of_user(person.id)) == 1
