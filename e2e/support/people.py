"""Signing in without the form, and cookies that a test puts in place. Only the login tests fill the form."""

from typing import Any, Literal

import sqlalchemy as sa
from playwright.sync_api import BrowserContext

from app import db
from app.auth import cookies
from app.auth.models import session_rows
from app.auth.tokens import TokenPair
from tests.support import forge
from tests.support.people import Person, start_session
from tests.support.server import Server

Which = Literal["access", "refresh"]


def sign_in(context: BrowserContext, server: Server, person: Person) -> TokenPair:
    """Give the context both cookies of a new session."""
    pair = server.run(lambda: start_session(person))
    put_cookie(context, "access", pair.access_token)
    put_cookie(context, "refresh", pair.refresh_token)
    return pair


def cookie(context: BrowserContext, which: Which) -> str | None:
    return next((c["value"] for c in context.cookies() if c["name"] == name_of(which)), None)


def put_cookie(context: BrowserContext, which: Which, value: str, host: str = "localhost") -> None:
    """As the server would set it. Over https by name only: the prefix `__Host-` cannot be planted otherwise."""
    attributes: dict[str, Any] = {"secure": True, "httpOnly": True, "sameSite": "Strict"}
    context.add_cookies([{"name": name_of(which), "value": value, "url": f"https://{host}", **attributes}])  # type: ignore[typeddict-item]


def drop_cookie(context: BrowserContext, which: Which) -> None:
    """As the browser does itself when Max-Age is over."""
    context.clear_cookies(name=name_of(which))


def let_an_hour_pass(context: BrowserContext) -> None:
    """Since the password was typed, as the access token tells it; the token itself stays good."""
    typed = int(db.utcnow().timestamp()) - 3600
    put_cookie(context, "access", forge.resign(cookie(context, "access") or "", auth_time=typed))


def name_of(which: Which) -> str:
    return cookies.access_name() if which == "access" else cookies.refresh_name()


def sessions_of(server: Server, person: Person) -> list[Any]:
    """The rows of the person's sessions, oldest first, as the database has them now."""
    mine = sa.select(session_rows).where(session_rows.c.user_id == person.id).order_by(session_rows.c.id)
    return server.run(lambda: db.fetch_all(mine))
