"""Submitted forms with their responses, stored for a minute: the only reader and writer of `form_submissions`.

Each form contains a random idempotency key (`templates.KEY_FIELD`). The first request with a key claims a row; a later
request with the same key, URL and fields gets the response to the first. A response may contain session cookies and
recovery codes, so it is stored encrypted and sent only to the browser that submitted the form or already has the
response. The key grants nothing: it is no CSRF token.
Chapter: "The way of a request".
Source: v5.0.0-2.3.4; IETF draft-ietf-httpapi-idempotency-key-header, sections 2.2 and 2.6.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.auth import cookies, keys, tokens
from app.auth.models import session_rows, submission_rows

LABEL = "form submission"
LIFETIME = timedelta(seconds=60)  # from the arrival of a form, and again from its response
LARGEST = 128 * 1024  # bytes; a larger response is not stored
PRUNE_EVERY = 20  # claims; responses must not stay until the hourly maintenance

_r: Any = submission_rows.c
_FOUND = (
    sa.select(_r.holder, _r.holder_after, _r.session_id, _r.answer, session_rows.c.revoked_at, session_rows.c.confirmed)
    .select_from(submission_rows.outerjoin(session_rows, session_rows.c.id == _r.session_id))
    .where(_r.key == sa.bindparam("wanted"), _r.fields == sa.bindparam("said"), _r.ends_at > sa.bindparam("now"))
)
_THIS = _r.key == sa.bindparam("wanted"), _r.fields == sa.bindparam("said")
_STORE = sa.update(submission_rows).where(*_THIS)
_RELEASE = sa.delete(submission_rows).where(*_THIS)
_claims = 0


@dataclass(frozen=True, slots=True)
class Submission:
    """Three MACs: of the idempotency key and the URL, of the fields, and of the session in the request's cookies."""

    key: str
    fields: str
    holder: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. `csp_nonce`: the nonce in its body; a later response replaces it with that of its own request."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    csp_nonce: str = ""


class Missing(Enum):
    """Why there is no stored response, and what to do."""

    NEVER_SENT = auto()  # no row, or it has expired, or the form changed nothing: claim it
    RUNNING = auto()  # the first request is still being processed: wait for it
    PROCESS_AGAIN = auto()  # another browser sent the first request, or its session has ended: process this one


def of(key: str, address: str, fields: Mapping[str, str], jar: Mapping[str, str], now: datetime) -> Submission:
    """The submission of a request. `address`: path and query. `jar`: the request's cookies."""
    said = json.dumps(sorted(fields.items()))
    return Submission(keys.mac(LABEL, f"form {key} {address}"), keys.mac(LABEL, f"fields {said}"), _holder(jar, now))


async def claim(form: Submission, now: datetime) -> bool:
    """Whether this request is the first with its key and fields: one of several concurrent requests gets True.

    Other fields under the same key count as a new form: the user went back and changed them. Errors: db.Unavailable.
    """
    global _claims
    values: dict[str, Any] = {"key": form.key, "fields": form.fields, "holder": form.holder, "ends_at": now + LIFETIME}
    values |= {"holder_after": "", "session_id": None, "answer": ""}
    claimed = await db.fetch_one(_claimed(db.database.address.get_backend_name()), values | {"now": now}) is not None
    _claims += 1
    if _claims % PRUNE_EVERY == 0:
        await prune(now)
    return claimed


async def find(form: Submission, now: datetime) -> Answer | Missing:
    """The stored response to the same form, if this browser may have it. Errors: db.Unavailable.

    The browser that sent the form gets it with its session cookies, until the new session was first used (like REPLAY
    in `rotation_policy`). The browser that already has the session gets it without cookies. Nobody gets it after the
    session has ended.
    """
    row = await db.fetch_one(_FOUND, _this(form) | {"now": now})
    if row is None:
        return Missing.NEVER_SENT
    sent_it, has_it = form.holder == row.holder, form.holder == row.holder_after
    if not (sent_it or has_it):
        return Missing.PROCESS_AGAIN
    if not row.answer:
        return Missing.RUNNING
    over = row.session_id and (row.confirmed is None or row.revoked_at is not None)
    if over or (row.session_id and row.confirmed and not has_it):
        return Missing.PROCESS_AGAIN
    written = keys.decrypt(LABEL, row.answer, of=form.key)
    if written is None:
        return Missing.PROCESS_AGAIN
    answer = _read(written)
    return answer if sent_it else replace(answer, headers=_without_cookies(answer.headers))


async def store(form: Submission, answer: Answer, jar: Mapping[str, str], now: datetime) -> None:
    """Store the response to the first request. `jar`: the cookies of that request. Errors: db.Unavailable."""
    after = cookies.after(jar, answer.headers)
    changed = after.get(cookies.access_name()) != jar.get(cookies.access_name())
    values = {
        "answer": keys.encrypt(LABEL, _written(answer), of=form.key),
        "holder_after": form.holder if after == jar else _holder(after, now),
        "session_id": _session(after, now) if changed else None,
        "ends_at": now + LIFETIME,
    }
    await db.execute(_STORE, _this(form) | values)


async def release(form: Submission) -> None:
    """Delete the claim of a form that changed nothing: the next identical request is processed as the first one.

    Errors: db.Unavailable.
    """
    await db.execute(_RELEASE, _this(form))


async def prune(now: datetime) -> int:
    """Delete the expired rows. Returns how many."""
    return await db.prune(submission_rows, _r.ends_at <= now)


@cache
def _claimed(_: str) -> Any:
    """The statement of `claim`, built once per database backend."""
    upsert = db.insert(submission_rows)
    values = {column.name: upsert.excluded[column.name] for column in submission_rows.c if column.name != "key"}
    over = sa.or_(_r.ends_at <= sa.bindparam("now"), _r.fields != upsert.excluded.fields)
    return upsert.on_conflict_do_update(index_elements=["key"], set_=values, where=over).returning(_r.key)


def _this(form: Submission) -> dict[str, str]:
    return {"wanted": form.key, "said": form.fields}


def _holder(jar: Mapping[str, str], now: datetime) -> str:
    return keys.mac(LABEL, f"holder {_session(jar, now)} {jar.get(cookies.ticket_name(), '')}")


def _session(jar: Mapping[str, str], now: datetime) -> UUID | None:
    """The session id in the browser's tokens, expired or not: a refresh in between does not change it."""
    access, refresh = jar.get(cookies.access_name()), jar.get(cookies.refresh_name())
    token = tokens.read(access, "access", now)  # the usual case, and cached
    token = token or tokens.read_ignoring_expiry(refresh, "refresh") or tokens.read_ignoring_expiry(access, "access")
    return token.sid if token else None


def _without_cookies(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """Without our cookies, which the browser may have renewed since. The notice cookie stays, for the next page."""
    ours = tuple(f"{name}=".encode() for name in (cookies.access_name(), cookies.refresh_name(), cookies.ticket_name()))
    return tuple(each for each in headers if not (each[0].lower() == b"set-cookie" and each[1].startswith(ours)))


def _written(answer: Answer) -> str:
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in answer.headers]
    return json.dumps([answer.status, headers, base64.b64encode(answer.body).decode(), answer.csp_nonce])


def _read(written: str) -> Answer:
    status, headers, body, csp_nonce = json.loads(written)
    pairs = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)
    return Answer(status, pairs, base64.b64decode(body), csp_nonce)
