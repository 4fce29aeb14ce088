"""Where a visitor may be sent on to, as tables."""

from uuid import UUID

import pytest

from app.web import urls

DEFAULT = "/dashboard"

KEPT = [
    "/",
    "/dashboard",
    "/memos?q=a%20b&cursor=1",
    "/memos/0198c0de-0000-7000-8000-00000000000a/edit",
    "/memos?q=%C3%A9",
    "/memos?q=https://example.com/",
    "/memos?next=//evil.example",
    "/memos#top",
    "/memos/",
    "/admin/users",
    "/%6eotes",
    "/authors",
    "/apiary",
    "/logins",
    "/.well-known/change-password",
    "/100%2541",
    "/~ann/@home;v=1",
    "/" + "a" * 511,
]

REFUSED_ELSEWHERE = [
    None,
    "",
    "dashboard",
    "//evil.example",
    "///evil.example",
    "////evil.example/%2f..",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\\/evil.example",
    "/memos\\..\\login",
    "http://evil.example",
    "HTTPS://evil.example",
    "http:evil.example",
    "http:///evil.example",
    "evil.example",
    "@evil.example",
    "https://testserver@evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    " /dashboard",
    " //evil.example",
    "/dashboard ",
    "\t//evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "/memos\r\nSet-Cookie: a=b",
    "/\x00/evil.example",
    "/\x0b/evil.example",
    "/\u00a0/evil.example",
    "/\u2028notes",
    "/\uff0fevil.example",
    "/\u3002evil",
    "/é",
    "/%2fevil.example",
    "/%2Fevil.example",
    "/%5cevil.example",
    "/%5C%5Cevil.example",
    "%2f%2fevil.example",
    "/%09/evil.example",
    "/%0a/evil.example",
    "/%0d%0aSet-Cookie:%20a=b",
    "/%00",
    "/memos%00",
    "/%20/evil.example",
    "/%ff",
    "/%c0%af",
    "/x//evil.example",
    "/./evil.example",
    "/../evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/x/../../evil.example",
    "?next=/memos",
    "#/memos",
    "/" + "a" * 512,
]

REFUSED_HERE = [
    "/login",
    "/login/",
    "/login?next=/login",
    "/login?next=//evil.example",
    "/login#x",
    "/LOGIN",
    "/%6cogin",
    "/%6C%6F%67%69%6E",
    "/logi%6e?next=x",
    "/logout",
    "/logout?next=/",
    "/lOgOuT",
    "/auth",
    "/auth/resume",
    "/auth/resume?next=/memos",
    "/%61uth/resume",
    "/auth%2fresume",
    "/step-up",
    "/step%2dup?next=/memos",
    "/api",
    "/api/auth/refresh",
    "/API/memos",
    "/%61pi/memos",
    "/x/../login",
    "/x/..%2flogin",
    "/x/%2e%2e/login",
    "/x/%2E./login",
    "/./login",
    "/%2e/login",
    "/.%2flogin",
    "//login",
    "/login/..",
    "/memos/..",
    "/memos/.",
    "/healthz",
    "/static/app.js",
    "/metrics?x",
    "/openapi.json",
]

NO_PAGES = ["/rooms/7/events", "/ROOMS/7/events", "/rooms/%37/%65vents?x", "/rooms/7/events/", "/rooms/7%2fevents"]


@pytest.mark.parametrize("raw", KEPT)
def test_a_local_page_is_kept_as_it_is(raw: str) -> None:
    assert urls.local_path(raw) == raw


# v5.0.0-1.2.2, v5.0.0-3.7.2
@pytest.mark.parametrize("raw", [*REFUSED_ELSEWHERE, *REFUSED_HERE])
def test_anything_else_becomes_the_dashboard(raw: str | None) -> None:
    assert urls.local_path(raw) == DEFAULT


@pytest.mark.parametrize("raw", NO_PAGES)
def test_a_stream_is_no_page_to_go_on_to(raw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "_no_pages", set())
    assert urls.local_path(raw) == raw

    urls.no_page("/rooms/{id}/events")

    assert urls.local_path(raw) == DEFAULT
    assert urls.local_path("/rooms/7/events/8") == "/rooms/7/events/8"
    assert urls.local_path("/rooms/7") == "/rooms/7"


def test_the_default_is_the_callers() -> None:
    assert urls.local_path("//evil.example", default="/") == "/"


# v5.0.0-4.2.5
def test_next_inside_next_ends_at_the_length() -> None:
    nested = "/memos" + "?next=/memos" * 50

    assert urls.local_path(nested) == DEFAULT


@pytest.mark.parametrize("raw", ["/step-up", "/api/memos", "/memos/1?x=2", "/admin/users/1/deactivate"])
def test_a_form_goes_on_to_the_address_it_was_posted_to(raw: str) -> None:
    assert urls.posted_path(raw) == raw


@pytest.mark.parametrize("raw", [*REFUSED_ELSEWHERE, "/login", "/logout", "/%6cogout", "/auth/resume", "/x/../logout"])
def test_a_form_never_goes_on_elsewhere_nor_to_sign_in_or_out(raw: str | None) -> None:
    assert urls.posted_path(raw) == DEFAULT


def test_an_id_is_read_in_its_canonical_form() -> None:
    assert urls.uuid_or_none("0198c0de-0000-7000-8000-00000000000a") == UUID("0198c0de-0000-7000-8000-00000000000a")


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "7",
        "x" * 36,
        "0198C0DE-0000-7000-8000-00000000000A",
        "0198c0de00007000800000000000000a",
        "{0198c0de-0000-7000-8000-00000000000a}",
        "urn:uuid:0198c0de-0000-7000-8000-00000000000a",
        "0198c0de-0000-7000-8000-00000000000a ",
        "0198c0de-0000-7000-8000-00000000000\u0661",
    ],
)
def test_nothing_else_is_an_id(raw: str | None) -> None:
    assert urls.uuid_or_none(raw) is None
