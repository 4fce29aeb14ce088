"""A form that is sent twice has one effect, and both times the answer of the first."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import form_submissions, idempotency
from app.auth.idempotency import IdempotentForms
from app.auth.models import submission_rows, user_rows
from app.auth.sessions import lifetime, revocation, rotation
from app.auth.tokens import TokenPair
from tests.support import forge
from tests.support.clock import Clock
from tests.support.mailbox import delivered
from tests.support.people import PASSWORD, Person, make_user, start_session
from tests.support.sent import bearer
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.database, pytest.mark.anyio]

ACCESS, REFRESH = "__Host-access", "__Host-refresh"
KEY = {"idempotency_key": "k" * 22}
SITE = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
PAGE = "<p>A page that is shown once.</p>"


@pytest.fixture
async def person(database: str) -> Person:
    return await make_user()


@pytest.fixture
async def pair(person: Person) -> TokenPair:
    return await start_session(person)


@pytest.fixture
async def send(make_client: Callable[..., Visitor]) -> Callable[..., Any]:
    """`await send("/account", {"name": "Zoë"}, pair)`: with these cookies and no others, whatever came back before."""

    async def post(path: str, fields: dict[str, str], pair: TokenPair | None = None, **more: str) -> httpx.Response:
        cookies = f"{ACCESS}={pair.access_token}; {REFRESH}={pair.refresh_token}" if pair else ""
        return await make_client().post(path, data=fields, headers=SITE | {"Cookie": cookies} | more)

    return post


def pair_in(answer: httpx.Response) -> TokenPair | None:
    access, refresh = answer.cookies.get(ACCESS), answer.cookies.get(REFRESH)
    return TokenPair(access, refresh, 0, 0) if access and refresh else None


async def happened(event: str) -> int:
    return int(await db.fetch_value(sa.select(sa.func.count()).where(event_rows.c.event == event)))


async def live_sessions() -> int:
    return int(await db.fetch_value(sa.select(sa.func.count()).where(lifetime.is_live(db.utcnow()))))


# v5.0.0-2.3.4
async def test_form_that_is_sent_twice_at_once_has_one_effect_and_one_answer(
    send: Callable[..., Any], person: Person
) -> None:
    login = {"email": person.email, "password": PASSWORD, **KEY}

    first, second, third = await asyncio.gather(*[send("/login", login) for _ in range(3)])

    assert {answer.status_code for answer in (first, second, third)} == {303}
    assert first.headers["location"] == second.headers["location"] == third.headers["location"] == "/dashboard"
    assert pair_in(first) == pair_in(second) == pair_in(third) is not None
    assert (await live_sessions(), await happened(events.LOGIN)) == (1, 1)


async def test_mail_is_written_once(send: Callable[..., Any], database: str) -> None:
    registration = {"name": "Joan", "email": "joan@example.com", "password": PASSWORD, **KEY}

    answers = await asyncio.gather(*[send("/register", registration) for _ in range(2)])

    assert [answer.headers["location"] for answer in answers] == ["/register/sent"] * 2
    assert [message.recipient for message in await delivered()] == ["joan@example.com"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/step-up", {"password": PASSWORD, "next": "/account"}),
        ("/account/password", {"current_password": PASSWORD, "new_password": "wrong zebra paperclip sonata"}),
    ],
)
async def test_lost_response_with_new_cookies_goes_to_the_browser_with_the_old_ones(
    send: Callable[..., Any], pair: TokenPair, path: str, fields: dict[str, str]
) -> None:
    """The first answer has ended the session that the second request comes with."""
    lost = await send(path, fields | KEY, pair)
    again = await send(path, fields | KEY, pair)

    assert again.headers["location"] == lost.headers["location"]
    assert pair_in(again) == pair_in(lost)
    assert pair_in(again) not in (None, pair)
    assert await live_sessions() == 1


async def test_once_the_new_session_is_used_the_old_cookies_are_given_nothing(
    send: Callable[..., Any], client: Visitor, pair: TokenPair
) -> None:
    """As with a lost refresh: once the new session is used, its client has the response, so another one gets none."""
    step_up = {"password": PASSWORD, **KEY}
    arrived = pair_in(await send("/step-up", step_up, pair))
    assert arrived
    client.put_cookie(ACCESS, arrived.access_token)
    assert (await client.visit("/dashboard")).status_code == 200

    late = await send("/step-up", step_up, pair)

    assert late.headers["location"].startswith("/login")
    assert pair_in(late) is None


async def test_who_holds_the_new_cookies_gets_the_answer_without_them(
    send: Callable[..., Any], pair: TokenPair
) -> None:
    """They may have been renewed since: an older pair over a newer one would be taken for a copy."""
    change = {"current_password": PASSWORD, "new_password": "wrong zebra paperclip sonata", **KEY}
    arrived = pair_in(await send("/account/password", change, pair))

    again = await send("/account/password", change, arrived)

    assert (again.status_code, again.headers["location"]) == (303, "/account?notice=password_changed")
    assert set(again.cookies) == {"__Host-notice"}  # to be shown by the page that this one leads to
    assert await live_sessions() == 1


async def test_pair_that_was_renewed_meanwhile_is_the_same_browser(
    send: Callable[..., Any], person: Person, pair: TokenPair
) -> None:
    await send("/account", {"name": "Zoë", **KEY}, pair)
    renewed = await rotation.rotate(pair.refresh_token)
    assert isinstance(renewed, rotation.Rotated)

    again = await send("/account", {"name": "Zoë", **KEY}, renewed.pair)

    assert again.headers["location"] == "/account?notice=name_changed"
    assert await happened(events.NAME_CHANGED) == 1


# v5.0.0-7.4.1
async def test_answer_revives_no_session_that_has_ended(send: Callable[..., Any], person: Person) -> None:
    login = {"email": person.email, "password": PASSWORD, **KEY}
    ended = pair_in(await send("/login", login))
    assert ended
    async with db.transaction() as tx:
        sid = UUID(forge.claims(ended.access_token)["sid"])
        await revocation.revoke(sid, events.ENDED_BY_OWNER, tx=tx, now=db.utcnow())

    for cookies in (None, ended):
        anew = await send("/login", login, cookies)

        assert pair_in(anew) not in (None, ended)


async def test_another_browser_gets_nothing_of_the_first_ones_answer(
    send: Callable[..., Any], person: Person, pair: TokenPair
) -> None:
    """Not even where it knows the key and every field."""
    first = await send("/step-up", {"password": PASSWORD, **KEY}, pair)

    anonymous = await send("/step-up", {"password": PASSWORD, **KEY})
    other = await send("/step-up", {"password": PASSWORD, **KEY}, await start_session(person))

    assert anonymous.headers["location"].startswith("/login")
    assert pair_in(other) not in (None, pair_in(first))


async def test_form_that_was_changed_is_another_one(send: Callable[..., Any], pair: TokenPair, person: Person) -> None:
    """Back, edited, sent again; and back to what it was."""
    for name in ("Ada", "Zoë", "Zoë", "Ada"):
        assert (await send("/account", {"name": name, **KEY}, pair)).status_code == 303

    assert await db.fetch_value(sa.select(user_rows.c.name).where(user_rows.c.id == person.id)) == "Ada"
    assert await happened(events.NAME_CHANGED) == 3


async def test_same_form_at_another_address_is_another_one(send: Callable[..., Any], database: str) -> None:
    email = {"email": "joan@example.com", **KEY}

    first, second = await send("/forgot-password", email), await send("/verify-email/resend", email)

    assert first.headers["location"] == "/forgot-password/sent"
    assert second.headers["location"] == "/verify-email/sent"


async def test_multipart_is_known_by_its_fields(make_client: Callable[..., Visitor], pair: TokenPair) -> None:
    """Each time a browser writes it the boundary is another one."""
    for _ in range(2):
        client = make_client()
        client.put_cookie(ACCESS, pair.access_token)
        fields = {name: (None, value) for name, value in {"name": "Zoë", **KEY}.items()}
        assert (await client.post("/account", files=fields, headers=SITE)).status_code == 303

    assert await happened(events.NAME_CHANGED) == 1


@pytest.mark.parametrize(
    "key", [{}, {"idempotency_key": ""}, {"idempotency_key": "short"}, {"idempotency_key": "k" * 65}]
)
async def test_form_without_a_proper_key_is_worked_on_each_time(
    send: Callable[..., Any], person: Person, key: dict[str, str]
) -> None:
    """A program's, or that of a page which was opened before keys were there."""
    login = {"email": person.email, "password": PASSWORD, **key}

    first, second = await send("/login", login), await send("/login", login)

    assert pair_in(first) != pair_in(second)
    assert await live_sessions() == 2
    assert await db.fetch_all(sa.select(submission_rows)) == []


