"""The session cookies: their names, their attributes, and the only functions that set or delete them.

A failed refresh never deletes cookies: of two concurrent refreshes, the later 401 would delete the new cookies.
Chapter: "Tokens in cookies". Source: RFC 6265bis section 4.1.3.2 (`__Host-`); v5.0.0-3.3.*.
Pattern: pitfall-localstorage.
"""

import secrets
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import datetime
from typing import Any

from app.auth import keys, mfa_ticket
from app.auth.rate_limit import known_devices
from app.auth.tokens import TokenPair
from app.settings import get_settings
from app.web import cookies

DEVICE = "device"
METHODS = PASSWORD, PASSKEY = "password", "passkey"
REGISTER_DEVICE = "/auth/device-session"  # see `pages.device_session`


def access_name() -> str:
    return "__Host-access" if get_settings().secure_cookies else "access"


def refresh_name() -> str:
    return "__Host-refresh" if get_settings().secure_cookies else "refresh"


def ticket_name() -> str:
    return "__Host-ticket" if get_settings().secure_cookies else "ticket"


def device_name() -> str:
    return "__Host-device" if get_settings().secure_cookies else "device"


def method_name() -> str:
    return "__Host-method" if get_settings().secure_cookies else "method"


def ended_name() -> str:
    return "__Host-ended" if get_settings().secure_cookies else "ended"


def read(scope: MutableMapping[str, Any]) -> tuple[str | None, str | None]:
    """The values of the access and the refresh cookie. Only login, logout, /auth/resume and the API's refresh use the
    refresh token.
    """
    jar = cookies.read(scope)
    return jar.get(access_name()), jar.get(refresh_name())


def ours(scope: MutableMapping[str, Any]) -> dict[str, str]:
    """The access, refresh and ticket cookies of the request, by name."""
    jar = cookies.read(scope)
    brought = {name: jar.get(name) for name in (access_name(), refresh_name(), ticket_name())}
    return {name: value for name, value in brought.items() if value is not None}


def brings_none(scope: MutableMapping[str, Any]) -> bool:
    """Whether the request has none of our cookies, not even the device cookie of an earlier login."""
    jar = cookies.read(scope)
    return not any(name in jar for name in (access_name(), refresh_name(), ticket_name(), device_name()))


def set_tokens(response: Any, pair: TokenPair) -> Any:
    """Set both token cookies: HttpOnly, Secure, SameSite=Strict, each with the lifetime of its token."""
    _set(response, access_name(), pair.access_token, pair.expires_in)
    _set(response, refresh_name(), pair.refresh_token, pair.refresh_expires_in)
    if pair.registration:  # a new session: a browser with DBSC binds it to its device
        offer = f'(ES256 RS256);path="{REGISTER_DEVICE}";challenge="{pair.registration}"'
        response.headers["Secure-Session-Registration"] = offer
    return response


def set_ticket(response: Any, ticket: str) -> Any:
    """Set the ticket of a login that still needs its second factor."""
    _set(response, ticket_name(), ticket, mfa_ticket.SECONDS)
    return response


def read_ticket(scope: MutableMapping[str, Any]) -> str:
    """The value of the ticket cookie, "" if there is none."""
    return cookies.read(scope).get(ticket_name()) or ""


def delete_ticket(response: Any) -> Any:
    """Delete the ticket cookie: the ticket was used or is void."""
    _set(response, ticket_name(), "", 0)
    return response


def device(scope: MutableMapping[str, Any], now: datetime) -> str:
    """The random id that this browser got at a login, "" without a valid device cookie.

    It grants no access and identifies no user: only rate limit counters know who signed in there (see `attempts`).
    """
    name, _, stamp = (cookies.read(scope).get(device_name()) or "").partition(".")
    return name if keys.verify_expiring_mac(DEVICE, name, stamp, now) else ""


def device_or_new(scope: MutableMapping[str, Any], now: datetime) -> str:
    """As `device`, but a new id if the browser has none: for responses that set the cookie after a login."""
    return device(scope, now) or secrets.token_urlsafe(16)


def set_device(response: Any, device: str, now: datetime) -> Any:
    """Set the device cookie for `known_devices.KNOWN_FOR`. Logout does not delete it."""
    until = now + known_devices.KNOWN_FOR
    value = f"{device}.{keys.expiring_mac(DEVICE, device, until)}"
    _set(response, device_name(), value, int(known_devices.KNOWN_FOR.total_seconds()))
    return response


def method(scope: MutableMapping[str, Any]) -> str:
    """The method of the last sign-in in this browser, one of METHODS; "" if unknown. For the login page to name."""
    sent = cookies.read(scope).get(method_name())
    return sent if sent in METHODS else ""


def set_method(response: Any, method: str) -> Any:
    """Remember how this browser signed in, as long as the device. It says nothing about who did."""
    _set(response, method_name(), method, int(known_devices.KNOWN_FOR.total_seconds()))
    return response


def delete_tokens(response: Any) -> Any:
    """Delete both token cookies: only in the response to a logout."""
    for name in (access_name(), refresh_name()):
        _set(response, name, "", 0)
    return response


def discard_cached_pages(response: Any, scope: MutableMapping[str, Any]) -> Any:
    """Have a browser that was signed in drop the pages that it keeps for "back": its session has ended.

    Chromium keeps `no-store` pages too, and shows them without asking; it drops them when an HttpOnly cookie changes.
    Clear-Site-Data does not do that. The cookie says nothing, and no cookie of the session is touched (see above).
    """
    if not brings_none(scope):
        _set(response, ended_name(), secrets.token_urlsafe(4), 60)
    return response


def after(before: Mapping[str, str], headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The browser's cookies after it has applied the Set-Cookie headers of a response."""
    held = dict(before)
    for line in [value.decode("latin-1") for name, value in headers if name.lower() == b"set-cookie"]:
        pair, *attributes = line.split(";")
        name, _, value = pair.strip().partition("=")
        held[name] = value
        if "max-age=0" in [attribute.strip().lower() for attribute in attributes]:
            del held[name]
    return held


def _set(response: Any, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=get_settings().secure_cookies, httponly=True, samesite="Strict"
    )
