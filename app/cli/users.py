"""The commands about users: create-admin, promote, deactivate, end-sessions, remove-second-factor,
import-authenticator.

They ask the same rules as the pages; only that nobody in particular is the actor. A password is typed where nobody
sees it, and never stands on a command line, which every user of the machine can read.
"""

import getpass
import sys
from collections.abc import Awaitable, Callable
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import passwords
from app.auth.accounts import user_admin, user_creation
from app.auth.accounts.user_admin import Outcome
from app.auth.models import user_rows
from app.auth.sessions import revocation
from app.cli import on_database
from app.cli.on_database import Refused
from app.mfa import second_factor, totp
from app.web import lengths
from app.web.email_address import address, email_key
from app.web.forms import Line

Act = Callable[[UUID], Awaitable[Outcome]]


def create_admin(email: str, name: str) -> int:
    """Make an administrator; asks for what is not given, and always for the password."""
    return on_database.run(lambda: _create_admin(email, name))


def promote(email: str) -> int:
    return _change(email, lambda user_id: user_admin.change(user_id, None, role="admin"), "an administrator")


def deactivate(email: str) -> int:
    return _change(email, lambda user_id: user_admin.change(user_id, None, is_active=False), "deactivated")


def end_sessions(email: str) -> int:
    return _change(email, lambda user_id: user_admin.end_sessions(user_id, None), "signed out everywhere")


def end_every_session() -> int:
    """Everybody's: after the promotion of a replica that had not heard of the latest sign-outs."""

    async def end() -> str:
        ended = await revocation.revoke_everybody(events.ENDED_BY_ADMIN)
        return f"{ended} sessions ended: everybody has to sign in again."

    return on_database.run(end)


def remove_second_factor(email: str) -> int:
    return _change(email, lambda user_id: second_factor.remove(user_id, None), "without two-factor authentication")


def import_authenticator(email: str, short: bool) -> int:
    """Turn on two-factor authentication with a secret of another system, read from standard input or asked for."""

    async def import_it() -> str:
        user_id = await _holder(email)
        written = getpass.getpass("Secret (base32): ") if sys.stdin.isatty() else sys.stdin.readline()
        secret = _checked(lambda text: totp.imported(text, short=short), written)
        if await second_factor.import_authenticator(user_id, secret) is not Outcome.DONE:
            raise Refused("two-factor authentication is on already: nothing was changed")
        return f"{email} now signs in with a code of the imported authenticator; all sessions ended."

    return on_database.run(import_it)


def _change(email: str, act: Act, becomes: str) -> int:
    async def change() -> str:
        outcome = await act(await _holder(email))
        if outcome is Outcome.LAST_ADMIN:
            raise Refused(f"{email} is the only administrator: create or promote another one first")
        return f"{email} is now {becomes}." if outcome is Outcome.DONE else f"{email} was already {becomes}."

    return on_database.run(change)


async def _create_admin(email: str, name: str) -> str:
    email = _checked(address, email or _ask("E-mail: "))
    name = _checked(Line(1, lengths.NAME).check, name or _ask("Name: "))
    password = _new_password((email, name))
    encoded = await passwords.hash(password)
    try:
        async with db.transaction() as tx:
            user_id = await user_creation.add(tx, email, name, encoded, "admin")
            await events.record(events.REGISTERED, tx=tx, user_id=user_id, detail="create-admin")
    except sa.exc.IntegrityError:
        raise Refused(f"there is already an account with this address: python -m app promote {email}") from None
    return f"{email} is now an administrator."


def _new_password(about: tuple[str, str]) -> str:
    password = getpass.getpass("Password: ")
    if why_not := passwords.validation_error(password, about=about):
        raise Refused(why_not)
    if getpass.getpass("Repeat password: ") != password:
        raise Refused("the passwords do not match")
    return password


async def _holder(email: str) -> UUID:
    key = email_key(email)
    found = await db.fetch_value(sa.select(user_rows.c.id).where(user_rows.c.email_key == key)) if key else None
    if found is None:
        raise Refused("there is no account with this address")
    return UUID(str(found))


def _ask(question: str) -> str:
    try:
        return input(question)
    except EOFError:
        raise Refused("no terminal to ask: pass --email and --name") from None


def _checked(check: Callable[[str], str], text: str) -> str:
    try:
        return check(text)
    except ValueError as error:
        raise Refused(str(error)) from None