async def test_bearer_token_is_no_browser(send: Callable[..., Any], person: Person, pair: TokenPair) -> None:
    """There a cookie does not say who it is."""
    other = await make_user()
    name = {"name": "Zoë", **KEY}

    await send("/account", name, **bearer(pair))
    await send("/account", name, **bearer(await start_session(other)))

    assert await happened(events.NAME_CHANGED) == 2


async def test_mistake_counts_once_and_is_shown_again(send: Callable[..., Any], person: Person) -> None:
    """A double click on a wrong code would use two of five tries up."""
    login = {"email": person.email, "password": "not the right passphrase", **KEY}

    first, second = await asyncio.gather(*[send("/login", login) for _ in range(2)])

    assert (first.status_code, first.text) == (422, second.text)
    assert await happened(events.LOGIN_FAILED) == 1


async def test_page_that_is_shown_again_runs_its_own_scripts() -> None:
    """The nonce of its policy is the one of the answer that it comes with."""
    sent: list[Any] = []

    async def keep(message: Any) -> None:
        sent.append(message)

    answer = form_submissions.Answer(422, (), b'<script nonce="old-nonce">', "old-nonce")
    await idempotency._send_again(answer, {"csp_nonce": "new-nonce"}, keep)

    assert sent[1]["body"] == b'<script nonce="new-nonce">'


