"""Who may enter the lab: whoever sits at this machine, in development."""

from typing import Any

from app.auth.guards import Guard, SignedIn
from app.settings import get_settings
from app.web import client
from app.web.errors import Problem

THIS_MACHINE = ("127.0.0.1", "::1")


class Developer(Guard):
    """To everybody else there is nothing at the address: 404, signed in or not."""

    def check(self, user: Any) -> None:
        if not get_settings().is_development or client.current().ip not in THIS_MACHINE:
            raise Problem(404)


def reader(request: Any) -> Any:
    """Who reads, or None for a visitor without a session, who is invited to sign in.

    Raises what a private page raises where a session may still be found: a refresh cookie, a link from another site.
    """
    user = request.user
    if user.is_authenticated:
        return user
    if user.unavailable or user.refresh_cookie or request.headers.get("sec-fetch-site") == "cross-site":
        SignedIn().check(user)
    return None
