"""Doctor's checks of the database: reachable, up to date, privileges, connections, clock."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from app import db
from app.auth import roles
from app.auth.accounts import demo_accounts
from app.auth.models import user_rows
from app.cli.doctor import Finding
from app.db.database import STATEMENT_SECONDS
from app.db.postgresql import BOUNDS, greet
from app.mfa import re_encryption
from app.settings import get_settings

CLOCKS_APART = timedelta(seconds=5)
SPARE = 5  # connections for the migration, a backup and an operator


# What it says when it does not let us in: the start of a reason -> in words, and what to do.
OWNED = "make the user that runs the server the owner of the file and its folder, with access for nobody else"
START = "start it, or correct host and port in DATABASE_URL"
NOT_IN: dict[str, tuple[str, str]] = {
    "gaierror": ("the host name does not resolve", "correct the host in DATABASE_URL, or fix the DNS server"),
    "ConnectionRefusedError": ("connection refused", START),
    "TimeoutError": ("timed out", f"{START}, or open the firewall for this machine"),
    "NoServerTakesWrites": ("only read-only servers answer", "promote a standby, or name the primary in DATABASE_URL"),
    "ConnectionError": (
        "the server does not support TLS",
        "turn on TLS on the server, or use sslmode=disable in DATABASE_URL if it is this machine",
    ),
    "28": (
        "user or password refused",
        "correct them in DATABASE_URL; if they are right, check pg_hba.conf on the server",
    ),
    "08P01": (
        "the pooler refuses the connection",
        "correct user, password and database in DATABASE_URL, and in the pooler",
    ),
    "3D": ("the database does not exist", "CREATE DATABASE, or correct the name in DATABASE_URL"),
    "53300": ("no connections left", "use fewer workers or a lower APP_DATABASE_POOL_SIZE, or raise max_connections"),
    "57P03": ("the server is starting or shutting down", "wait, then run doctor again"),
    "SQLITE_CANTOPEN": ("the file cannot be opened", OWNED),
    "PermissionError": ("the file cannot be opened", OWNED),
    "SQLITE_READONLY": ("it is read-only", OWNED),
}
ANY = ("", "start it, or correct DATABASE_URL")


def examine(workers: int) -> Iterator[Finding]:
    where = db.database.target
    try:
        if where.kind == "sqlite" and not Path(where.database).exists():  # asking would make one
            yield Finding("database", f"{where} does not exist yet", "python -m app migrate, or correct DATABASE_URL")
            return
        pending = db.pending()
    except (db.Unavailable, OSError) as error:
        yield _not_in("database", str(where), error)
        return
    except sa.exc.DatabaseError as error:
        if where.kind != "sqlite":
            raise
        yield _damaged(error.orig)
        return
    yield Finding("database", f"{where} answers")
    yield from asyncio.run(_other_hosts())
    if pending:
        yield Finding("migrations", f"pending: {', '.join(pending)}", "python -m app migrate")
        return
    yield Finding("migrations", "all applied")
    yield from asyncio.run(_connected(workers))


def _not_in(what: str, where: str, error: Exception, *, note: bool = False) -> Finding:
    reason = str(error) if isinstance(error, db.Unavailable) else type(error).__name__
    words, fix = next((said for start, said in NOT_IN.items() if reason.startswith(start)), ANY)
    return Finding(what, f"{where} does not answer: {f'{words} ({reason})' if words else reason}", fix, note=note)


async def _other_hosts() -> list[Finding]:
    """Those that a failover would lead to: nobody notices that one is gone before it is needed."""
    hosts, found = db.database.target.hosts, []
    for host in hosts if len(hosts) > 1 else ():
        try:
            with db.translate_errors():
                await greet(db.database.target, host)
        except db.Unavailable as error:
            found.append(_not_in("hosts", ":".join(map(str, host)), error, note=True))
    return found


async def _connected(workers: int) -> list[Finding]:
    await db.connect()
    try:
        return [finding async for finding in _questions(workers)]
    finally:
        await db.disconnect()


async def _questions(workers: int) -> AsyncIterator[Finding]:
    if db.database.target.kind == "sqlite":
        if (damage := await _damage()) != "ok":
            yield _damaged(damage)
            return  # whatever is asked may meet it
        yield await _takes_writes()
    apart = abs(await db.fetch_value(sa.select(db.now())) - db.utcnow())
    if apart > CLOCKS_APART:
        says = (
            f"the clocks of this machine and the database are {apart.total_seconds():.0f} seconds apart: tokens "
            f"expire at the wrong time"
        )
        yield Finding("clock", says, "synchronise both clocks with NTP (timedatectl set-ntp true)")
    else:
        yield Finding("clock", "the clocks of this machine and the database agree")
    if not get_settings().is_development and (email := await demo_accounts.still_open()):
        says = f"the published demo password of {email} works here"
        yield Finding("accounts", says, "deactivate the account or change its password")
    if lost := await re_encryption.unreadable():
        says = f"authenticator apps and passkeys that no configured secret can decrypt: {lost}"
        yield Finding("factors", says, "add the secret that encrypted them to APP_VERIFYING_SECRET_KEYS")
    if alone := await _admins_with_a_password_alone():
        says = f"administrators without two-factor authentication: {alone}"
        fix = "turn it on at /account/second-factor, then set APP_ADMINS_NEED_SECOND_FACTOR=true"
        yield Finding("admins", says, fix, note=True)
    for role, people in await db.fetch_all(_ROLES_THAT_ARE_GONE):
        says = (
            f"accounts with the role {role!r}, which app/auth/roles.py does not have, so they may do nothing: {people}"
        )
        yield Finding("roles", says, "give them another role at /admin/users, or put it back into the table", note=True)
    if db.database.target.kind == "postgresql":
        async for finding in _postgresql(workers):
            yield finding


async def _damage() -> object:
    try:
        return await db.fetch_value(sa.text("PRAGMA quick_check(1)"))
    except sa.exc.DatabaseError as error:
        return error.orig


def _damaged(damage: object) -> Finding:
    fix = "stop the servers and restore a backup: deploy/backup.py restore FILE"
    return Finding("database", f"{db.database.target} is damaged: {damage}", fix)


async def _takes_writes() -> Finding:
    """BEGIN IMMEDIATE alone does not say so: on a file that is only read SQLite takes it for BEGIN."""
    path = str(db.database.target)
    try:
        await db.execute(sa.update(user_rows).where(sa.false()).values(name=user_rows.c.name))
    except db.Unavailable as error:
        return _not_in("writing", path, error)
    return Finding("writing", f"{path} is writable")


async def _admins_with_a_password_alone() -> int:
    table = user_rows
    admins = table.c.role.in_(roles.privileged()), table.c.is_active.is_(True), table.c.second_factor_at.is_(None)
    return int(await db.fetch_value(sa.select(sa.func.count()).where(*admins)))


_ROLES_THAT_ARE_GONE = (
    sa.select(user_rows.c.role, sa.func.count())
    .where(user_rows.c.role.not_in(roles.ROLES))
    .group_by(user_rows.c.role)
    .order_by(user_rows.c.role)
)


async def _postgresql(workers: int) -> AsyncIterator[Finding]:
    yield await _roles()
    yield await _pools(workers)
    yield await _bounds()
    if await db.fetch_value(sa.text("SELECT current_setting('transaction_read_only') = 'on'")):
        fix = "DATABASE_URL must name the primary; with several hosts, the writable one is found automatically"
        yield Finding("writing", f"{db.database.target} is read-only: nobody can sign in or out", fix)
    if not db.database.target.is_local and db.database.target.sslmode not in ("verify-full", "verify-ca"):
        says = (
            "the connection to the database may be unencrypted, and the server's identity is not verified "
            "(v5.0.0-12.3.2)"
        )
        yield Finding("tls", says, "DATABASE_URL=...?sslmode=verify-full", note=get_settings().is_development)


async def _bounds() -> Finding:
    """What a pooler lets through of the bounds that every connection asks for."""
    shown = {name: await db.fetch_value(sa.text(f"SHOW {name}")) for name in BOUNDS}
    says = ", ".join(f"{name} is {value}" for name, value in shown.items())
    if not db.database.connector.is_pooled:
        return Finding("bounds", says)
    says = f"the database is behind a pooler such as PgBouncer; {says}"
    if "0" not in shown.values():
        return Finding("bounds", says)
    role, seconds = db.database.target.user or "the role that serves", STATEMENT_SECONDS
    fix = "; ".join(f"ALTER ROLE {role} SET {name} = '{seconds}s'" for name in BOUNDS)
    return Finding("bounds", f"{says}: only transactions have a time limit", f"{fix}; then make the pooler reconnect")


async def _roles() -> Finding:
    """The role that serves may change rows, no tables, and only add to the audit log (v5.0.0-13.2.2, v5.0.0-16.4.2)."""
    can = await db.fetch_one(
        sa.text(
            "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS anything, "
            "has_schema_privilege(current_user, 'public', 'CREATE') AS tables, "
            "has_table_privilege(current_user, 'audit_events', 'UPDATE') "
            "OR has_table_privilege(current_user, 'audit_events', 'DELETE') AS history, current_user AS name"
        )
    )
    too_much = {
        "is a superuser": can.anything,
        "can create and drop tables": can.tables,
        "can change the audit log": can.history,
    }
    says = " and ".join(words for words, true in too_much.items() if true)
    if not says:
        return Finding("role", f"{can.name} has only the privileges that serving needs")
    fix = "use two roles, one that migrates and one that serves: deploy/roles.sql"
    return Finding("role", f"{can.name} {says}", fix, note=get_settings().is_development)


async def _pools(workers: int) -> Finding:
    row = await db.fetch_one(
        sa.text(
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
            " - coalesce(current_setting('reserved_connections', true)::int, 0) AS most"
        )
    )
    size = get_settings().database_pool_size
    wanted = workers * size + SPARE
    sum_ = f"{workers} workers x {size} connections + {SPARE} spare = {wanted}, of {row.most}"
    if db.database.connector.is_pooled:
        fix = f"set max_client_conn of the pooler to at least {wanted}, and default_pool_size too in session mode"
        return Finding("pool", f"{wanted - SPARE} connections to the pooler, which has its own limit", fix, note=True)
    if wanted <= row.most:
        return Finding("pool", sum_)
    return Finding(
        "pool", sum_, f"APP_DATABASE_POOL_SIZE={max(1, (row.most - SPARE) // workers)}, or raise max_connections"
    )
