"""Error pages and problem+json: every error of the application is answered here.

The framework answers errors outside of the user's middleware, so its answers lose headers and cookies, echo what was
typed, and leak `repr(exc)`. The boundary stands just inside the headers middleware and lets no exception through.
Source: RFC 9457; v5.0.0-16.5.1 (no internals), v5.0.0-16.5.4 (a last-resort handler).
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from lilya.exceptions import HTTPException
from lilya.responses import Response
from pydantic import ValidationError
from ravyn import Request
from ravyn.exceptions import ValidationErrorException
from ravyn.requests import ClientDisconnect

from app import db
from app.observability import logs
from app.web import client, routes, source_lines, templates, validation_messages

log = logs.get("web")
Handler = Callable[[Any, Any], Awaitable[Any]]

DETAILS = {
    400: "The request could not be understood.",
    401: "Sign in to continue.",
    403: "You are not allowed to do this.",
    404: "This page does not exist.",
    405: "This address does not support that method.",
    408: "The request took too long to arrive.",
    413: "The request is larger than this site accepts.",
    414: "The URL is too long.",
    415: "This address does not accept a body of that type.",
    422: "Some of the values are not valid.",
    431: "The request headers are too large.",
    500: "Something went wrong on our side. It was logged under the reference below.",
    503: "The service cannot answer right now. Please try again in a moment.",
}
REFUSE_WITH_STATUS = "websocket.http.response"  # the server can refuse a handshake with an HTTP response
PASSED_ON = ("allow", "retry-after", "www-authenticate")  # what of a framework error's headers reaches the client


class Problem(Exception):
    """What a handler raises instead of answering. `errors`: dicts of "field" and "message"."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        errors: Iterable[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail)
        self.status, self.detail, self.errors, self.headers = status, detail, list(errors), dict(headers or {})


def wants_html(scope: Mapping[str, Any]) -> bool:
    """Pages for clients that accept text/html; under /api/ never.

    A wildcard, or no Accept at all, accepts it too (RFC 9110 section 12.5.1), unless JSON is asked for by name.
    """
    if scope["path"] == "/api" or scope["path"].startswith("/api/"):
        return False
    accept = b",".join(value for name, value in scope["headers"] if name.lower() == b"accept").lower()
    ranges = {part.partition(b";")[0].strip() for part in accept.split(b",")}
    if b"text/html" in ranges:
        return True
    by_name = any(kind.endswith((b"/json", b"+json")) for kind in ranges)
    return not by_name and not ranges.isdisjoint({b"", b"*/*", b"text/*"})


