"""Redirect targets and ids in addresses: which are safe. Pure: knows no framework."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes
from uuid import UUID

LENGTH = 512
# Sent on there, a visitor would be signed out, asked again for ever, or shown what is no page.
NO_PLACE_TO_GO_ON = frozenset(
    {"login", "logout", "auth", "step-up", "api", "static", "healthz", "readyz", "metrics", "openapi.json"}
)
# Addresses that send no page, whatever their first part is: event streams and WebSockets (see `no_page`).
_no_pages: set[re.Pattern[str]] = set()
# A form is sent on to the address it was posted to, but never to one that starts or ends a session.
NO_PLACE_TO_POST = frozenset({"login", "logout", "auth"})

_LOCAL = re.compile(r"/[!-~]*")  # printable ASCII without spaces: what a browser sends as an address
_PLAIN = re.compile(r"[^\x00-\x20\x7f-\x9f\\\ufffd]*")


def no_page(path: str) -> None:
    """Keep `local_path` away from a route that sends no page. `path`: as in the route, such as "/rooms/{id}/events"."""
    parts = re.split(r"\{[^{}]*\}", path)
    _no_pages.add(re.compile("[^/]+".join(map(re.escape, parts)) + "/?", re.IGNORECASE))


def local_path(raw: str | None, default: str = "/dashboard") -> str:
    """`raw` if it is a local page that one may go on to after signing in, else `default`.

    `raw` as the query or form parser gives it; its path is decoded once more for the comparison, as the server will.
    Source: CWE-601; WHATWG URL (browsers read "\\" as "/", drop tabs and line breaks, and resolve "%2e%2e").
    """
    found = _local(raw, NO_PLACE_TO_GO_ON)
    return found if found and not any(each.fullmatch(_path(found)) for each in _no_pages) else default


def posted_path(raw: str | None, default: str = "/dashboard") -> str:
    """`raw` if it is a local address that a form may be sent on to once the session is renewed, else `default`."""
    return _local(raw, NO_PLACE_TO_POST) or default


def uuid_or_none(raw: str | None) -> UUID | None:
    """The id in an address, in its one canonical form; None for anything else."""
    if raw is None or len(raw) != 36:
        return None
    try:
        found = UUID(raw)
    except ValueError:
        return None
    return found if str(found) == raw else None


def is_head_request(scope: Mapping[str, Any]) -> bool:
    """The request came as HEAD, though it is routed as GET: it must change nothing, not even a session."""
    return bool(scope.get("is_head_request"))


def _local(raw: str | None, refused: frozenset[str]) -> str | None:
    if not raw or len(raw) > LENGTH or not _LOCAL.fullmatch(raw):
        return None
    path = _path(raw)
    segments = path.split("/")[1:]
    if not _PLAIN.fullmatch(path) or "" in segments[:-1] or "." in segments or ".." in segments:
        return None  # "//host", "/\host", encoded or not, and paths that the browser resolves to another one
    return None if segments[0].casefold() in refused else raw


def _path(raw: str) -> str:
    return unquote_to_bytes(re.split(r"[?#]", raw)[0]).decode("utf-8", "replace")
