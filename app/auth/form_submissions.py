"""Submitted forms with their answers, for a minute: the only reader and writer of `form_submissions`.

A form names itself by a random key that came with its page (`templates.KEY_FIELD`). The first to bring it claims a row;
whoever brings the same key, address and fields is given the answer of the first. An answer may hold session cookies
and recovery codes, so it is kept encrypted, and handed out only to the browser that sent the form, or that has got the
answer already. A key is no secret that proves anything: without it nothing is refused that was allowed before.
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
LASTS = timedelta(seconds=60)  # from the arrival of a form, and again from its answer
LARGEST = 128 * 1024  # bytes of an answer that is kept
PRUNE_EVERY = 20  # claims: answers must not stay until the hour is over

_r: Any = submission_rows.c
_FOUND = (
    sa.select(_r.holder, _r.holder_after, _r.session_id, _r.answer, session_rows.c.revoked_at, session_rows.c.confirmed)
    .select_from(submission_rows.outerjoin(session_rows, session_rows.c.id == _r.session_id))
    .where(_r.key == sa.bindparam("wanted"), _r.fields == sa.bindparam("said"), _r.ends_at > sa.bindparam("now"))
)
_THIS = _r.key == sa.bindparam("wanted"), _r.fields == sa.bindparam("said")
_KEPT = sa.update(submission_rows).where(*_THIS)
_RELEASED = sa.delete(submission_rows).where(*_THIS)
_claims = 0


@dataclass(frozen=True, slots=True)
class Submission:
    """MACs over the key of the page and the address; over the fields; over whose cookies came along."""

    key: str
    fields: str
    holder: str


@dataclass(frozen=True, slots=True)
class Answer:
    """`csp_nonce`: the one that its body may hold; whoever sends it again puts that of the request in its place."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    csp_nonce: str = ""


class Missing(Enum):
    """Why there is no answer to hand out."""

    NEVER_SENT = auto()  # or its minute is over, or nothing was done: claim it
    RUNNING = auto()  # the first is being worked on: wait for it
    ANEW = auto()  # this is not the browser of the first, or its session is over: do what the form says


def of(key: str, address: str, fields: Mapping[str, str], jar: Mapping[str, str], now: datetime) -> Submission:
    """`address`: path and query. `jar`: the cookies that came along."""
    said = json.dumps(sorted(fields.items()))
    return Submission(keys.seal(LABEL, f"form {key} {address}"), keys.seal(LABEL, f"fields {said}"), _holder(jar, now))


async def claim(form: Submission, now: datetime) -> bool:
    """Is this the first of its kind? Of many who ask at once one is told yes. Errors: db.Unavailable.

    Other fields under the same key are another form: somebody went back, and wrote something else.
    """
    global _claims
    values: dict[str, Any] = {"key": form.key, "fields": form.fields, "holder": form.holder, "ends_at": now + LASTS}
    values |= {"holder_after": "", "session_id": None, "answer": ""}
    claimed = await db.fetch_one(_claimed(db.database.address.get_backend_name()), values | {"now": now}) is not None
    _claims += 1
    if _claims % PRUNE_EVERY == 0:
        await prune(now)
    return claimed


async def find(form: Submission, now: datetime) -> Answer | Missing:
    """The answer that the same form got, for this holder. Errors: db.Unavailable.

    With cookies of a session, as a lost answer to a refresh is handed out again (see `rotation_policy`): to the browser
    that sent the form, until the session has been used; without them to the browser that holds the session. Never of a
    session that has ended.
    """
    row = await db.fetch_one(_FOUND, _this(form) | {"now": now})
    if row is None:
        return Missing.NEVER_SENT
    sent_it, has_it = form.holder == row.holder, form.holder == row.holder_after
    if not (sent_it or has_it):
        return Missing.ANEW
    if not row.answer:
        return Missing.RUNNING
    over = row.session_id and (row.confirmed is None or row.revoked_at is not None)
    if over or (row.session_id and row.confirmed and not has_it):
        return Missing.ANEW
    written = keys.decrypt(LABEL, row.answer, of=form.key)
    if written is None:
        return Missing.ANEW
    answer = _read(written)
    return answer if sent_it else replace(answer, headers=_without_cookies(answer.headers))


async def keep(form: Submission, answer: Answer, jar: Mapping[str, str], now: datetime) -> None:
    """The first is answered. `jar`: the cookies that came with the form. Errors: db.Unavailable."""
    after = cookies.after(jar, answer.headers)
    changed = after.get(cookies.access_name()) != jar.get(cookies.access_name())
    values = {
        "answer": keys.encrypt(LABEL, _written(answer), of=form.key),
        "holder_after": form.holder if after == jar else _holder(after, now),
        "session_id": _session(after, now) if changed else None,
        "ends_at": now + LASTS,
    }
    await db.execute(_KEPT, _this(form) | values)


async def release(form: Submission) -> None:
    """Nothing was done: whoever sends the same again is the first. Errors: db.Unavailable."""
    await db.execute(_RELEASED, _this(form))


async def prune(now: datetime) -> int:
    """Delete what nobody is given any more; how many."""
    return await db.prune(submission_rows, _r.ends_at <= now)


@cache
def _claimed(_: str) -> Any:
    """What `claim` says to this kind of database."""
    upsert = db.insert(submission_rows)
    values = {column.name: upsert.excluded[column.name] for column in submission_rows.c if column.name != "key"}
    over = sa.or_(_r.ends_at <= sa.bindparam("now"), _r.fields != upsert.excluded.fields)
    return upsert.on_conflict_do_update(index_elements=["key"], set_=values, where=over).returning(_r.key)


def _this(form: Submission) -> dict[str, str]:
    return {"wanted": form.key, "said": form.fields}


def _holder(jar: Mapping[str, str], now: datetime) -> str:
    return keys.seal(LABEL, f"holder {_session(jar, now)} {jar.get(cookies.ticket_name(), '')}")


def _session(jar: Mapping[str, str], now: datetime) -> UUID | None:
    """The browser's session, whatever the age of its tokens: with a pair that was renewed meanwhile it is the same."""
    access, refresh = jar.get(cookies.access_name()), jar.get(cookies.refresh_name())
    token = tokens.read(access, "access", now)  # nearly always, and verified before
    token = token or tokens.read_whatever_its_age(refresh, "refresh") or tokens.read_whatever_its_age(access, "access")
    return token.sid if token else None


def _without_cookies(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """Who has those of ours may have renewed them since. A notice that comes along is still to be shown."""
    ours = tuple(f"{name}=".encode() for name in (cookies.access_name(), cookies.refresh_name(), cookies.ticket_name()))
    return tuple(each for each in headers if not (each[0].lower() == b"set-cookie" and each[1].startswith(ours)))


def _written(answer: Answer) -> str:
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in answer.headers]
    return json.dumps([answer.status, headers, base64.b64encode(answer.body).decode(), answer.csp_nonce])


def _read(written: str) -> Answer:
    status, headers, body, csp_nonce = json.loads(written)
    pairs = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)
    return Answer(status, pairs, base64.b64decode(body), csp_nonce)
