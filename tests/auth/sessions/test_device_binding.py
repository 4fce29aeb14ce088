"""Sessions that are bound to a device: what binds one, what renews one, and what an attacker with every cookie gets."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import keys
from app.auth.models import session_rows
from app.auth.sessions import device_binding, revocation, rotation
from app.auth.sessions.device_binding import challenge
from app.auth.sessions.rotation import Rejected, Rotated
from app.auth.sessions.rotation_policy import Decision
from app.auth.tokens import TokenPair
from app.settings import get_settings
from tests.support import forge
from tests.support.bound import BoundDevice, bound, key_of, sid_of
from tests.support.clock import Clock
from tests.support.people import make_user, start_session

pytestmark = [pytest.mark.database, pytest.mark.anyio, pytest.mark.usefixtures("database")]

PROVEN = [Decision.ROTATE, Decision.REPLAY]


async def outcome(pair: TokenPair, device: BoundDevice | None, said: str | None = None) -> Rotated | Rejected:
    """Present the refresh token with what the device signs: our challenge for it, unless something else."""
    now = db.utcnow()
    said = challenge(sid_of(pair), forge.claims(pair.refresh_token)["gen"], now) if said is None else said
    return await rotation.rotate(pair.refresh_token, proof=device.proof(said) if device else "")


async def rotated(pair: TokenPair, device: BoundDevice) -> TokenPair:
    done = await outcome(pair, device)
    assert isinstance(done, Rotated), done
    return done.pair


async def revoked_for(pair: TokenPair) -> str | None:
    row = await db.fetch_one(sa.select(session_rows).where(session_rows.c.id == sid_of(pair)))
    assert row
    return row.revoked_for  # type: ignore[no-any-return]


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_device_renews_its_session(clock: Clock, algorithm: str) -> None:
    pair = await start_session(await make_user())
    key = rsa.generate_private_key(65537, 2048) if algorithm == "RS256" else ec.generate_private_key(ec.SECP256R1())
    device = await bound(pair, BoundDevice(key, algorithm))

    for generation in (2, 3):
        clock.forward(minutes=13)
        done = await outcome(pair, device)
        assert isinstance(done, Rotated)
        pair = done.pair
        assert forge.claims(pair.refresh_token)["gen"] == generation
        assert keys.verify_expiring_mac("device proof", f"{sid_of(pair)} {generation}", done.challenge, clock.now)

    recorded = {row.event: row.detail for row in await db.fetch_all(sa.select(event_rows))}
    assert recorded[events.SESSION_BOUND] == algorithm


# RFC 9700 section 4.14.2
@pytest.mark.parametrize("renewals", [0, 1, 2, 5])
@pytest.mark.parametrize("age", [timedelta(0), timedelta(seconds=60), timedelta(days=1)])
async def test_copied_cookies_renew_nothing_and_end_nothing(clock: Clock, renewals: int, age: timedelta) -> None:
    """Whatever the generation of the copy: without binding each of these is a renewal, a question or a reuse."""
    copy = pair = await start_session(await make_user())
    device, attacker = await bound(pair), BoundDevice()
    for _ in range(renewals):
        clock.forward(minutes=13)
        pair = await rotated(pair, device)
    clock.forward(seconds=age.total_seconds())

    for own_key in (None, attacker):
        refused = await outcome(copy, own_key)
        assert isinstance(refused, Rejected)
        assert refused.decision is Decision.UNPROVEN
        assert refused.challenge

    assert await revoked_for(pair) is None
    assert (await outcome(pair, device)).decision in PROVEN


@pytest.mark.parametrize(
    "said",
    [
        "",
        "x",
        lambda pair, now: challenge(sid_of(pair), 2, now),
        lambda pair, now: challenge(db.uuid7(), 1, now),
        lambda pair, now: challenge(sid_of(pair), 1, now - timedelta(hours=1)),
        lambda pair, now: pair.registration,
    ],
    ids=["nothing", "a word", "another generation", "another session", "over", "the sign-in's"],
)
async def test_device_signs_our_challenge_for_this_very_token(clock: Clock, said: Any) -> None:
    pair = await start_session(await make_user())
    device = await bound(pair)

    refused = await outcome(pair, device, said if isinstance(said, str) else said(pair, clock.now))

    assert refused.decision is Decision.UNPROVEN
    assert await rotated(pair, device)


async def test_challenge_outlives_the_access_token_and_no_more(clock: Clock) -> None:
    """Sent ahead, so that a renewal is one round trip; a browser that slept asks for another one."""
    pair = await start_session(await make_user())
    device, ahead = await bound(pair), challenge(sid_of(pair), 1, clock.now)

    clock.forward(minutes=19, seconds=59)
    assert (await outcome(pair, device, ahead)).decision is Decision.ROTATE
    clock.forward(seconds=1)
    assert (await outcome(pair, device, ahead)).decision is Decision.UNPROVEN


async def test_lost_answer_is_handed_out_again_to_the_device_alone(clock: Clock) -> None:
    pair = await start_session(await make_user())
    device = await bound(pair)
    await rotated(pair, device)  # the answer never arrives
    clock.forward(days=2)

    assert (await outcome(pair, None)).decision is Decision.UNPROVEN
    again = await outcome(pair, device)

    assert isinstance(again, Rotated)
    assert (again.decision, forge.claims(again.pair.refresh_token)["gen"]) == (Decision.REPLAY, 2)


async def test_old_token_from_the_device_itself_ends_the_session(clock: Clock) -> None:
    pair = await start_session(await make_user())
    device = await bound(pair)
    await rotated(await rotated(pair, device), device)

    assert (await outcome(pair, device)).decision is Decision.REUSE
    assert await revoked_for(pair) == events.REUSED


async def test_ended_session_asks_for_no_proof(clock: Clock) -> None:
    pair = await start_session(await make_user())
    await bound(pair)
    async with db.transaction() as tx:
        await revocation.revoke(sid_of(pair), events.LOGGED_OUT, tx=tx, now=clock.now)

    assert (await outcome(pair, None)).decision is Decision.ENDED


async def test_key_that_cannot_be_read_any_more_proves_nothing(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = await start_session(await make_user())
    device = await bound(pair)
    monkeypatch.setattr(keys, "decrypt", lambda *_, **__: None)

    assert (await outcome(pair, device)).decision is Decision.UNPROVEN


async def test_key_in_another_row_proves_nothing_there(clock: Clock) -> None:
    """An attacker who can write to the database alone cannot bind a session to a device of their own."""
    pair, other = [await start_session(await make_user()) for _ in range(2)]
    attacker = await bound(other)
    mine = session_rows.c.id == sid_of(pair)
    await db.execute(sa.update(session_rows).where(mine).values(device_key=await key_of(other)))

    assert (await outcome(pair, attacker)).decision is Decision.UNPROVEN


DEVICE = BoundDevice()
SHORT = BoundDevice(rsa.generate_private_key(65537, 1024), "RS256")
CURVE = BoundDevice(ec.generate_private_key(ec.SECP384R1()), "ES384")
Made = Callable[[str], str]


def flipped(proof: str) -> str:
    """The same with another signature."""
    head, _, signature = proof.rpartition(".")
    return f"{head}.{signature[:10]}{'A' if signature[10] != 'A' else 'B'}{signature[11:]}"


def unsigned(challenge: str) -> str:
    return jwt.encode({"jti": challenge}, None, "none", {"typ": "dbsc+jwt", "jwk": DEVICE.jwk})


def with_the_public_key_as_secret(challenge: str) -> str:
    headers = {"typ": "dbsc+jwt", "jwk": DEVICE.jwk}
    return jwt.encode({"jti": challenge}, DEVICE.jwk["x"] + DEVICE.jwk["y"], "HS256", headers)


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits long")  # by the library that signs for the test
@pytest.mark.parametrize(
    "made",
    [
        lambda _: "",
        lambda _: "x",
        lambda _: "a.b.c",
        lambda _: "e30.e30.e30",
        lambda _: DEVICE.registration("x"),
        lambda _: DEVICE.registration(""),
        lambda said: DEVICE.registration(said + "x"),
        lambda said: flipped(DEVICE.registration(said)),
        lambda said: BoundDevice().registration(said, jwk=DEVICE.jwk),
        lambda said: DEVICE.registration(said, jwk=None),
        lambda said: DEVICE.registration(said, jwk="x"),
        lambda said: DEVICE.registration(said, jwk={**DEVICE.jwk, "x": 1}),
        lambda said: DEVICE.registration(said, jwk={"kty": "oct", "k": "eA"}),
        lambda said: DEVICE.registration(said, typ="jwt"),
        lambda said: DEVICE.registration(said, typ=None),
        lambda said: DEVICE.registration(said, kid="x"),
        lambda said: DEVICE.registration(said, crit=["b64"], b64=True),
        lambda said: DEVICE.registration(said, jwk={**DEVICE.jwk, "n": "x" * 5000}),
        lambda said: SHORT.registration(said),
        lambda said: CURVE.registration(said),
        unsigned,
        with_the_public_key_as_secret,
    ],
)
async def test_registration_that_is_not_good_binds_nothing(clock: Clock, made: Made) -> None:
    pair = await start_session(await make_user())

    assert not await device_binding.bind(sid_of(pair), made(pair.registration))

    assert await key_of(pair) == ""
    assert await bound(pair)


async def test_session_is_bound_by_the_challenge_of_its_own_sign_in(clock: Clock) -> None:
    pair, other = [await start_session(await make_user()) for _ in range(2)]
    ahead = challenge(sid_of(pair), 1, clock.now)

    for said in (other.registration, ahead):
        assert not await device_binding.bind(sid_of(pair), DEVICE.registration(said))
    clock.forward(minutes=5)
    assert not await device_binding.bind(sid_of(pair), DEVICE.registration(pair.registration))


async def test_other_sessions_stay_unbound(clock: Clock) -> None:
    person = await make_user()
    mine, another, of_somebody = (
        await start_session(person),
        await start_session(person),
        await start_session(await make_user()),
    )

    await bound(mine)

    assert [await key_of(pair) for pair in (another, of_somebody)] == ["", ""]
    assert await key_of(mine)


async def test_session_is_bound_once(clock: Clock) -> None:
    pair = await start_session(await make_user())
    device = await bound(pair)

    assert not await device_binding.bind(sid_of(pair), BoundDevice().registration(pair.registration))
    assert await rotated(pair, device)


async def test_of_many_registrations_at_once_one_binds_and_it_alone_renews(clock: Clock) -> None:
    pair = await start_session(await make_user())
    devices = [BoundDevice() for _ in range(20)]

    done = await asyncio.gather(
        *[device_binding.bind(sid_of(pair), device.registration(pair.registration)) for device in devices]
    )

    assert done.count(True) == 1
    for device, bound_it in zip(devices, done, strict=True):
        if not bound_it:
            assert (await outcome(pair, device)).decision is Decision.UNPROVEN
    assert await rotated(pair, devices[done.index(True)])


async def test_session_that_was_renewed_or_has_ended_is_not_bound(clock: Clock) -> None:
    """Somebody has used the first pair by now, and who that was nobody knows."""
    renewed, ended = [await start_session(await make_user()) for _ in range(2)]
    assert (await outcome(renewed, None)).decision is Decision.ROTATE
    async with db.transaction() as tx:
        await revocation.revoke(sid_of(ended), events.LOGGED_OUT, tx=tx, now=clock.now)

    for pair in (renewed, ended):
        assert not await device_binding.bind(sid_of(pair), DEVICE.registration(pair.registration))


@pytest.mark.parametrize(
    ("setting", "value"), [("device_bound", "off"), ("public_origin", "http://testserver"), ("cookie_insecure", True)]
)
async def test_nothing_is_offered_where_no_browser_could_take_it(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: Any
) -> None:
    monkeypatch.setattr(get_settings(), setting, value)

    assert (await start_session(await make_user())).registration == ""
