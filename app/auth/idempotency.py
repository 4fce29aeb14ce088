"""Idempotency of forms: a double click has one effect, and gets the answer of the first click.

Of two requests the browser drops the answer to the first, with its cookies, and shows the second's. So the second gets
the answer of the first: it waits while the form is worked on, and never reaches the application. What counts as the
same form, and who may have its answer, is said in `form_submissions`. Every form of a page carries its key (see
`templates.with_keys`); a form without one is worked on each time it comes.
Chapter: "The way of a request". Source: v5.0.0-2.3.4; IETF draft-ietf-httpapi-idempotency-key-header, section 2.6.
"""

import time
from collections.abc import Collection, Mapping
from typing import Any

import anyio
from ravyn import Request

from app import db
from app.auth import cookies, form_submissions
from app.auth.form_submissions import Answer, Missing, Submission
from app.observability import logs
from app.web import bodies, templates
from app.web.errors import Problem

log = logs.get("auth")

KEY_LENGTHS = range(16, 65)
FORMS = (bodies.URLENCODED.encode(), bodies.MULTIPART.encode())
WAITS_SECONDS = 40  # longer than a transaction may take
NAPS_SECONDS = (0.05, 0.5)  # between two looks for the answer: the first, and the longest
STILL_RUNNING = "Your form has arrived and is being worked on. Look whether it is done before you send it again."
HANDED_ON = (307, 308)  # the browser sends the form to another address: nothing was done yet


class OneEffect:
    """Stands before authentication: the first form may have ended the session that the second one comes with.

    And outside of `bodies.Whole`, whose condition is about what the application writes. `except_at`: paths that send a
    form on as it is; it counts where it is worked on.
    """

    def __init__(self, app: Any, *, except_at: Collection[str] = ()) -> None:
        self.app = app
        self.except_at = frozenset(except_at)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not _may_be_a_form(scope) or scope["path"] in self.except_at:
            await self.app(scope, receive, send)
            return
        body, jar = await Request(scope, receive).body(), cookies.ours(scope)
        form = _submission(scope, body, jar)
        found = await _found(form) if form else Missing.ANEW
        if isinstance(found, Answer):
            log.info("form_sent_twice")
            await _send_again(found, scope, send)
        elif form and found is Missing.NEVER_SENT:
            await _First(form, jar, scope, send).work(self.app, body, receive)
        else:
            await self.app(scope, _arrived(body, receive), send)


def _may_be_a_form(scope: Any) -> bool:
    """Of a browser: a program that brings a bearer token has no page with a key, and no cookies to be known by."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return False
    headers = dict(scope["headers"])
    return b"authorization" not in headers and headers.get(b"content-type", b"").lower().startswith(FORMS)


def _submission(scope: Any, body: bytes, jar: Mapping[str, str]) -> Submission | None:
    """None for a form without a key, and for what the application will refuse to read."""
    if templates.KEY_FIELD.encode() not in body:
        return None
    try:
        fields = bodies.form_fields(scope, body)
    except Problem:
        return None
    key = fields.pop(templates.KEY_FIELD, "")
    if len(key) not in KEY_LENGTHS:
        return None
    address = f"{scope['path']}?{scope['query_string'].decode('latin-1')}"
    return form_submissions.of(key, address, fields, jar, db.utcnow())


async def _found(form: Submission) -> Answer | Missing:
    """Its answer; NEVER_SENT for the one who has to work on it; ANEW where nobody can say. Raises Problem 503."""
    nap, until = NAPS_SECONDS[0], time.monotonic() + WAITS_SECONDS
    try:
        while not await form_submissions.claim(form, db.utcnow()):
            while (found := await form_submissions.find(form, db.utcnow())) is Missing.RUNNING:
                if time.monotonic() > until:
                    raise Problem(503, STILL_RUNNING, headers={"Retry-After": "5"})
                await anyio.sleep(nap)
                nap = min(2 * nap, NAPS_SECONDS[1])
            if found is not Missing.NEVER_SENT:
                return found
    except db.Unavailable:  # the handler will find out too, and may have something better to say than 503
        return Missing.ANEW
    return Missing.NEVER_SENT


async def _send_again(answer: Answer, scope: Any, send: Any) -> None:
    fresh = scope.get("csp_nonce", "")
    body = answer.body.replace(answer.csp_nonce.encode(), fresh.encode()) if answer.csp_nonce and fresh else answer.body
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": "http.response.body", "body": body})


class _First:
    """The form that is worked on. Its answer goes out when it is kept: who has seen it must find it a second time.

    Until then nobody learns that the browser has hung up, which it does for the second click: a download would stop.
    """

    def __init__(self, form: Submission, jar: Mapping[str, str], scope: Any, send: Any) -> None:
        self.form, self.jar, self.scope, self.send = form, jar, scope, send
        self.held_back: list[Any] = []
        self.size = 0
        self.settled = anyio.Event()

    async def work(self, app: Any, body: bytes, receive: Any) -> None:
        async def connected() -> Any:
            await self.settled.wait()
            return await receive()

        try:
            await app(self.scope, _arrived(body, connected), self._take)
        except Exception:  # which the boundary answers
            await self._nothing_was_done()
            raise
        await self._nothing_was_done()

    async def _take(self, message: Any) -> None:
        if self.settled.is_set():
            await self.send(message)
            return
        self.held_back.append(message)
        self.size += len(message.get("body", b""))
        if self.size > form_submissions.LARGEST:
            await self._settle(None)
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            await self._settle(self._answer())

    def _answer(self) -> Answer | None:
        """None where nothing was done: a form sent on, refused, or told to come back later."""
        start, *rest = self.held_back
        status = start["status"]
        if status in HANDED_ON or not (status < 400 or status == 422):
            return None
        body = b"".join(message.get("body", b"") for message in rest)
        return Answer(status, tuple(start.get("headers", ())), body, self.scope.get("csp_nonce", ""))

    async def _nothing_was_done(self) -> None:
        if not self.settled.is_set():
            await self._settle(None)

    async def _settle(self, answer: Answer | None) -> None:
        try:
            with db.conditions.request():  # what the application had to prove before it wrote was proved, or refused
                if answer:
                    await form_submissions.keep(self.form, answer, self.jar, db.utcnow())
                else:
                    await form_submissions.release(self.form)
        except db.Unavailable:
            log.warning("form_answer_not_kept")  # until its minute is over, the same form is told to wait
        self.settled.set()
        for message in self.held_back:
            await self.send(message)


def _arrived(body: bytes, receive: Any) -> Any:
    """`receive` once more, for a body that has been read."""
    unread = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return unread.pop() if unread else await receive()

    return again
