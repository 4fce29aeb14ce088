"""User administration: what an admin, or a command, does to other people's accounts.

Each function is one transaction that first locks the rows of all admins, of the actor and of the person, in the order
of their ids: an actor whose role no longer has `users:write` changes nothing, and of two admins who demote each other
at once one stays. Nobody acts on an account, or gives a role, with a permission that their own role lacks. No function
takes a password: an admin can only send a link (v5.0.0-6.4.6).
Chapter: "The admin area". Source: v5.0.0-2.3.5, v5.0.0-7.4.2, v5.0.0-7.4.5, v5.0.0-8.3.2.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import email_links, passwords, roles
from app.auth.accounts import user_creation, user_search
from app.auth.errors import RegistrationClosed
from app.auth.models import session_rows, user_rows
from app.auth.sessions import revocation, session_cache
from app.email import outbox
from app.settings import get_settings


class Outcome(Enum):
    DONE = auto()
    NOTHING = auto()  # nothing to change
    MISSING = auto()  # no such account, or no such session of it
    YOURSELF = auto()  # administrators cannot do this to their own account
    LAST_ADMIN = auto()  # at least one admin must remain
    FORBIDDEN = auto()  # the actor's role does not allow it, or no longer
    INACTIVE = auto()  # a link would have no effect


@dataclass(slots=True)
class AdminAction:
    """A transaction with the rows locked. `actor`: None for a command on the server. `refused`: why the action is not
    allowed; None if it is.
    """

    tx: Any
    now: datetime
    person: Any
    actor: Any
    admins: set[UUID]
    refused: Outcome | None


async def change(
    user_id: UUID,
    actor_id: UUID | None,
    *,
    name: str | None = None,
    role: str | None = None,
    is_active: bool | None = None,
) -> Outcome:
    """Apply the given changes, all or none. A new role counts from the next request; deactivation ends all sessions.

    A reactivated account keeps its password; its old sessions stay ended.
    """
    async with admin_action(user_id, actor_id) as action:
        if action.refused:
            return action.refused
        given = {"name": name, "role": role, "is_active": is_active}
        values = {
            key: value for key, value in given.items() if value is not None and value != getattr(action.person, key)
        }
        if not values:
            return Outcome.NOTHING
        if role and "role" in values and action.actor and not roles.covers(action.actor.role, role):
            return Outcome.FORBIDDEN
        loses_it = values.get("role", "admin") != "admin" or values.get("is_active") is False
        if loses_it and action.admins == {user_id}:
            return Outcome.LAST_ADMIN
        await _apply(action, actor_id, values)
    return Outcome.DONE


async def end_sessions(user_id: UUID, actor_id: UUID | None) -> Outcome:
    """End every session of the account and cancel a pending email change. The account stays active.

    NOTHING if there was neither.
    """
    async with admin_action(user_id, actor_id) as action:
        if action.refused:
            return action.refused
        reason = events.ENDED_BY_ADMIN
        cancelled = await email_links.void_email_change(action.tx, action.now, user_id)
        ended = await revocation.revoke_all(user_id, reason, tx=action.tx, now=action.now, actor_id=actor_id)
    return Outcome.DONE if ended or cancelled else Outcome.NOTHING


async def end_session(user_id: UUID, sid: UUID, actor_id: UUID | None) -> Outcome:
    """End one session of the account."""
    theirs = sa.select(session_rows.c.id).where(session_rows.c.id == sid, session_rows.c.user_id == user_id)
    async with admin_action(user_id, actor_id) as action:
        if action.refused:
            return action.refused
        if await action.tx.fetch_one(theirs) is None:
            return Outcome.MISSING
        await email_links.void_email_change(action.tx, action.now, user_id)
        ended = await revocation.revoke(sid, events.ENDED_BY_ADMIN, tx=action.tx, now=action.now, actor_id=actor_id)
    return Outcome.DONE if ended else Outcome.NOTHING


async def send_link(user_id: UUID, actor_id: UUID | None) -> Outcome:
    """Queue an e-mail with a link to choose a password: the invitation again, or a password reset.

    Raises RegistrationClosed for an invitation where nobody new is taken.
    """
    async with admin_action(user_id, actor_id) as action:
        if action.refused:
            return action.refused
        if invited(action.person):
            check_takes_invited()
        if not action.person.is_active:
            return Outcome.INACTIVE
        kind, event = (
            ("invite", events.USER_INVITED) if invited(action.person) else ("reset", events.PASSWORD_RESET_SENT)
        )
        await outbox.enqueue(action.tx, kind, user_id=user_id)
        await events.record(event, tx=action.tx, user_id=user_id, actor_id=actor_id)
    return Outcome.DONE


async def require_new_password(user_id: UUID, actor_id: UUID | None, *, required: bool = True) -> Outcome:
    """From the next request on, every private page redirects to the password change (`required=False`: no longer)."""
    async with admin_action(user_id, actor_id) as action:
        if action.refused:
            return action.refused
        if action.person.must_change_password is required:
            return Outcome.NOTHING
        await write(action, {"must_change_password": required})
        await email_links.void_email_change(action.tx, action.now, user_id)
        event = events.PASSWORD_CHANGE_REQUIRED if required else events.PASSWORD_CHANGE_NOT_REQUIRED
        await events.record(event, tx=action.tx, user_id=user_id, actor_id=actor_id)
    return Outcome.DONE


async def invite(email: str, name: str, role: str, actor_id: UUID) -> UUID | Outcome:
    """Create an account with a random password, and queue an e-mail with a link to choose one.

    Returns the id; NOTHING if the address is taken. The random password is hashed, so that a login to an invited
    address takes the same time as to any other (v5.0.0-6.3.8). Raises RegistrationClosed.
    """
    check_takes_invited()
    encoded = await passwords.random_hash()
    try:
        async with db.transaction() as tx:
            actor: Any = next((row for row in await tx.fetch_all(_lock(actor_id)) if row.id == actor_id), None)
            if not _writes_users(actor) or not roles.covers(actor.role, role):
                return Outcome.FORBIDDEN
            user_id = await user_creation.add(tx, email, name, encoded, role)
            invited = sa.update(user_rows).where(user_rows.c.id == user_id).values(invited_at=db.now())
            await tx.execute(invited)
            await outbox.enqueue(tx, "invite", user_id=user_id)
            await events.record(events.USER_INVITED, tx=tx, user_id=user_id, actor_id=actor_id, detail=role)
    except sa.exc.IntegrityError:
        return Outcome.NOTHING
    return user_id


def check_takes_invited() -> None:
    """Raises RegistrationClosed where administrators create no accounts either."""
    if not get_settings().takes_invited:
        raise RegistrationClosed


def invited(person: Any) -> bool:
    """Whether an admin invited this account and nobody has signed in to it yet."""
    return person.invited_at is not None and person.last_login is None


@asynccontextmanager
async def admin_action(user_id: UUID, actor_id: UUID | None) -> AsyncIterator[AdminAction]:
    """Open the transaction of an action on this account. `actor_id`: who acts; None for a command on the server."""
    async with db.transaction() as tx:
        now = await tx.fetch_value(sa.select(db.now()))
        rows = {row.id: row for row in await tx.fetch_all(_lock(user_id, actor_id))}
        person, actor = rows.get(user_id), rows.get(actor_id)
        admins = {row.id for row in rows.values() if row.role == "admin" and _is_open(row)}
        yield AdminAction(tx, now, person, actor, admins, _rejection(person, actor, by_command=actor_id is None))


def _rejection(person: Any, actor: Any, *, by_command: bool) -> Outcome | None:
    if not by_command and not _writes_users(actor):
        return Outcome.FORBIDDEN
    if person is None:
        return Outcome.MISSING
    if by_command:
        return None
    if person.id == actor.id:
        return Outcome.YOURSELF
    return None if roles.covers(actor.role, person.role) else Outcome.FORBIDDEN


def _writes_users(actor: Any) -> bool:
    return actor is not None and _is_open(actor) and roles.may(actor.role, "users:write")


def _is_open(row: Any) -> bool:
    return bool(row.is_active and row.delete_after is None)


def _lock(*ids: UUID | None) -> Any:
    """Select these rows and those of all admins for update, in the order of ids: another order could deadlock."""
    table = user_rows
    admins = sa.and_(table.c.role == "admin", table.c.is_active.is_(True), table.c.delete_after.is_(None))
    these = table.c.id.in_([user_id for user_id in ids if user_id])
    return sa.select(table).where(sa.or_(these, admins)).order_by(table.c.id).with_for_update()


async def _apply(action: AdminAction, actor_id: UUID | None, values: dict[str, Any]) -> None:
    tx, person = action.tx, action.person
    about: dict[str, Any] = {"tx": tx, "user_id": person.id, "actor_id": actor_id}
    if "name" in values:
        values["search_text"] = user_search.search_text(values["name"], person.email_key)
        await user_search.index(tx, person.id, values["name"], person.email_key)
        await events.record(events.NAME_CHANGED, **about)
    await write(action, values)
    if "role" in values:
        await events.record(events.ROLE_CHANGED, **about, detail=f"{person.role} to {values['role']}")
    if values.get("is_active") is False:
        await revocation.revoke_all(person.id, events.DEACTIVATED, tx=tx, now=action.now, actor_id=actor_id)
        await email_links.void_email_change(tx, action.now, person.id)
        await events.record(events.USER_DEACTIVATED, **about)
    elif values.get("is_active"):
        await events.record(events.USER_REACTIVATED, **about)


async def write(action: AdminAction, values: dict[str, Any]) -> None:
    """Update the account's row and invalidate its cached sessions in every worker."""
    await action.tx.execute(sa.update(user_rows).where(user_rows.c.id == action.person.id).values(values))
    await session_cache.invalidate(action.tx, user_id=action.person.id)
