"""Every error is answered: with its status, in the form that was asked for, and with nothing of the inside."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from app.settings import get_settings
from app.web import errors, templates
from app.web.errors import ErrorBoundary
from tests.support.visitor import Visitor
from tests.web import assembled

HTML = {"Accept": "text/html,*/*;q=0.8"}


async def test_a_problem_is_a_document(site: Visitor) -> None:
    answer = await site.get("/fails/problem")

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "7"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "Not now.",
        "request_id": answer.headers["x-request-id"],
    }


async def test_a_browser_gets_a_page_with_the_same_status(site: Visitor) -> None:
    answer = await site.get("/fails/problem", headers=HTML)

    assert answer.status_code == 409
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["retry-after"] == "7"
    assert "Not now." in answer.text
    assert answer.headers["x-request-id"] in answer.text


@pytest.mark.parametrize(
    ("path", "accept", "page"),
    [
        ("/x", "text/html", True),
        ("/x", "application/json, TEXT/HTML;q=0.5", True),
        ("/x", "application/xhtml+xml, */*;q=0.8", True),
        ("/x", "*/*", True),
        ("/x", "text/*", True),
        ("/x", "", True),
        ("/x", None, True),
        ("/x", "application/json", False),
        ("/x", "application/json, */*", False),
        ("/x", "application/problem+json, */*;q=0.1", False),
        ("/x", "image/png", False),
        ("/api", "text/html", False),
        ("/api/x", "text/html", False),
        ("/apiary", "text/html", True),
    ],
)
def test_clients_that_accept_html_get_pages_and_never_under_api(path: str, accept: str | None, page: bool) -> None:
    headers = [] if accept is None else [(b"accept", accept.encode())]

    assert errors.wants_html({"path": path, "headers": headers}) is page


async def test_under_api_an_error_is_a_document_for_every_client(site: Visitor) -> None:
    answer = await site.get("/api/nowhere", headers=HTML)

    assert answer.headers["content-type"] == "application/problem+json"


# v5.0.0-16.5.1, v5.0.0-16.5.4, v5.0.0-16.3.4
@pytest.mark.parametrize("headers", [{}, HTML])
async def test_a_bug_shows_nothing_of_itself_in_production_and_is_logged(
    site: Visitor, logged: list[Any], monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    monkeypatch.setattr(get_settings(), "env", "production")

    answer = await site.get("/fails/bug", headers=headers)

    assert answer.status_code == 500
    assert not [word for word in ("hunter2", "RuntimeError", "Traceback", "assembled") if word in answer.text]
    (line,) = [line for line in logged if line["log_level"] == "error"]
    assert answer.headers["x-request-id"] == line["request_id"]
    assert "hunter2" in str(line["exc_info"])


async def test_a_database_that_does_not_answer_is_503_and_says_when_to_come_back(site: Visitor) -> None:
    answer = await site.get("/fails/unavailable")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "postgres" not in answer.text


@pytest.mark.parametrize(("method", "path"), [("FOO", "/seen"), ("GET", "/hunter2"), ("PUT", "/people/hunter2")])
async def test_the_frameworks_own_words_stay_inside(site: Visitor, method: str, path: str) -> None:
    answer = await site.request(method, path)

    assert answer.json()["detail"] == errors.DETAILS[answer.status_code]


async def test_an_error_of_the_application_has_its_own_answer(site: Visitor) -> None:
    answer = await site.get("/fails/teapot")

    assert answer.status_code == 418
    assert answer.json()["kind"] == "kettle"


async def test_an_error_inside_an_answer_to_an_error_is_answered_too(site: Visitor) -> None:
    answer = await site.get("/fails/teapot?broken=1")

    assert answer.status_code == 503


async def test_a_handler_is_found_for_a_subclass() -> None:
    class SpecialError(assembled.TeapotError):
        pass

    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise SpecialError

    boundary = ErrorBoundary(fails, handlers={assembled.TeapotError: assembled.answer_teapot})

    assert (await answer_of(boundary))["status"] == 418


# v5.0.0-16.5.4
async def test_without_templates_an_error_is_still_answered(
    site: Visitor, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(templates, "TEMPLATES", tmp_path)

    answer = await site.get("/fails/problem", headers=HTML)

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "error.html" not in answer.text


async def test_a_broken_page_is_500_with_headers(site: Visitor) -> None:
    answer = await site.get("/broken-page", headers=HTML)

    assert answer.status_code == 500
    assert "nobody_gave_this" not in answer.text


async def test_an_answer_that_has_begun_is_not_answered_again() -> None:
    async def fails_late(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await answer_of(ErrorBoundary(fails_late))


@pytest.mark.parametrize(
    ("path", "code", "told"),
    [
        ("/socket", 1011, ("error", "failed")),
        ("/nowhere", 1008, ("info", "socket_refused")),
        ("/page", 1008, ("info", "socket_refused")),
    ],
)
async def test_a_socket_that_fails_is_closed_without_a_reason(
    web_app: Any, logged: list[Any], path: str, code: int, told: tuple[str, str]
) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket", "scheme": "wss", "path": path, "raw_path": path.encode(), "query_string": b"bug=1",
        "root_path": "", "headers": [(b"host", b"testserver")], "client": ("127.0.0.1", 1),
    }  # fmt: skip
    await web_app(scope, receive, send)

    assert sent[-1] == {"type": "websocket.close", "code": code}
    assert [(line["log_level"], line["event"]) for line in logged if line["event"] != "request"] == [told]


async def test_a_client_that_goes_away_while_it_sends_is_no_bug(web_app: Any, logged: list[Any]) -> None:
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None: ...

    headers = [(b"host", b"testserver"), (b"content-type", b"application/json")]
    scope = {
        "type": "http", "method": "POST", "scheme": "https", "path": "/optional", "raw_path": b"/optional",
        "query_string": b"", "root_path": "", "headers": headers, "client": ("127.0.0.1", 1),
    }  # fmt: skip
    await web_app(scope, receive, send)

    assert {line["log_level"] for line in logged} == {"info"}


async def test_a_cancelled_request_stays_cancelled() -> None:
    async def cancelled(scope: Any, receive: Any, send: Any) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await answer_of(ErrorBoundary(cancelled))


async def answer_of(app: Any) -> Any:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}, None, send)
    return sent[0]


async def test_401_in_a_document_names_the_scheme() -> None:
    answer = errors.answer(SimpleNamespace(scope={"path": "/api/x", "headers": []}), 401)

    assert answer.headers["www-authenticate"] == "Bearer"


async def test_names_from_a_body_are_cut_and_cleaned(site: Visitor) -> None:
    answer = await site.patch("/people/7", json={"name": "Ann", "\u202e\n" + "x" * 500: 1})

    (fault,) = answer.json()["errors"]
    assert fault["field"] == "??" + "x" * 62


async def test_sixty_faults_are_not_listed(site: Visitor) -> None:
    answer = await site.patch("/people/7", json={f"f{number}": 1 for number in range(60)})

    assert len(answer.json()["errors"]) == 20
