"""Whose session an exhibit shows. Who may enter at all is the guard's business (`permissions.Developer`)."""

from typing import Any

from app.auth.permissions import SignedIn


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