def answer(
    request: Any,
    status: int,
    detail: str = "",
    *,
    errors: Iterable[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    raised: Sequence[Any] = (),
    **members: Any,
) -> Any:
    """The response to an error. `members` are further members of the problem document; a page does not show them.

    `raised`: the exceptions with their source, which only a page shows (see `source_lines`).
    """
    title = HTTPStatus(status).phrase
    detail = detail or DETAILS.get(status, title)
    # A fresh dict each time: the framework writes content-length into the one it is given.
    headers = {name.lower(): value for name, value in (headers or {}).items()}
    if status == 401:
        headers.setdefault("www-authenticate", "Bearer")
    shown = {"status": status, "title": title, "detail": detail, "request_id": client.current().request_id}
    if wants_html(request.scope):
        posted = request.scope["method"] == "POST"
        context = {"errors": list(errors), "posted": posted, "raised": raised, **shown}
        return templates.page(request, "error.html", status, headers, **context)
    document = {"type": "about:blank", **shown, **members}
    if listed := list(errors):
        document["errors"] = listed
    return _json(status, document, headers)


class ErrorBoundary:
    """Answers every exception. `handlers` maps further exception classes to `async (request, exc) -> Response`.

    One of those in the middle of an answer, where nothing more can be said, cuts it off: the client sees that the
    end is missing.
    """

    def __init__(self, app: Any, handlers: Mapping[type[Exception], Handler] | None = None) -> None:
        self.app = app
        self.handlers: dict[type[Exception], Handler] = {**_HANDLERS, **(handlers or {})}
        self.cutting_off = tuple(handlers or ())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        started = accepted = False

        async def watched(message: Any) -> None:
            nonlocal started, accepted
            await send(message)
            started = started or message["type"] in ("http.response.start", "websocket.close")
            accepted = accepted or message["type"] == "websocket.accept"

        try:
            await self.app(scope, receive, watched)
        except Exception as exc:
            if started:  # half an answer is out: only the server can still end the connection
                if isinstance(why := _alone(exc), self.cutting_off):
                    log.info("answer_cut_off", reason=type(why).__name__)
                    return
                log.exception("failed_while_answering")
                raise
            if scope["type"] == "websocket":  # the framework would send `repr(exc)` as the reason
                code = self._code(exc)
                if accepted or REFUSE_WITH_STATUS not in (scope.get("extensions") or {}):
                    await send({"type": "websocket.close", "code": code})
                    return
                response = await self._answer(Request(_as_http(scope), receive, send), exc)
                await response(scope, receive, send)
                return
            response = await self._answer(Request(scope, receive, send), exc)
            await response(scope, receive, send)

    async def _answer(self, request: Any, exc: Exception) -> Any:
        # A handler may fail in its turn (the database has gone away): that failure is answered too, once.
        for _ in range(2):
            try:
                return await self._handler(exc)(request, exc)
            except Exception as failure:
                exc = failure
        log.error("not_answered", exc_info=exc)
        return _last_resort(500)

    def _code(self, exc: Exception) -> int:
        """What a WebSocket is closed with: 1008 for a refusal, 1011 for a failure (RFC 6455 section 7.4.1)."""
        if self._handler(exc) is _unexpected or getattr(exc, "status_code", 0) >= 500:
            log.error("failed", exc_info=exc)
            return 1011
        log.info("socket_refused", reason=type(exc).__name__)
        return 1008

    def _handler(self, exc: Exception) -> Handler:
        return next(self.handlers[kind] for kind in type(exc).__mro__ if kind in self.handlers)


def _as_http(scope: Any) -> Any:
    """The scope of a handshake as that of a request: it is answered with JSON, and never with a redirect."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"accept"]
    return {**scope, "type": "http", "method": "GET", "headers": [*headers, (b"accept", b"application/json")]}


def _alone(exc: Exception) -> Exception:
    """What the framework packs into a group of one while it streams."""
    while isinstance(exc, ExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    return exc


async def _problem(request: Any, exc: Problem) -> Any:
    return answer(request, exc.status, exc.detail, errors=exc.errors, headers=exc.headers)


async def _framework_error(request: Any, exc: HTTPException) -> Any:
    """The status counts; the framework's own words stay inside, they repeat addresses and input."""
    status = exc.status_code or 500
    if status >= 500:
        return await _unexpected(request, exc)
    headers = {name.lower(): value for name, value in (exc.headers or {}).items() if name.lower() in PASSED_ON}
    if status == 405:
        headers.setdefault("allow", ", ".join(sorted(routes.methods_at(request.scope))))
    return answer(request, status, headers=headers)


async def _invalid(request: Any, exc: ValidationErrorException) -> Any:
    """The framework wraps whatever goes wrong while it makes a handler's arguments; see what it was."""
    cause = exc.__cause__
    if isinstance(cause, ValidationError):
        return answer(request, 422, errors=validation_messages.of(cause))
    if cause is None:
        return answer(request, 422, "A parameter is missing.")
    return await _unexpected(request, exc)


async def _unavailable(request: Any, exc: Exception) -> Any:
    log.warning("database_unavailable", reason=str(exc))
    return answer(request, 503, headers={"retry-after": "5"})


async def _gone(_: Any, __: Exception) -> Any:
    return _last_resort(400)  # nobody is there to read it


async def _unexpected(request: Any, exc: Exception) -> Any:
    log.error("failed", exc_info=exc)
    try:
        return answer(request, 500, raised=source_lines.shown_to(request, exc))
    except Exception:
        log.exception("error_page_failed")
        return _last_resort(500)


_HANDLERS: dict[type[Exception], Handler] = {
    Problem: _problem,
    ValidationErrorException: _invalid,
    HTTPException: _framework_error,
    db.Unavailable: _unavailable,
    ClientDisconnect: _gone,
    Exception: _unexpected,
}


def _last_resort(status: int) -> Any:
    """Needs neither a template nor a database."""
    title = HTTPStatus(status).phrase
    shown = {"status": status, "title": title, "detail": DETAILS[status], "request_id": client.current().request_id}
    return _json(status, {"type": "about:blank", **shown}, {})


def _json(status: int, document: Mapping[str, Any], headers: dict[str, str]) -> Any:
    # ASCII: a lone surrogate in a field's name cannot be written as UTF-8.
    body = json.dumps(document, ensure_ascii=True).encode("ascii")
    return Response(body, status_code=status, headers=headers, media_type="application/problem+json")
