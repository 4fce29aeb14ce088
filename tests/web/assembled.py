"""A whole application of nothing but plumbing: the middleware in its order, and one handler for each thing to try.

`python -m tests.web.assembled 8001` serves it, for what only shows on the wire.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID

import uvicorn
from lilya.middleware import DefineMiddleware
from lilya.responses import PlainText, RedirectResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict
from ravyn import Gateway, Include, Ravyn, Request, Requires, WebSocketGateway, get, patch, post, put, websocket

from app import db
from app.web import (
    bodies,
    client,
    errors,
    forms,
    framework_patches,
    request_limits,
    routes,
    same_origin,
    security_headers,
    static_files,
    templates,
    urls,
)

HERE = Path(__file__).parent
OUR_COOKIE = "__Host-access"
SEEN_COOKIES = ("ours", "__Host-refresh", "a", "b")
LIMIT, ANONYMOUS_LIMIT = 64 * 1024, 4 * 1024
PEOPLE = {b"ann": UUID("0198c0de-0000-7000-8000-00000000000a"), b"bob": UUID("0198c0de-0000-7000-8000-00000000000b")}


class TeapotError(Exception):
    pass


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, forms.Line(1, 20)]
    age: int = 0


class Memo(BaseModel):
    title: Annotated[str, forms.Line(1, 20)]
    body: Annotated[str, forms.Lines(0, 100)] = ""


def current_user() -> str:
    return "the dependency"


@get("/healthz")
async def healthz() -> Any:
    return PlainText("ok")


@get("/seen")
async def seen(request: Request) -> Any:
    """What a handler sees of its request."""
    asking = client.current()
    return {
        "request": type(request).__name__,
        "method": request.method,
        "head": urls.is_head_request(request.scope),
        "cookies": {name: request.cookies.get(name) for name in SEEN_COOKIES if name in request.cookies},
        "query": dict(request.query_params),
        "ip": asking.ip,
        "user_agent": asking.user_agent,
        "request_id": asking.request_id,
        "nonce": request.scope["csp_nonce"],
    }


@get("/depends")
async def depends(request: Request, who: Any = Requires(current_user)) -> Any:
    return {"who": who, "request": type(request).__name__}


@put("/people/{person_id}")
async def put_person(person_id: int, request: Request, who: Any = Requires(current_user)) -> Any:
    return {"person_id": person_id, "request": type(request).__name__, "who": who}


@patch("/people/{person_id}")
async def patch_person(person_id: int, request: Request, data: Person, limit: int = 5) -> Any:
    return {"person_id": person_id, "request": type(request).__name__, "limit": limit, "data": data.model_dump()}


@post("/optional", status_code=200)
async def optional(request: Request, payload: Person | None = None) -> Any:
    return {"payload": payload and payload.model_dump(), "request": type(request).__name__}


@post("/memos", status_code=200)
async def memo(request: Request) -> Any:
    form = await forms.parse(request, Memo)
    return {"values": form.values, "errors": form.errors, "data": form.data and form.data.model_dump()}


@post("/sign-in", status_code=200)
async def sign_in(request: Request) -> Any:
    return (await forms.parse(request, forms.Nothing, bound=False)).values


@get("/page")
async def page(request: Request) -> Any:
    return templates.page(request, "page.html", text="<b>bold</b>")


@get("/broken-page")
async def broken_page(request: Request) -> Any:
    return templates.page(request, "broken.html")


@get("/own-headers")
async def own_headers() -> Any:
    named = {
        "Cache-Control": "private",
        "Referrer-Policy": "no-referrer",
        "Content-Security-Policy": "*",
        "Server": "x",
    }
    return PlainText("ok", headers=named | {"X-Powered-By": "x", "X-Content-Type-Options": "x"})


@get("/split")
async def split(request: Request) -> Any:
    return PlainText("ok", headers={"X-Said": request.query_params["said"]})


@get("/elsewhere")
async def elsewhere() -> Any:
    return RedirectResponse("/page", status_code=303)


@get("/fails/{how}")
async def fails(request: Request, how: str) -> Any:
    raise {
        "problem": errors.Problem(409, "Not now.", headers={"Retry-After": "7"}),
        "unavailable": db.Unavailable("postgres://secret@host"),
        "teapot": TeapotError(),
        "bug": RuntimeError("the secret is hunter2"),
    }[how]


@get("/fails-late")
async def fails_late() -> Any:
    async def parts() -> Any:
        yield b"half"
        raise RuntimeError("the secret is hunter2")

    return StreamingResponse(parts())


@websocket("/socket")
async def socket(socket: Any) -> None:
    await socket.accept()
    if socket.query_params.get("bug"):
        raise RuntimeError("the secret is hunter2")
    await socket.close()


async def answer_teapot(request: Any, _: TeapotError) -> Any:
    if request.query_params.get("broken"):
        raise db.Unavailable("no")
    return errors.answer(request, 418, "Short and stout.", kind="kettle")


class SignedInByHeader:
    """Stands where authentication stands: `X-Person: ann`."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name = dict(scope["headers"]).get(b"x-person")
        scope["user"] = SimpleNamespace(is_authenticated=False)
        if name:
            person = {"id": PEOPLE[name], "name": name.decode(), "email": "ann@example.com", "role": "user"}
            scope["user"] = SimpleNamespace(is_authenticated=True, **person)
        await self.app(scope, receive, send)


HANDLERS = (
    healthz, seen, depends, put_person, patch_person, optional, memo, sign_in, page, broken_page, own_headers,
    split, elsewhere, fails, fails_late,
)  # fmt: skip


KNOWN = ("testserver", "localhost", "127.0.0.1", "[::1]")


def create_app(
    *, https: bool = False, public_origin: str = "", known: Sequence[str] = KNOWN, advice: str = ""
) -> Ravyn:
    framework_patches.install()
    app = Ravyn(
        routes=[
            *(Gateway(handler=handler) for handler in HANDLERS),
            WebSocketGateway(handler=socket),
            Include("/inside", routes=[Gateway(handler=seen)], redirect_slashes=False),
            Include("/api", routes=[Gateway(handler=seen), Gateway(handler=fails)], redirect_slashes=False),
            static_files.mount(),
        ],
        middleware=[
            DefineMiddleware(security_headers.SecurityHeaders, https=https),
            DefineMiddleware(errors.ErrorBoundary, handlers={TeapotError: answer_teapot}),
            DefineMiddleware(request_limits.WellFormed),
            DefineMiddleware(same_origin.TrustedHost, known=known, advice=advice),
            DefineMiddleware(
                request_limits.BodyLimit,
                limit=LIMIT,
                anonymous=ANONYMOUS_LIMIT,
                signed_in=lambda scope: scope["path"] != "/sign-in",
            ),
            DefineMiddleware(same_origin.SameOrigin, cookie_names=[OUR_COOKIE], public_origin=public_origin),
            DefineMiddleware(bodies.Whole),
            DefineMiddleware(SignedInByHeader),
            DefineMiddleware(request_limits.Methods),
        ],
        debug=False,
        redirect_slashes=False,
        enable_openapi=False,
    )
    routes.refuse_unsafe(app)
    return app


def serve() -> None:
    templates.TEMPLATES = HERE / "templates"
    port = int(sys.argv[1])
    uvicorn.run(create_app(), host="127.0.0.1", port=port, log_level="info", access_log=False, server_header=False)


if __name__ == "__main__":
    serve()
