"""Notices (flash messages): shown once, to the browser that did the thing.

The redirect after a form names a notice that a feature brings, `?notice=password_changed`, and leaves the same name in
a cookie. The page shows the notice if both agree, and expires the cookie. A link that somebody passes on brings no
cookie, so it shows no notice, and nobody reads of a change that did not happen.
The cookie is not signed: the prefix `__Host-` keeps other hosts from setting it, and anyone who could set a cookie on
this host could set a signed one of their own.
Source: CWE-451; v5.0.0-3.3.*.
"""

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qs

from app.settings import get_settings
from app.web import cookies, features
from app.web.features import Notice

SECONDS = 60  # from the redirect to the page
# Shown to anyone who follows a link: it claims nothing that was done, and a browser without cookies has no other way.
WITHOUT_COOKIE = frozenset({"cookies"})


def cookie_name() -> str:
    return "__Host-notice" if get_settings().secure_cookies else "notice"


def leave(response: Any, code: str) -> Any:
    """For the page that the response leads to. Errors: KeyError for a code that there is not."""
    if code not in features.table("notices"):
        raise KeyError(code)
    return response if code in WITHOUT_COOKIE else _set(response, code, SECONDS)


def code_of(scope: MutableMapping[str, Any]) -> str:
    """The code of the notice that the address names and this browser may see; "" for none."""
    codes = parse_qs(scope["query_string"].decode("ascii", "replace")).get("notice", [])
    if len(codes) != 1 or codes[0] not in features.table("notices"):
        return ""
    left = codes[0] in WITHOUT_COOKIE or cookies.read(scope).get(cookie_name()) == codes[0]
    return codes[0] if left else ""


def of(code: str) -> Notice | None:
    """What a page says; None for no code."""
    return features.table("notices")[code] if code else None


def shown(response: Any) -> Any:
    """Once is enough."""
    return _set(response, "", 0)


def _set(response: Any, value: str, seconds: int) -> Any:
    secure = get_settings().secure_cookies
    response.set_cookie(
        cookie_name(), value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="Strict"
    )
    return response
