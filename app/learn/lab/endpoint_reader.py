"""The user whose session a page of the lab shows. `permissions.Developer` decides who may open the page at all."""

from typing import Any

from app.auth.permissions import SignedIn


def reader(request: Any) -> Any:
    """The signed-in user; None for a visitor without a session, whom the page asks to sign in.

    Errors: as a protected page raises them where the request may belong to a session: it has a refresh cookie, or it
    follows a link on another site, so that the browser sent no cookies.
    """
    user = request.user
    if user.is_authenticated:
        return user
    if user.unavailable or user.refresh_cookie or request.headers.get("sec-fetch-site") == "cross-site":
        SignedIn().check(user)
    return None
