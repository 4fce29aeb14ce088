"""Allow headers from the table of routes; and what must not stand in it."""

from typing import Any

import pytest
from ravyn import Form, Gateway, Include, Ravyn, Security, get, post
from ravyn.params import Cookie

from app.web import routes
from tests.support.visitor import Visitor


@get("/fine")
async def fine() -> Any: ...


@get("/slow")
def slow() -> Any: ...


@get("/open")
async def fails_open(user: Any = Security(fine)) -> Any: ...


@post("/form")
async def decodes(form: Any = Form()) -> Any: ...


@get("/cookie")
async def cookie(a: str = Cookie(value="a")) -> Any: ...


@get("/catches", exception_handlers={ValueError: fine})
async def catches() -> Any: ...


def app_with(*table: Any, **options: Any) -> Ravyn:
    return Ravyn(routes=list(table), **{"redirect_slashes": False, "enable_openapi": False, **options})


def test_a_plain_table_passes() -> None:
    routes.refuse_unsafe(
        app_with(Gateway(handler=fine), Include("/in", routes=[Gateway(handler=fine)], redirect_slashes=False))
    )


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        (lambda: app_with(Gateway(handler=fine), redirect_slashes=True), "redirect_slashes"),
        (lambda: app_with(Include("/in", routes=[Gateway(handler=fine)])), "redirect_slashes"),
        (lambda: app_with(Gateway(handler=slow)), "not async"),
        (lambda: app_with(Gateway(handler=fails_open)), "permission"),
        (lambda: app_with(Gateway(handler=decodes)), "forms.parse"),
        (lambda: app_with(Gateway(handler=cookie)), "cookies.read"),
        (lambda: app_with(Gateway(handler=catches)), "ErrorBoundary"),
        (lambda: app_with(Gateway(handler=fine, exception_handlers={ValueError: fine})), "ErrorBoundary"),
        (lambda: app_with(Include("/in", routes=[Gateway(handler=slow)], redirect_slashes=False)), "not async"),
    ],
)  # fmt: skip
def test_what_fails_open_stops_the_start(app: Any, reason: str) -> None:
    with pytest.raises(RuntimeError, match=reason):
        routes.refuse_unsafe(app())


# v5.0.0-4.1.4
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "FOO"])
@pytest.mark.parametrize("path", ["/seen", "/inside/seen", "/static/app.css"])
async def test_an_address_that_does_not_answer_a_method_says_which_it_answers(
    site: Visitor, method: str, path: str
) -> None:
    answer = await site.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


async def test_allow_names_the_methods_of_all_routes_at_the_address(site: Visitor) -> None:
    answer = await site.delete("/people/7")

    assert answer.headers["allow"] == "PATCH, PUT"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "FOO"])
async def test_nothing_at_the_address_is_404_for_every_method(site: Visitor, method: str) -> None:
    answer = await site.request(method, "/nowhere")

    assert answer.status_code == 404
    assert "allow" not in answer.headers


@pytest.mark.parametrize("path", ["/seen/", "/inside/seen/", "/inside", "/inside/", "//seen", "/seen//", "/SEEN"])
async def test_another_spelling_of_an_address_is_404_and_no_redirect(site: Visitor, path: str) -> None:
    answer = await site.get(path)

    assert answer.status_code == 404


# v5.0.0-4.1.4
@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
async def test_a_method_cannot_be_overridden(site: Visitor, header: str) -> None:
    answer = await site.get("/seen?_method=DELETE", headers={header: "DELETE"})

    assert answer.json()["method"] == "GET"