# v5.0.0-2.4.1
async def test_rate_limited_form_is_processed_again(send: Callable[..., Any], person: Person, clock: Clock) -> None:
    """A client that waits and sends the same page again does not get the old response."""
    wrong = {"email": person.email, "password": "not the right passphrase"}
    for _ in range(10):
        await send("/login", wrong)
    right = {"email": person.email, "password": PASSWORD, **KEY}

    refused = await send("/login", right)
    clock.forward(seconds=30)
    still = await send("/login", right)
    clock.forward(minutes=5)
    admitted = await send("/login", right)

    assert [refused.status_code, still.status_code, admitted.status_code] == [429, 429, 303]
    assert int(still.headers["retry-after"]) < int(refused.headers["retry-after"])


async def test_refused_form_is_looked_at_again(send: Callable[..., Any], person: Person, pair: TokenPair) -> None:
    """Nothing was done, so there is no answer to keep: signed in again, the same form counts."""
    form = {"name": "Zoë", "as": str(person.id), **KEY}
    other = await start_session(await make_user())

    assert (await send("/account", form, other)).status_code == 409
    assert await db.fetch_all(sa.select(submission_rows)) == []
    assert (await send("/account", form, pair)).status_code == 303


async def test_form_counts_where_it_arrives_after_the_session_was_renewed(
    make_client: Callable[..., Visitor], person: Person
) -> None:
    """307 to /auth/resume, 307 back: the same form with other cookies, and done once by both clicks."""
    clients = [make_client(follow_redirects=True) for _ in range(2)]
    pair = await start_session(person)
    for client in clients:
        client.put_cookie(REFRESH, pair.refresh_token)

    answers = [await client.submit("/account", {"name": "Zoë", **KEY}) for client in clients]

    assert [answer.url.query for answer in answers] == [b"notice=name_changed"] * 2
    assert await happened(events.NAME_CHANGED) == 1


