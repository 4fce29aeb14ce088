"""The open streams of this worker: how many there may be, and when each has to end.

A stream holds no connection to the database. A stream whose session or account changed, in this worker or another, is
checked against the rows once (`session_cache.watch`); all are checked against the clock four times a second.
Chapter: "Permissions". Source: v5.0.0-7.4.1, v5.0.0-8.3.2, v5.0.0-15.2.2.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from app import db
from app.auth import authentication
from app.auth.errors import AuthError, LoginRequired, Unavailable
from app.auth.permissions import SignedIn
from app.auth.sessions import session_cache
from app.observability import logs
from app.settings import get_settings
from app.web.errors import Problem

log = logs.get("auth")

PER_SESSION = 8
PER_ACCOUNT = 32
CHECK_EVERY = 0.25  # seconds
SEND_SECONDS = 10.0  # for one message to a client that reads slowly; the server buffers 64 KiB before it waits


class End(Enum):
    """Why a stream ends: the name of its last event, and the close code of a WebSocket (RFC 6455 section 7.4)."""

    DONE = "done", 1000  # the handler has returned
    GONE = "gone", 1001  # the client has closed the connection
    FAILED = "failed", 1011
    NOT_TEXT = "not_text", 1003
    TOO_SLOW = "too_slow", 1008
    RESTART = "restart", 1012
    UNAVAILABLE = "unavailable", 1013  # the session cannot be checked: try again later
    SESSION_ENDED = "session_ended", 4401
    TOKEN_EXPIRED = "token_expired", 4401  # the session goes on: open the stream again after a refresh
    FORBIDDEN = "forbidden", 4403

    @property
    def code(self) -> int:
        return int(self.value[1])


class Stream:
    """An open stream. `user`: a Principal as of the last check. `end`: why it has to end, once that is known."""

    def __init__(self, user: Any, path: str, permission: SignedIn) -> None:
        self.user = user
        self.path = path
        self.end: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self._permission = permission
        self._changed = False

    def finish(self, end: End) -> None:
        """Later calls change nothing: the first reason counts."""
        if not self.end.done():
            self.end.set_result(end)

    def changed(self, ids: Collection[UUID | None] | None) -> None:
        self._changed |= ids is None or self.user.sid in ids or self.user.id in ids

    def check_clock(self, now: datetime) -> None:
        """End it if its token has expired, or if its permission depends on the time and no longer allows it."""
        if now >= self.user.token.exp:
            self.finish(End.TOKEN_EXPIRED)
        else:
            self.decide(self.user)

    async def check_rows(self) -> None:
        """End it if its permission refuses the user as the rows say now. Reads them only after a change."""
        if self._changed and not self.end.done():
            self._changed = False
            self.decide(await authentication.reload(self.user))

    def decide(self, user: Any) -> None:
        """End it if its permission refuses this user."""
        try:
            self._permission.decide(user, self.path)
            self.user = user
        except AuthError as error:
            self.finish(end_of(error))


_open: dict[Stream, None] = {}


@asynccontextmanager
async def opened(scope: Any, permission: type[SignedIn]) -> AsyncIterator[Stream]:
    """Count a stream that `permission` has just allowed as open. Errors: Problem 429 or 503 for one too many."""
    stream = Stream(scope["user"], scope["path"], permission())
    _admit(stream.user)
    _open[stream] = None
    began = time.monotonic()
    try:
        # Between the permission and this line, the session may have ended, and nobody would tell this stream.
        stream.decide(await authentication.reload(stream.user, use_cache=True))
        yield stream
    finally:
        del _open[stream]
        reason = stream.end.result().value[0] if stream.end.done() else End.GONE.value[0]
        log.info("stream_ended", path=stream.path, reason=reason, seconds=round(time.monotonic() - began))


def _admit(user: Any) -> None:
    by_session, by_account = Counter(s.user.sid for s in _open), Counter(s.user.id for s in _open)
    if by_session[user.sid] >= PER_SESSION or by_account[user.id] >= PER_ACCOUNT:
        raise Problem(429, "Too many streams of this account are open.", headers={"Retry-After": "60"})
    if len(_open) >= get_settings().streams_per_worker:
        raise Problem(503, "Too many streams are open.", headers={"Retry-After": "60"})


async def follow() -> None:
    """Check the open streams in a loop: a background task of each worker. Fails closed: an error ends all streams."""
    while True:
        try:
            await check(db.utcnow())
        except Exception:
            log.exception("streams_unchecked")
            finish_all(End.UNAVAILABLE)
        await asyncio.sleep(CHECK_EVERY)


async def check(now: datetime) -> None:
    """End the streams that may not go on. All of them, if this worker hears of no changes any more."""
    if not _open:
        return
    if not session_cache.feed_is_fresh():
        finish_all(End.UNAVAILABLE)
    for stream in list(_open):
        stream.check_clock(now)
    for stream in list(_open):  # one after the other: a change of many accounts takes one connection, not all
        await stream.check_rows()


def finish_all(end: End) -> None:
    for stream in list(_open):
        stream.finish(end)


def count() -> int:
    return len(_open)


def end_of(error: Exception) -> End:
    """What an error that refuses a request means for an open stream."""
    if isinstance(error, Unavailable | db.Unavailable):
        return End.UNAVAILABLE
    if isinstance(error, LoginRequired):
        return End.SESSION_ENDED
    return End.FORBIDDEN if isinstance(error, AuthError) else End.FAILED


def _changed(ids: Collection[UUID | None] | None) -> None:
    for stream in _open:
        stream.changed(ids)


session_cache.watch(_changed)
