"""Requests to the application in this process, recorded with their responses. Needs no HTTP client.

The requests pass through all middleware, and come from an IP address that no reader has, so that they do not count
towards the reader's rate limits.
"""

import asyncio
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

TOKEN = re.compile(r"(eyJ[A-Za-z0-9_-]{5})[A-Za-z0-9_-]*\.([A-Za-z0-9_-]{6})[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")
WORTH_SHOWING = (
    "location", "set-cookie", "www-authenticate", "content-type", "clear-site-data", "retry-after",
    "secure-session-challenge",
)  # fmt: skip
LONGEST = 700  # characters of a body that are shown


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: str

    def header(self, name: str) -> str:
        """The first header with this name in lower case; "" if there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def json(self) -> Any:
        return json.loads(self.body)


# method, path with query, headers, body -> response
Send = Callable[[str, str, Mapping[str, str], str], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response as text for a page, with tokens and pages shortened. `note`: its purpose."""

    note: str
    request: str
    answer: str
    status: int


def exchange(note: str, method: str, path: str, headers: Mapping[str, str], body: str, answer: Answer) -> Exchange:
    sent = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    shown = [(name, value) for name, value in answer.headers if name.lower() in WORTH_SHOWING]
    got = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        *(f"{name}: {value}" for name, value in shown),
    ]
    others = len(answer.headers) - len(shown)
    got.append(f"({others} more headers, as in every response)")
    return Exchange(note, _text(sent, body), _text(got, _readable(answer)), answer.status)


def shortened(text: str) -> str:
    """The text with every token shortened: still recognisable, but of no use."""
    return TOKEN.sub(r"\1….\2….●●●", text)


def in_this_process(scope: Mapping[str, Any]) -> Send:
    """A function that sends requests to the application of `scope`, with the same host."""
    ip = f"192.0.2.{1 + secrets.randbelow(254)}"  # RFC 5737: for documentation; a new one each time, for rate limits
    host = next((value for name, value in scope["headers"] if name == b"host"), b"localhost")

    async def send(method: str, path: str, headers: Mapping[str, str], body: str) -> Answer:
        target, _, query = path.partition("?")
        sent = [(b"host", host), *((name.lower().encode(), value.encode()) for name, value in headers.items())]
        if body:
            sent.append((b"content-length", str(len(body.encode())).encode()))
        made = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "scheme": scope["scheme"], "path": unquote(target), "raw_path": target.encode(),
            "query_string": query.encode(), "root_path": "", "headers": sent, "client": (ip, 49152),
            "server": scope.get("server"), "extensions": {},
        }  # fmt: skip
        # A task has its own context variables: the user of that request must not become the user of this one.
        return await asyncio.create_task(_answer(scope["app"], made, body.encode()))

    return send


async def _answer(app: Any, scope: dict[str, Any], body: bytes) -> Answer:
    start: dict[str, Any] = {}
    chunks: list[bytes] = []
    incoming = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        return next(incoming, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
    return Answer(start["status"], headers, b"".join(chunks).decode("utf-8", "replace"))


def _readable(answer: Answer) -> str:
    if "text/html" in answer.header("content-type"):
        title = re.search(r"<title>(.*?)</title>", answer.body, re.DOTALL)
        return f"(a page: {title[1].strip() if title else 'without a title'})"
    return answer.body


def _text(lines: list[str], body: str) -> str:
    text = shortened("\n".join(lines) + (f"\n\n{body}" if body else ""))
    return text if len(text) <= LONGEST * 2 else f"{text[: LONGEST * 2]}…"
