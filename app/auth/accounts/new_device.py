"""Whether a completed sign-in is on a device that is new to the account, so that its owner gets an e-mail about it.

A browser is known by its signed cookie (`known_devices`), never by its name or address: an attacker can have both.
Nothing but the e-mail and an entry of the audit log depends on the answer.
Chapter: "Logging in". Source: v5.0.0-6.3.5.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.auth.models import session_rows
from app.auth.rate_limit import known_devices, limits
from app.web import client

_OWN = session_rows.c.user_id == sa.bindparam("owner")
_RECENT_PROGRAM = (_OWN, session_rows.c.program.is_(True), session_rows.c.last_seen_at > sa.bindparam("since"))
_EXACTLY_THIS = (session_rows.c.user_agent == sa.bindparam("user_agent"), session_rows.c.ip == sa.bindparam("ip"))
_SAME_PROGRAM = sa.select(session_rows.c.id).where(*_RECENT_PROGRAM, *_EXACTLY_THIS).limit(1)
_PROGRAMS = sa.select(session_rows.c.user_agent, session_rows.c.ip).where(*_RECENT_PROGRAM).distinct()
_ANY = sa.select(session_rows.c.id).where(_OWN).limit(1)


async def is_new(tx: Any, user: Any, device: str, now: datetime) -> bool:
    """Ask before `known_devices.remember` and before the new session is in. The first sign-in of an account is no news.

    `device`: the browser's id, "" for a program.
    """
    if device:
        known = await known_devices.is_known(tx, user.email_key, device, now)
    else:
        known = await _is_known_program(tx, user, now)
    return not known and (user.last_login is not None or await tx.fetch_one(_ANY, {"owner": user.id}) is not None)


async def _is_known_program(tx: Any, user: Any, now: datetime) -> bool:
    """A program brings no cookie: in the last 60 days one of this name has signed in from this network.

    Browsers do not count: what uses the name of the owner's browser at the API is no browser of the owner.
    """
    this, since = client.current(), now - known_devices.KNOWN_FOR
    recent = {"owner": user.id, "since": since}
    if await tx.fetch_one(_SAME_PROGRAM, recent | {"user_agent": this.user_agent, "ip": this.ip}):
        return True  # the usual case; a program may have thousands of sessions
    seen = {(client.device(row.user_agent), _network(row.ip)) for row in await tx.fetch_all(_PROGRAMS, recent)}
    return (client.device(this.user_agent), _network(this.ip)) in seen


def _network(ip: str) -> str:
    return limits.networks_of(ip)[-1]
