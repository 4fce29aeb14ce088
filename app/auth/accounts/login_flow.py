"""Login, step-up and refresh. Logout: `logout_flow`. New accounts: `signup`, `user_creation`.

Each function is one transaction that locks the user's row before the session's: a login that runs at the same time as a
deactivation cannot leave a live session.
Chapter: "Logging in". Patterns: login-endpoint, login-errors.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import mfa_ticket, passwords
from app.auth.accounts import new_device, passkey_offer
from app.auth.claims import AppToken
from app.auth.errors import TooManyAttempts
from app.auth.models import session_rows, user_rows
from app.auth.rate_limit import attempts, known_devices, quotas
from app.auth.sessions import revocation, rotation
from app.auth.sessions.rotation_policy import Decision
from app.auth.tokens import TokenPair
from app.email import outbox
from app.observability import logs, metrics
from app.web import client
from app.web.email_address import email_key


class Login(NamedTuple):
    """The issued tokens. `deletion_cancelled`: a scheduled account deletion was cancelled by this login.

    `passkey_offer`: the challenge to offer a passkey with, "" for no offer (see `passkey_offer`).
    """

    pair: TokenPair
    deletion_cancelled: bool
    passkey_offer: str = ""


class PendingLogin(NamedTuple):
    """The password was right and a second factor is on. `ticket` proves that to `app.mfa`, which asks for the code."""

    ticket: str


log = logs.get("auth")

UNDO_WINDOW = timedelta(days=7)  # for a second factor: as long as the link that undoes an email change

_BY_KEY = sa.select(user_rows).where(user_rows.c.email_key == sa.bindparam("key"))
_NOW = sa.select(db.now())

_LOCK_UNCHANGED = sa.update(user_rows).where(
    user_rows.c.id == sa.bindparam("of"),
    user_rows.c.is_active.is_(True),
    user_rows.c.password == sa.bindparam("password_seen"),
    user_rows.c.delete_after.is_not_distinct_from(sa.bindparam("delete_after_seen")),
    user_rows.c.second_factor_at.is_not_distinct_from(sa.bindparam("second_factor_seen")),
)


async def login(
    email: str, password: str, presented: Iterable[AppToken] = (), device: str = "", *, offers: bool = False
) -> Login | PendingLogin | None:
    """A new session for the right password of an active account; None for everything else, after the same time.

    PendingLogin, and no session yet, if a second factor is on.
    `presented`: tokens that the browser still holds; their sessions end as replaced. `device`: the browser's id, ""
    for a program (see `cookies.device`). `offers`: the browser could add a passkey.
    Raises TooManyAttempts, Overloaded.
    """
    key = email_key(email)
    async with attempts.login(key, device, db.utcnow()) as attempt:
        for last_time in (False, True):  # retry once: a login at the same time may have updated the stored hash
            user = await db.fetch_one(_BY_KEY, {"key": key})
            verified = await passwords.verify(password, user.password if user else None)
            async with db.transaction() as tx:
                now = await tx.fetch_value(_NOW)
                await attempt.count(tx, now)
                if user is not None and user.is_active and verified.ok:
                    if done := await _accept(tx, user, verified.new_hash, presented, device, now, offers):
                        await attempt.take_back(tx, now)
                        return done
                    if not last_time and await _changed(tx, user):
                        await attempt.take_back(tx, now)
                        continue
                user_id = user.id if user else None
                await attempt.failed(tx, now, user_id)
                await events.record(events.LOGIN_FAILED, tx=tx, user_id=user_id)
                break
    return None


async def step_up(user_id: UUID, sid: UUID, password: str) -> TokenPair | None:
    """Confirm the password again: a new session replaces the old one; its absolute expiry does not change.

    A new session, so that copies of the old tokens gain nothing (v5.0.0-7.2.4). None for a wrong password, or if the
    session has ended. Raises TooManyAttempts, Overloaded.
    """
    async with attempts.step_up(sid, db.utcnow()) as attempt:
        user = await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == user_id))
        verified = await passwords.verify(password, user.password if user else None)
        async with db.transaction() as tx:
            now = await tx.fetch_value(_NOW)
            await attempt.count(tx, now)
            if user is not None and verified.ok and await lock_unchanged(tx, user, {"last_login": user.last_login}):
                await attempt.take_back(tx, now)
                if pair := await replace_session(tx, user, sid, now):
                    await events.record(events.STEP_UP, tx=tx, user_id=user.id, actor_id=user.id)
                return pair
            await attempt.failed(tx, now, user_id)
            await events.record(events.STEP_UP_FAILED, tx=tx, user_id=user_id, actor_id=user_id, session_id=sid)
    return None


async def refresh(
    raw: str | None, *, marker: str = "", retried: bool = False, proof: str = ""
) -> rotation.Rotated | rotation.Rejected:
    """`rotation.rotate` with a rate limit. Raises TooManyAttempts; the token then stays valid."""
    if raw:
        await quotas.count_refresh(raw, db.utcnow())
    outcome = await rotation.rotate(raw, marker=marker, retried=retried, proof=proof)
    metrics.REFRESH_DECISIONS.labels(outcome.decision.value).inc()
    if isinstance(outcome, rotation.Rejected):
        log.info("refresh_refused", decision=outcome.decision.value)
    if isinstance(outcome, rotation.Rotated) and outcome.quick >= quotas.MAX_QUICK:
        raise TooManyAttempts(int(rotation.QUICK_GAP.total_seconds()))
    if raw and isinstance(outcome, rotation.Rejected) and outcome.decision is Decision.INVALID:
        await quotas.count_invalid_token(db.utcnow())
    return outcome


async def lock_unchanged(tx: Any, user: Any, values: dict[str, Any]) -> bool:
    """Lock and update the row if it is still as verified: active, and with the same credentials. True if it was."""
    seen = {"of": user.id, "password_seen": user.password, "delete_after_seen": user.delete_after}
    seen["second_factor_seen"] = user.second_factor_at
    return bool(await tx.execute(_LOCK_UNCHANGED, values | seen))


def second_factor_is_recent(user: Any, at: datetime) -> bool:
    """Was the second factor turned on less than a week before `at`, or later? Then a mailed link turns it off."""
    return user.second_factor_at is not None and user.second_factor_at > at - UNDO_WINDOW


async def undo_second_factor(tx: Any, user_id: UUID) -> None:
    """Turn the second factor off, in the transaction of a mailed link, which also ends the sessions.

    The authenticator's secret and the recovery codes are void from then on; maintenance deletes them.
    """
    await tx.execute(sa.update(user_rows).where(user_rows.c.id == user_id).values(second_factor_at=None))
    await events.record(events.SECOND_FACTOR_UNDONE, tx=tx, user_id=user_id)
    await outbox.enqueue(tx, "second_factor_undone", user_id=user_id, **client.current().words())


async def replace_session(tx: Any, user: Any, sid: UUID, now: Any) -> TokenPair | None:
    """Replace the session by a new one with the same absolute expiry. None if it has already ended."""
    ends_at = await tx.fetch_value(sa.select(session_rows.c.ends_at).where(session_rows.c.id == sid))
    if not await revocation.revoke(sid, events.REPLACED, tx=tx, now=now, actor_id=user.id):
        return None
    return await rotation.start(tx, user, now=now, ends_at=ends_at)


async def _accept(
    tx: Any, user: Any, new_hash: str | None, presented: Iterable[AppToken], device: str, now: Any, offers: bool
) -> Login | PendingLogin | None:
    """Complete the login, or ask for the second factor. None if the account has changed since it was verified."""
    half = user.second_factor_at is not None
    values = {"last_login": user.last_login if half else now, "password": new_hash or user.password}
    if not await lock_unchanged(tx, user, values):
        return None
    if new_hash:
        await events.record(events.PASSWORD_REHASHED, tx=tx, user_id=user.id, actor_id=user.id)
    if not half:
        return await complete(tx, user, presented, now, device, offers=offers)
    if await known_devices.password_accepted(tx, user.email_key, device, now):  # v5.0.0-6.3.5
        await outbox.enqueue(tx, "second_factor_requested", user_id=user.id, **client.current().words())
    await events.record(events.SECOND_FACTOR_REQUESTED, tx=tx, user_id=user.id)
    return PendingLogin(mfa_ticket.issue(user.id, values["password"], now))


async def complete(
    tx: Any, user: Any, presented: Iterable[AppToken], now: Any, device: str, *, offers: bool = False
) -> Login:
    """Start the session after every factor was verified, in the transaction that locked the user's row.

    From now on the device is known to the account: only a complete login makes it known.
    """
    is_new = await new_device.is_new(tx, user, device, now)
    await known_devices.remember(tx, user.email_key, device, now)
    for token in presented:
        await revocation.revoke(token.sid, events.REPLACED, tx=tx, now=now, actor_id=user.id)
    pair = await rotation.start(tx, user, now=now)
    await events.record(events.LOGIN, tx=tx, user_id=user.id, actor_id=user.id)
    if is_new:  # v5.0.0-6.3.5
        await events.record(events.NEW_DEVICE, tx=tx, user_id=user.id, actor_id=user.id)
        await outbox.enqueue(tx, "new_device", user_id=user.id, **client.current().words())
    if await _cancel_deletion(tx, user):
        return Login(pair, deletion_cancelled=True)
    offer = await passkey_offer.made(tx, user, pair, now) if offers else ""
    return Login(pair, deletion_cancelled=False, passkey_offer=offer)


async def _cancel_deletion(tx: Any, user: Any) -> bool:
    """Signing in before the day of deletion cancels it (see `account_deletion`)."""
    if user.delete_after is None:
        return False
    await tx.execute(sa.update(user_rows).where(user_rows.c.id == user.id).values(delete_after=None))
    await events.record(events.DELETION_CANCELLED, tx=tx, user_id=user.id, actor_id=user.id)
    await outbox.enqueue(tx, "deletion_cancelled", user_id=user.id, **client.current().words())
    return True


async def _changed(tx: Any, user: Any) -> bool:
    """Have the credentials changed since they were verified, so that the password must be verified again?"""
    stored = await tx.fetch_one(sa.select(user_rows).where(user_rows.c.id == user.id))
    return stored is not None and _credentials(stored) != _credentials(user)


def _credentials(user: Any) -> tuple[Any, ...]:
    return user.password, user.delete_after, user.second_factor_at
