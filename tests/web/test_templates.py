"""Pages: everything escaped, the names that every template may use, and times in words."""

import re
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest

from app import db
from app.web import features, notices, templates
from tests.support.visitor import Visitor
from tests.web.assembled import PEOPLE

NOTICES = features.table("notices")
NOW = datetime(2026, 3, 9, 14, 5, 30, tzinfo=UTC)


def request(**scope: Any) -> Any:
    return SimpleNamespace(scope={"path": "/page", "query_string": b"", "headers": [], **scope})


# v5.0.0-1.2.1, v5.0.0-1.1.2
async def test_values_are_escaped(site: Visitor) -> None:
    answer = await site.get("/page")

    assert "&lt;b&gt;bold&lt;/b&gt;" in answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


# v5.0.0-1.2.1
def test_attributes_are_escaped_and_those_without_a_value_left_out() -> None:
    made = templates.attributes({"value": '"><b>', "hidden": None, "data-x": 1, "required": ""})

    assert made == ' value="&#34;&gt;&lt;b&gt;" data-x="1" required=""'


@pytest.mark.parametrize("name", ["", "a b", "a>", "a/", 'a"', "a=b", "a\n"])
def test_name_that_could_end_its_attribute_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name of an attribute"):
        templates.attributes({name: "x"})


def test_macros_are_imported_without_going_through_all_globals() -> None:
    """Stock Jinja makes a ChainMap, whose keys are walked in Python for each import."""
    page = templates.environment(templates.TEMPLATES).get_template("page.html")

    assert type(page.globals) is dict
    assert type(jinja2.Environment().make_globals(None)) is not dict


def test_a_name_that_was_not_given_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        templates.page(request(), "broken.html")


def test_status_and_headers_are_the_callers_and_the_dict_is_not_shared() -> None:
    headers = {"X-A": "1"}

    answer = templates.page(request(), "page.html", 422, headers, text="")

    assert (answer.status_code, answer.headers["x-a"]) == (422, "1")
    assert headers == {"X-A": "1"}


async def test_nobody_is_shown_where_nobody_is_signed_in(site: Visitor) -> None:
    answer = await site.get("/page")

    assert '<p id="user">|False</p>' in answer.text
    assert '<input type="hidden" name="as" value="">' in answer.text


def test_a_page_renders_where_authentication_did_not_run() -> None:
    assert '<p id="user">|False</p>' in templates.page(request(), "page.html", text="").body.decode()


def test_a_page_can_tell_nobody_from_nobody_knows() -> None:
    unknown = SimpleNamespace(is_authenticated=False, unavailable=True)
    environment = templates.environment(templates.TEMPLATES)

    shown = environment.from_string("{{ user.unavailable }}").render(user=templates.visitor({"user": unknown}))

    assert shown == "True"


async def test_a_form_names_the_person_it_is_shown_to(site: Visitor) -> None:
    answer = await site.get("/page", headers={"X-Person": "ann"})

    assert f'<input type="hidden" name="as" value="{PEOPLE[b"ann"]}">' in answer.text
    assert '<p id="user">ann|True</p>' in answer.text


def test_every_form_that_is_posted_has_a_key_of_its_page() -> None:
    """Also one that a macro has made, or a hand of one's own; none that only asks."""
    posted = '<form method="post">', '<form class="stack" action="/people?q=a&amp;b" method="post" novalidate>'
    asks = '<form role="search" action="/people" method="get">', "&lt;form method=&quot;post&quot;&gt;"

    one, other = (templates.with_keys("".join(posted + asks)) for _ in range(2))

    fields = [
        re.findall(rf'{re.escape(form)}<input type="hidden" name="idempotency_key" value="([\w-]+)">', one)
        for form in posted
    ]
    assert len(fields[0][0]) == 22
    assert fields == [fields[0]] * 2
    assert one.count("idempotency_key") == 2
    assert fields[0][0] not in other


async def test_page_gives_its_form_a_key(site: Visitor) -> None:
    assert '<form method="post"><input type="hidden" name="idempotency_key" value="' in (await site.get("/page")).text


@pytest.mark.parametrize("code", NOTICES)
async def test_a_notice_is_shown_for_its_code_to_the_browser_that_holds_it(site: Visitor, code: str) -> None:
    answer = await site.get(f"/page?notice={code}", headers={"Cookie": f"{notices.cookie_name()}={code}"})

    assert f'<p class="{NOTICES[code].kind}">' in answer.text


# v5.0.0-1.3.10
@pytest.mark.parametrize(
    "query", ["notice=Your+account+is+closed", "notice=", "notice=signed_out&notice=cookies", "x=1"]
)
async def test_no_other_text_can_be_put_into_a_notice(site: Visitor, query: str) -> None:
    answer = await site.get(f"/page?{query}", headers={"Cookie": f"{notices.cookie_name()}=signed_out"})

    assert "closed" not in answer.text
    assert '<p class="' not in answer.text


def test_notices_have_a_kind_that_the_pages_know() -> None:
    assert {notice.kind for notice in NOTICES.values()} <= {"success", "info", "warning", "error"}


@pytest.mark.parametrize("moment", [NOW, NOW.astimezone(timezone(timedelta(hours=9)))])
def test_when_is_a_time_in_utc(moment: datetime) -> None:
    expected = '<time datetime="2026-03-09T14:05:30Z" title="9 March 2026, 14:05:30 UTC">9 March 2026, 14:05 UTC</time>'

    assert templates.when(moment) == expected


@pytest.mark.parametrize(
    ("past", "words"),
    [
        (timedelta(seconds=-300), "just now"),
        (timedelta(0), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(minutes=60), "1 hour ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(hours=24), "1 day ago"),
        (timedelta(days=30, hours=23), "30 days ago"),
        (timedelta(days=31), "6 February 2026"),
        (timedelta(days=400), "2 February 2025"),
    ],
)
def test_ago_is_the_distance_in_words(monkeypatch: pytest.MonkeyPatch, past: timedelta, words: str) -> None:
    monkeypatch.setattr(db, "utcnow", lambda: NOW)

    assert f">{words}</time>" in templates.ago(NOW - past)