async def test_the_same_after_a_minute_is_meant(send: Callable[..., Any], person: Person, clock: Clock) -> None:
    forgot = {"email": person.email, **KEY}
    await send("/forgot-password", forgot)
    clock.forward(seconds=59)
    await send("/forgot-password", forgot)
    assert len(await delivered()) == 1

    clock.forward(seconds=1)
    await send("/forgot-password", forgot)

    assert len(await delivered()) == 2


# v5.0.0-14.2.7, v5.0.0-11.3.*
async def test_what_is_kept_says_nothing_to_who_reads_the_table(send: Callable[..., Any], person: Person) -> None:
    answer = await send("/login", {"email": person.email, "password": PASSWORD, **KEY})

    row = await db.fetch_one(sa.select(submission_rows))
    for secret in (PASSWORD, person.email, KEY["idempotency_key"], pair_in(answer).access_token, "dashboard"):  # type: ignore[union-attr]
        assert secret not in str(row)


async def test_answer_of_one_form_is_not_read_as_that_of_another(send: Callable[..., Any], pair: TokenPair) -> None:
    """Somebody who can write to the table moves a row."""
    keys = {"Ada": "a" * 22, "Zoë": "z" * 22}
    for name, key in keys.items():
        await send("/account", {"name": name, "idempotency_key": key}, pair)
    one, other = await db.fetch_all(sa.select(submission_rows))
    for row, answer in ((one, other.answer), (other, one.answer)):
        await db.execute(sa.update(submission_rows).where(submission_rows.c.key == row.key).values(answer=answer))

    await send("/account", {"name": "Ada", "idempotency_key": keys["Ada"]}, pair)

    assert await happened(events.NAME_CHANGED) == 3


# The application behind the mechanism, as far as it may go wrong there.


