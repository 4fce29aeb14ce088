"""The session cookies: their names, their attributes, and the only places that set or expire them.

A failed refresh never comes through here: a loser's late 401 must not delete the winner's cookies.
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


def access_name() -> str:
    return "__Host-access" if get_settings().secure_cookies else "access"


def refresh_name() -> str:
    return "__Host-refresh" if get_settings().secure_cookies else "refresh"


def ticket_name() -> str:
    return "__Host-ticket" if get_settings().secure_cookies else "ticket"


def device_name() -> str:
    return "__Host-device" if get_settings().secure_cookies else "device"


def read(scope: MutableMapping[str, Any]) -> tuple[str | None, str | None]:
    """The access and the refresh cookie's value. Only login, logout and the two ways to refresh use the second."""
    jar = cookies.read(scope)
    return jar.get(access_name()), jar.get(refresh_name())


def ours(scope: MutableMapping[str, Any]) -> dict[str, str]:
    """Those of the three that the browser brings, by name."""
    jar = cookies.read(scope)
    brought = {name: jar.get(name) for name in (access_name(), refresh_name(), ticket_name())}
    return {name: value for name, value in brought.items() if value is not None}


def brings_none(scope: MutableMapping[str, Any]) -> bool:
    """Not even the cookie of a browser where somebody has signed in before."""
    jar = cookies.read(scope)
    return not any(name in jar for name in (access_name(), refresh_name(), ticket_name(), device_name()))


def set_tokens(response: Any, pair: TokenPair) -> Any:
    """Put both tokens into the browser: HttpOnly, Secure, SameSite=Strict, each for as long as its token lives."""
    _set(response, access_name(), pair.access_token, pair.expires_in)
    _set(response, refresh_name(), pair.refresh_token, pair.refresh_expires_in)
    return response


def set_ticket(response: Any, ticket: str) -> Any:
    """Keep the ticket of a sign-in that still needs its second half."""
    _set(response, ticket_name(), ticket, mfa_ticket.SECONDS)
    return response


def read_ticket(scope: MutableMapping[str, Any]) -> str:
    """The ticket that the browser brings, "" for none."""
    return cookies.read(scope).get(ticket_name()) or ""


def delete_ticket(response: Any) -> Any:
    """The ticket has been used, or is of no use."""
    _set(response, ticket_name(), "", 0)
    return response


def device(scope: MutableMapping[str, Any], now: datetime) -> str:
    """The random id that this browser was given when somebody signed in there, "" for none of ours.

    It opens nothing, and names nobody: who has signed in there is known to the counters alone (see `attempts`).
    """
    name, _, stamp = (cookies.read(scope).get(device_name()) or "").partition(".")
    return name if keys.stamped(DEVICE, name, stamp, now) else ""


def device_or_new(scope: MutableMapping[str, Any], now: datetime) -> str:
    """As `device`, and a new one where the browser brings none: for what sets the cookie at a sign-in."""
    return device(scope, now) or secrets.token_urlsafe(16)


def set_device(response: Any, device: str, now: datetime) -> Any:
    """Know this browser again for as long as the account will know it. A sign-out leaves it: see `forget`."""
    until = now + known_devices.KNOWN_FOR
    value = f"{device}.{keys.stamp(DEVICE, device, until)}"
    _set(response, device_name(), value, int(known_devices.KNOWN_FOR.total_seconds()))
    return response


def delete_tokens(response: Any) -> Any:
    """Expire both cookies: the answer to a logout, and to nothing else."""
    for name in (access_name(), refresh_name()):
        _set(response, name, "", 0)
    return response


def after(before: Mapping[str, str], headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """What the browser holds of ours once it has read these headers of an answer."""
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
