"""The reader's own tokens, decoded. Raw tokens do not leave this module: a page gets every part but the signature."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.auth import cookies, keys, tokens
from app.learn.lab import claims, forge, trace
from app.learn.lab.claims import Claim
from app.learn.lab.trace import Step
from app.settings import get_settings
from app.web import cookies as web_cookies

WAYS = {
    "kept": "keep the original signature",
    "wrong": "sign with a key that this site does not know",
    "leaked": "sign with this site's key, as if it had leaked",
}


class NotAnObject(ValueError):
    """The text of the form field `field` is not a JSON object."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True)
class Shown:
    """A token as a page shows it. `head` and `body`: its first two parts, encoded. Of the signature only the length."""

    name: str
    head: str
    body: str
    signature_length: int
    header: list[Claim]
    payload: list[Claim]
    header_json: str
    payload_json: str


def cookie_names() -> tuple[str, str]:
    return cookies.access_name(), cookies.refresh_name()


def pretty(part: Mapping[str, Any]) -> str:
    return forge.pretty(part)


def access_token(scope: Any) -> Shown | None:
    """The token in the access cookie; None if the request has no such cookie."""
    raw = _access(scope)
    if raw is None:
        return None
    head, body, signature = raw.split(".")
    header, payload = forge.parts(raw)
    return Shown(
        cookies.access_name(), head, body, len(signature), claims.explained(header), claims.explained(payload),
        forge.pretty(header), forge.pretty(payload),
    )  # fmt: skip


def refresh_token(row: Any) -> list[Claim]:
    """The claims of the refresh token, computed from the session's row, so that the lab never handles the token.

    Without `jti`: together with the signing key, it would be enough to forge the token.
    """
    config: Any = get_settings().jwt_config
    ends: datetime = min(row.handed_at + config.refresh_token_lifetime, row.ends_at)
    key = keys.current()
    return claims.explained(
        {
            "alg": key.algorithm, "kid": key.kid, "typ": tokens.TYP["refresh"], "token_type": "refresh",
            "sub": row.user_id, "sid": row.id, "gen": row.generation, "jti": "hidden",
            "iss": config.issuer, "aud": config.audience,
            "iat": int(row.handed_at.timestamp()), "exp": int(ends.timestamp()),
        }
    )  # fmt: skip


async def own_trace(scope: Any, now: datetime) -> list[Step]:
    return await trace.trace(_access(scope) or "", now)


async def edited_trace(scope: Any, header: str, payload: str, way: str, now: datetime) -> list[Step]:
    """All checks for the edited token. Errors: NotAnObject for a text that is not a JSON object."""
    head, body = _object("header", header), _object("payload", payload)
    if way == "kept":
        raw = forge.unsigned(head, body, (_access(scope) or "..").rpartition(".")[2])
    elif way == "leaked":
        raw = forge.signed_as_if_the_key_had_leaked(head, body)
    else:
        raw = forge.signed_wrongly(head, body)
    return await trace.trace(raw, now)


def _access(scope: Any) -> str | None:
    return web_cookies.read(scope).get(cookies.access_name())


def _object(field: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
        json.dumps(value)
    except (ValueError, RecursionError):
        raise NotAnObject(field) from None
    if not isinstance(value, dict):
        raise NotAnObject(field)
    return value
