"""Request bodies as JSON or as form fields, read strictly: one decoding, one value for each name, no surprises.

Owns every reading of a body. Raises `Problem` 400 for what cannot be read, 415 for another type. `Whole` is middleware:
a request that may change something goes on when its last byte is there.
Source: v5.0.0-1.1.1 (decode once), v5.0.0-4.1.1 (content type), v5.0.0-1.5.3 (one parser), RFC 8259 section 4.
"""

import json
import math
import re
from collections.abc import Mapping
from email.message import Message
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from ravyn.requests import ClientDisconnect

from app import db
from app.web.errors import Problem
from app.web.same_origin import SAFE

FIELDS = 64  # of a form, or of an object in JSON
DIGITS = 19  # of a whole number in JSON: 64 bits; the framework's own parser of errors fails at 310 of them
PARTS = 50_000  # commas and brackets in JSON: of nothing else a megabyte becomes hundreds of thousands of objects
LONGEST_TYPE = 256  # bytes of a content type; the parser's time grows with the square of the length
LONGEST_HEAD = 1024  # bytes before the text of one field
TOO_MUCH = "The body has more parts than this site accepts."
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

_PART_NAME = re.compile(rb'form-data; *name="([^"\r\n]*)"', re.IGNORECASE)
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,70}")  # RFC 2046 section 5.1.1


class Whole:
    """Waits for the whole body of an unsafe method, so that the user is looked up after its last byte.

    A body may take a minute: who was signed in when it began to come may be signed out by then. It is bounded before it
    comes here (`request_limits.BodyLimit`). Also tells the database when the answer begins (`db.conditions`).
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE:
            await self.app(scope, receive, send)
            return
        body: dict[str, Any] | None = {"type": "http.request", "body": await _all(receive), "more_body": False}

        async def again() -> Any:
            nonlocal body
            whole, body = body, None
            return whole or await receive()

        with db.conditions.request() as request:

            async def watched(message: Any) -> None:
                request.answering = True
                await send(message)

            await self.app(scope, again, watched)


async def read_json(request: Any) -> Any:
    """The JSON value of the body; None where there is no body at all."""
    body = await request.body()
    if not body:
        return None
    media_type, _ = _content_type(request.scope)
    if media_type != "application/json":
        raise Problem(415, "Send JSON, with the content type application/json.")
    if sum(map(body.count, (b",", b"[", b"{"))) > PARTS:
        raise Problem(400, TOO_MUCH)
    try:
        return _json(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Problem(400, "The body is not valid JSON.") from None


async def read_form(request: Any) -> dict[str, str]:
    """The text fields of a form, urlencoded or multipart. A field sent twice, or a file, is refused."""
    return form_fields(request.scope, await request.body())


def form_fields(scope: Mapping[str, Any], body: bytes) -> dict[str, str]:
    """As `read_form`, of a body that is here already."""
    if not body:
        return {}
    media_type, boundary = _content_type(scope)
    if media_type not in (URLENCODED, MULTIPART):
        raise Problem(415, "Send a form.")
    try:
        fields = _urlencoded(body) if media_type == URLENCODED else _multipart(body, boundary)
    except ValueError:
        raise Problem(400, "The form could not be read.") from None
    if len(dict(fields)) < len(fields):
        raise Problem(400, "The form names a field twice.")
    return dict(fields)


async def _all(receive: Any) -> bytes:
    """Errors: ClientDisconnect; what the bounds before it raise."""
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _content_type(scope: Mapping[str, Any]) -> tuple[str, str]:
    """The media type in lower case, and the boundary of a multipart body."""
    sent = [value for name, value in scope["headers"] if name.lower() == b"content-type"]
    if any(len(value) > LONGEST_TYPE for value in sent):
        raise Problem(415)
    message = Message()
    message["content-type"] = sent[0].decode("latin-1") if len(sent) == 1 else ""
    charset, boundary = message.get_param("charset", "utf-8"), message.get_param("boundary", "")
    if str(charset).lower() not in ("utf-8", "utf8"):
        raise Problem(415, "Send text as UTF-8.")
    return (message.get_content_type() if len(sent) == 1 else ""), str(boundary)


def _json(text: str) -> Any:
    value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite, parse_int=_bounded)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate is no text: UnicodeEncodeError
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > FIELDS:
        raise Problem(400, TOO_MUCH)  # each name that is not known would be answered with an error of its own
    # Two parsers may choose different ones of two equal names (v5.0.0-1.5.3).
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and Infinity are not JSON


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("too large")
    return number


def _bounded(digits: str) -> int:
    if len(digits.removeprefix("-")) > DIGITS:
        raise ValueError("too large")
    return int(digits)


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS, errors="strict")


def _multipart(body: bytes, boundary: str) -> list[tuple[str, str]]:
    """RFC 7578, text fields only; what browsers send for `enctype` and FormData."""
    if not _BOUNDARY.fullmatch(boundary):
        raise ValueError("no boundary")
    _, *parts, end = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("ascii"), FIELDS + 1)
    if end.strip() != b"--":
        raise ValueError("not closed, or too many fields")
    return [_field(part) for part in parts]


def _field(part: bytes) -> tuple[str, str]:
    head, blank, content = part.partition(b"\r\n\r\n")
    if len(head) > LONGEST_HEAD:
        raise ValueError("no end of its head")
    headers = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    dispositions = [value.strip() for name, _, value in headers if name.lower() == b"content-disposition"]
    named = _PART_NAME.fullmatch(dispositions[0]) if blank and len(dispositions) == 1 else None
    if named is None:
        raise ValueError("no text field")  # a file has a filename, which the pattern does not take
    return named[1].decode("utf-8"), content.decode("utf-8")
