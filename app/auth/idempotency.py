"""Idempotent forms: a double click has one effect, and the second click gets the response to the first.

On a double click, the browser drops the response to the first request, with its cookies, and shows the second one. So
the second request waits while the first is processed, gets the same response and never reaches the application.
`form_submissions` defines which requests are the same form and which browser may have the response. Every form has a
key (see `templates.with_keys`); a form without one is processed each time.
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
POLL_SECONDS = (0.05, 0.5)  # between two queries for the stored response: the first pause, and the longest
STILL_RUNNING = "Your form has arrived and is being processed. Check whether it is done before you submit it again."
RESENDING_REDIRECTS = (307, 308)  # the browser sends the form to another URL: nothing was changed yet


class IdempotentForms:
    """ASGI middleware. Runs before authentication: the first form may have ended the session of the second request.

    It also runs outside of `bodies.Whole`, whose condition covers the application's writes, not this middleware's.
    `except_at`: paths that redirect a form to another path with 307; the key counts at the second path.
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
        found = await _found(form) if form else Missing.PROCESS_AGAIN
        if isinstance(found, Answer):
            log.info("form_sent_twice")
            await _send_again(found, scope, send)
        elif form and found is Missing.NEVER_SENT:
            await _FirstSubmission(form, jar, scope, send).process(self.app, body, receive)
        else:
            await self.app(scope, _arrived(body, receive), send)


def _may_be_a_form(scope: Any) -> bool:
    """Whether a browser may have sent the request: an API client with a bearer token has no key and no cookies."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return False
    headers = dict(scope["headers"])
    return b"authorization" not in headers and headers.get(b"content-type", b"").lower().startswith(FORMS)


def _submission(scope: Any, body: bytes, jar: Mapping[str, str]) -> Submission | None:
    """None for a form without a key, and for a body that the application will refuse."""
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
    """The stored response, NEVER_SENT if this request claimed the form, or PROCESS_AGAIN, also without a database.

    Waits while the first request is processed. Raises Problem 503 after WAITS_SECONDS.
    """
    pause, until = POLL_SECONDS[0], time.monotonic() + WAITS_SECONDS
    try:
        while not await form_submissions.claim(form, db.utcnow()):
            while (found := await form_submissions.find(form, db.utcnow())) is Missing.RUNNING:
                if time.monotonic() > until:
                    raise Problem(503, STILL_RUNNING, headers={"Retry-After": "5"})
                await anyio.sleep(pause)
                pause = min(2 * pause, POLL_SECONDS[1])
            if found is not Missing.NEVER_SENT:
                return found
    except db.Unavailable:  # the handler will notice too, and may have a better response than 503
        return Missing.PROCESS_AGAIN
    return Missing.NEVER_SENT


async def _send_again(answer: Answer, scope: Any, send: Any) -> None:
    fresh = scope.get("csp_nonce", "")
    body = answer.body.replace(answer.csp_nonce.encode(), fresh.encode()) if answer.csp_nonce and fresh else answer.body
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": "http.response.body", "body": body})


class _FirstSubmission:
    """The first request of a form: buffers its response, stores it, and only then sends it.

    Until then, the application does not notice that the browser disconnected, as it does on the second click: otherwise
    a download would stop.
    """

    def __init__(self, form: Submission, jar: Mapping[str, str], scope: Any, send: Any) -> None:
        self.form, self.jar, self.scope, self.send = form, jar, scope, send
        self.buffered: list[Any] = []
        self.size = 0
        self.settled = anyio.Event()

    async def process(self, app: Any, body: bytes, receive: Any) -> None:
        async def connected() -> Any:
            await self.settled.wait()
            return await receive()

        try:
            await app(self.scope, _arrived(body, connected), self._buffer)
        except Exception:  # the error boundary answers it
            await self._release()
            raise
        await self._release()

    async def _buffer(self, message: Any) -> None:
        if self.settled.is_set():
            await self.send(message)
            return
        self.buffered.append(message)
        self.size += len(message.get("body", b""))
        if self.size > form_submissions.LARGEST:
            await self._settle(None)
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            await self._settle(self._answer())

    def _answer(self) -> Answer | None:
        """The response to store; None if the form changed nothing: redirected with 307, refused, or rate limited."""
        start, *rest = self.buffered
        status = start["status"]
        if status in RESENDING_REDIRECTS or not (status < 400 or status == 422):
            return None
        body = b"".join(message.get("body", b"") for message in rest)
        return Answer(status, tuple(start.get("headers", ())), body, self.scope.get("csp_nonce", ""))

    async def _release(self) -> None:
        if not self.settled.is_set():
            await self._settle(None)

    async def _settle(self, answer: Answer | None) -> None:
        try:
            with db.conditions.request():  # without the application's condition: the session may have ended by now
                if answer:
                    await form_submissions.store(self.form, answer, self.jar, db.utcnow())
                else:
                    await form_submissions.release(self.form)
        except db.Unavailable:
            log.warning("form_answer_not_stored")  # for a minute, the same form is answered with 503
        self.settled.set()
        for message in self.buffered:
            await self.send(message)


def _arrived(body: bytes, receive: Any) -> Any:
    """A new `receive` for a body that has already been read."""
    unread = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return unread.pop() if unread else await receive()

    return again