def app_of(*messages: dict[str, Any], fails: bool = False) -> Any:
    """Answers with these messages, and counts how often it is asked."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        application.asked += 1  # type: ignore[attr-defined]
        application.body = (await receive())["body"]  # type: ignore[attr-defined]
        if fails:
            raise ZeroDivisionError
        for message in messages:
            await send(message)
        if application.listens:  # type: ignore[attr-defined]
            application.heard = await receive()  # type: ignore[attr-defined]

    application.asked = 0  # type: ignore[attr-defined]
    application.listens = False  # type: ignore[attr-defined]
    return application


async def ask(application: Any, *, gone: bool = False) -> list[Any]:
    """Send the form; what went out. `gone`: the browser hangs up at once."""
    body = b"title=x&idempotency_key=" + b"k" * 22
    incoming = [{"type": "http.disconnect"}, {"type": "http.request", "body": body, "more_body": False}]
    outgoing: list[Any] = []

    async def receive() -> Any:
        return incoming.pop() if len(incoming) > 1 or gone else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        outgoing.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/x", "query_string": b"",
        "headers": [(b"content-type", b"application/x-www-form-urlencoded")],
    }  # fmt: skip
    await IdempotentForms(application)(scope, receive, send)
    return outgoing


def start(status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/html")]}


def piece(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def test_answer_in_pieces_is_kept_as_a_whole(database: str) -> None:
    application = app_of(start(), piece(b"one ", more=True), piece(b"two"))

    first, second = await ask(application), await ask(application)

    assert [message.get("body", b"") for message in first] == [b"", b"one ", b"two"]
    assert second[1]["body"] == b"one two"
    assert second[0] == start()
    assert application.asked == 1


async def test_download_goes_on_when_the_browser_hangs_up_for_the_second_click(database: str) -> None:
    application = app_of(start(), piece(b"one ", more=True), piece(b"two"))
    application.listens = True

    await ask(application, gone=True)

    assert application.heard == {"type": "http.disconnect"}  # but only after the answer
    assert (await ask(application))[1]["body"] == b"one two"


async def test_answer_too_large_to_be_kept_is_made_again(database: str) -> None:
    """And its pieces go out as they come, from there on."""
    large = b"x" * form_submissions.LARGEST
    application = app_of(start(), piece(large, more=True), piece(b"x", more=True), piece(b"end"))

    first, second = await ask(application), await ask(application)

    assert len(first) == len(second) == 4
    assert application.asked == 2
    assert await db.fetch_all(sa.select(submission_rows)) == []


@pytest.mark.parametrize("status", [307, 308, 400, 401, 403, 404, 409, 413, 429, 500, 503])
async def test_answer_that_did_nothing_is_not_kept(database: str, status: int) -> None:
    application = app_of(start(status), piece(b""))

    await ask(application)
    await ask(application)

    assert application.asked == 2


@pytest.mark.parametrize("status", [200, 201, 204, 302, 303, 422])
async def test_response_to_a_form_that_changed_something_is_stored(database: str, status: int) -> None:
    application = app_of(start(status), piece(b""))

    await ask(application)
    await ask(application)

    assert application.asked == 1


async def test_error_leaves_the_form_open(database: str) -> None:
    with pytest.raises(ZeroDivisionError):
        await ask(app_of(fails=True))
    application = app_of(start(), piece(b"done"))

    assert (await ask(application))[1]["body"] == b"done"
    assert application.asked == 1


async def test_answer_that_never_came_to_its_end_leaves_the_form_open(database: str) -> None:
    await ask(app_of(start(), piece(b"half", more=True)))
    application = app_of(start(), piece(b"done"))

    assert (await ask(application))[1]["body"] == b"done"


async def test_form_that_is_still_worked_on_is_not_begun_a_second_time(
    database: str, monkeypatch: pytest.MonkeyPatch, client: Visitor
) -> None:
    """As after a worker that was killed in the middle: nobody knows what it did."""
    forgot = {"email": "joan@example.com", **KEY}
    form = form_submissions.of(
        KEY["idempotency_key"], "/forgot-password?", {"email": "joan@example.com"}, {}, db.utcnow()
    )
    assert await form_submissions.claim(form, db.utcnow())
    monkeypatch.setattr(idempotency, "WAITS_SECONDS", -1)

    answer = await client.submit("/forgot-password", forgot)

    assert answer.status_code == 503
    assert "is being processed" in answer.text
    assert await delivered() == []


async def test_form_works_while_nothing_can_be_kept(
    send: Callable[..., Any], pair: TokenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way out has a better word for it than 503 alone: this browser has forgotten you."""

    async def away(*_: Any) -> bool:
        raise db.Unavailable("connection lost")

    monkeypatch.setattr(form_submissions, "claim", away)

    answer = await send("/logout", KEY, pair)

    assert answer.headers["location"] == "/login?notice=signed_out"


async def test_of_many_at_once_one_is_the_first(database: str) -> None:
    form = form_submissions.of("k" * 22, "/x?", {}, {}, db.utcnow())

    claimed = await asyncio.gather(*[form_submissions.claim(form, db.utcnow()) for _ in range(20)])

    assert sum(claimed) == 1


async def test_answers_go_before_the_hour_is_over(database: str, clock: Clock) -> None:
    await form_submissions.claim(form_submissions.of("old", "/x?", {}, {}, db.utcnow()), db.utcnow())
    clock.forward(minutes=2)

    for number in range(form_submissions.PRUNE_EVERY):
        await form_submissions.claim(form_submissions.of(f"new {number}", "/x?", {}, {}, db.utcnow()), db.utcnow())

    assert len(await db.fetch_all(sa.select(submission_rows))) == form_submissions.PRUNE_EVERY
