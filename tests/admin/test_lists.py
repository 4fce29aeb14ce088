"""Long lists: in every order each row comes once, in at most four queries, along an index on both databases."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.admin import audit_log, overview, user_statements, users
from app.admin.audit_log import AuditFilters
from app.admin.users import PeopleFilters
from app.audit import events
from app.audit.models import event_rows
from app.auth.accounts import user_search
from app.auth.models import user_rows
from app.web.filters import read
from tests.support import database as databases
from tests.support import forge
from tests.support.people import make_user, sign_in, start_session
from tests.support.statements import Sent, sent
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.database, pytest.mark.anyio]


async def some_people() -> None:
    """Names that differ in case alone, names that are the same, and some who never signed in."""
    names = [
        "ann",
        "Ann",
        "Ánn",
        "bob",
        "BOB",
        "Zoe",
        "zoë",
        "Same",
        "Same",
        "Same",
        "ßmith",
        "SSmith",
        "",
        "\U0001f600",
    ]
    for number, name in enumerate(names):
        person = await make_user(name=name, role="admin" if number % 5 == 0 else "user", active=number % 3 != 0)
        if number % 7 == 0:  # a role that was taken out of the table
            await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(role="auditor"))
        if number % 2:
            seen = db.utcnow().replace(microsecond=0)  # several at the same moment
            await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(last_login=seen))


async def every_page(asked: PeopleFilters, limit: int) -> list[Any]:
    rows: list[Any] = []
    cursor: Any = None
    while True:
        page = await users.listing(asked.model_copy(update={"cursor": cursor}), limit)
        rows += page.items
        if page.next_cursor is None:
            return rows
        cursor = page.items[-1].id


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("sort", user_statements.SORTS)
@pytest.mark.parametrize("role", ["", "user", "admin"])
@pytest.mark.parametrize("status", ["", "deactivated"])
async def test_pages_of_every_order_hold_each_person_once(sort: str, role: str, status: str) -> None:
    await some_people()
    asked = PeopleFilters(sort=sort, role=role, status=status)
    whole = await every_page(asked, 100)

    for limit in (1, 3, 7):
        assert [row.id for row in await every_page(asked, limit)] == [row.id for row in whole]

    expected = [
        row
        for row in await db.fetch_all(sa.select(user_rows))
        if (not role or row.role == role) and (not status or not row.is_active)
    ]
    assert sorted(row.id for row in whole) == sorted(row.id for row in expected)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("sort", user_statements.SORTS)
@pytest.mark.parametrize("role", ["", "user"])
async def test_way_back_shows_the_pages_of_the_way_there(sort: str, role: str) -> None:
    """Those who never signed in stand at the end in every order, on the way back too."""
    await some_people()
    asked, limit = PeopleFilters(sort=sort, role=role), 3
    there = [await users.listing(asked, limit, counted=True)]
    while cursor := there[-1].next_cursor:
        there.append(await users.listing(asked.model_copy(update={"cursor": UUID(cursor)}), limit))
    back = [there[-1]]
    while cursor := back[-1].previous_cursor:
        back.append(await users.listing(asked, limit, before=UUID(cursor)))

    assert [[row.id for row in page.items] for page in reversed(back)] == [
        [row.id for row in page.items] for page in there
    ]
    assert there[0].total == sum(len(page.items) for page in there)
    assert back[-1].previous_cursor is None
    assert back[-1].next_cursor == there[0].next_cursor


async def test_links_of_the_audit_log_set_the_days_and_keep_the_other_filters(client: Visitor, database: str) -> None:
    admin = await make_user(role="admin")
    await sign_in(client, admin)
    now = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    assert audit_log.periods(now)["7 days"] == {"since": "2026-11-24", "until": "2026-11-30"}

    page = await client.visit("/admin/audit?event=login&ip=192.0.2.7&since=2026-01-01")
    links = [unescape(href) for href in re.findall(r'href="([^"]*since=[^"]*)"', page.text) if "export" not in href]

    assert len(links) == 3
    assert all("event=login" in link and "ip=192.0.2.7" in link and link.count("since=") == 1 for link in links)
    shown = await client.visit(links[0])
    assert shown.status_code == 200
    assert 'aria-current="true">today</a>' in shown.text


@pytest.mark.usefixtures("database")
async def test_way_back_through_the_audit_log() -> None:
    person = await make_user()
    for _ in range(7):
        await events.record(events.LOGIN, user_id=person.id, actor_id=person.id)
    asked = AuditFilters(person=str(person.id))
    first = await audit_log.listing(asked, 3, counted=True)
    second = await audit_log.listing(asked.model_copy(update={"cursor": UUID(first.next_cursor or "")}), 3)

    again = await audit_log.listing(asked, 3, before=UUID(second.previous_cursor or ""), counted=True)

    assert ([row.id for row in again.items], again.previous_cursor) == ([row.id for row in first.items], None)
    assert (first.total, again.total) == (7, 7)


@pytest.mark.usefixtures("database")
async def test_events_of_several_filters_are_not_counted() -> None:
    """Counting those would go through all events of an address to find a few."""
    asked = AuditFilters(ip="192.0.2.7", event=events.LOGIN)

    assert (await audit_log.listing(asked, counted=True)).total is None


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("sort", user_statements.SORTS)
@pytest.mark.parametrize("q", ["s", "s example", "example com"])
async def test_search_for_few_and_for_many_gives_the_same_pages(
    monkeypatch: pytest.MonkeyPatch, sort: str, q: str
) -> None:
    await some_people()
    asked = PeopleFilters(sort=sort, q=q, status="active")
    found = [await every_page(asked, limit) for limit in (1, 3, 100)]

    monkeypatch.setattr(user_search, "COMMON_WORD_ROWS", 5)  # "example" is common then, and "s" is not
    again = [await every_page(asked, limit) for limit in (1, 3, 100)]
    monkeypatch.setattr(user_search, "COMMON_WORD_ROWS", 0)
    found += again + [await every_page(asked, limit) for limit in (1, 3, 100)]

    ids = [[row.id for row in rows] for rows in found]
    assert ids == [ids[0]] * 9
    assert len(ids[0]) == (9 if q == "example com" else 4)


@pytest.mark.usefixtures("database")
async def test_orders_are_what_they_are_called() -> None:
    await some_people()

    by = {sort: await every_page(PeopleFilters(sort=sort), 4) for sort in user_statements.SORTS}

    assert [row.id for row in by["newest"]] == sorted((row.id for row in by["newest"]), reverse=True)
    assert [row.email_key for row in by["email"]] == sorted(row.email_key for row in by["email"])
    names = [db.case_folded(row.name) for row in by["name"]]
    assert names.index("ann") + 1 == names.index("ann", names.index("ann") + 1)
    seen = [row.last_login for row in by["last_login"]]
    assert seen == sorted((each for each in seen if each), reverse=True) + [None] * seen.count(None)
    longest_ago = [row.last_login for row in by["last_login_asc"]]
    assert longest_ago == sorted(each for each in seen if each) + [None] * seen.count(None)
    for one, other in (("newest", "oldest"), ("name", "name_desc"), ("email", "email_desc")):
        assert [row.id for row in by[one]] == [row.id for row in by[other]][::-1]


@pytest.mark.usefixtures("database")
async def test_cursor_of_somebody_who_is_gone_begins_again() -> None:
    await some_people()
    first = await users.listing(PeopleFilters(), 3)
    await db.execute(sa.delete(user_rows).where(user_rows.c.id == first.items[-1].id))

    again = await users.listing(PeopleFilters(cursor=first.next_cursor), 3)

    assert again.items[0].id == first.items[0].id


@pytest.mark.usefixtures("database")
async def test_pages_of_the_audit_log_have_each_event_once() -> None:
    one, two = await make_user(), await make_user()
    for _ in range(5):
        await events.record(events.LOGIN, user_id=one.id, actor_id=one.id)
        await events.record(events.USER_DEACTIVATED, user_id=two.id, actor_id=one.id)
        await events.record(events.LOGIN_FAILED, user_id=one.id)
    seen, cursor = [], ""
    while True:
        page = await audit_log.listing(AuditFilters(person=str(one.id), cursor=cursor), 4)
        seen += [row.id for row in page.items]
        if not page.next_cursor:
            break
        cursor = page.next_cursor

    assert len(seen) == 15
    assert seen == sorted(set(seen), reverse=True)


PLACES = [
    "/admin/users", "/admin/users?q=ann", "/admin/users?q=ann+example&sort=name&role=user",
    "/admin/users?sort=last_login&status=active", "/admin/users?sort=email&q=ann&cursor={user}",
    "/admin/users?sort=last_login&cursor={user}&role=admin&status=deactivated", "/admin/users?verified=no&sort=name",
    "/admin/users?sort=last_login_asc&before={user}", "/admin/users?before={user}&sort=name&q=ann&size=25",
    "/admin/audit?before={event}&event=login", "/admin/users?verified=yes&q=ann", "/admin/users/{user}",
    "/admin/users/{user}/sessions/{session}",
    "/admin/users/pending", "/admin/audit", "/admin/audit?person={user}&event=login&ip=192.0.2.7&since=2026-01-01",
    "/admin/audit?person=ann@example.com&until=2030-01-01", "/admin/audit?event=login&cursor={event}",
    "/admin/audit?ip=192.0.2.7&event=login", "/admin", "/admin/mail", "/api/admin/users?q=ann&cursor={user}",
    "/api/admin/users/{user}/sessions", "/api/admin/audit?person=ann@example.com&event=login&cursor={event}",
]  # fmt: skip


async def address(place: str) -> str:
    person = await make_user(name="Ann", email="ann@example.com")
    await events.record(events.LOGIN, user_id=person.id, actor_id=person.id)
    event = await db.fetch_value(sa.select(event_rows.c.id).limit(1))
    session = forge.claims((await start_session(person)).access_token)["sid"]
    return place.format(user=person.id, event=event, session=session)


@pytest.mark.parametrize("place", PLACES)
async def test_page_takes_four_queries_at_most(client: Visitor, place: str) -> None:
    await sign_in(client, await make_user(role="admin"))
    path = await address(place)
    await client.visit("/dashboard")  # checks in

    with sent() as run:
        answer = await client.visit(path)

    assert answer.status_code == 200
    # On the page of one person the cached session is read once more where the feed is not followed, as in this test.
    # On PostgreSQL a search stands in a transaction, for the setting that it is planned with.
    around = ("BEGIN", "SET LOCAL plan_cache_mode", "COMMIT")
    queries = [each for each in run if "sessions.generation" not in each.sql and not each.sql.startswith(around)]
    assert len(queries) <= 4, run


@pytest.mark.parametrize("place", PLACES)
async def test_every_statement_goes_along_an_index(client: Visitor, place: str, plans: list[Sent]) -> None:
    await sign_in(client, await make_user(role="admin"))
    path = await address(place)
    plans.clear()

    await client.visit(path)

    whole = [line for line in "\n".join(await explained(plans)).splitlines() if reads_everything(line)]
    assert whole == []


@pytest.mark.parametrize("place", ["/admin/users", "/admin/users/{user}", "/account/sessions"])
async def test_sessions_of_one_person_are_found_without_going_through_everybodys(
    client: Visitor, place: str, plans: list[Sent]
) -> None:
    """With 20,000 live sessions a page of people took fifty times as long: the index of live ones fitted as well."""
    await sign_in(client, await make_user(role="admin"))
    path = await address(place)
    plans.clear()

    await client.visit(path)

    plan = "\n".join(await explained(plans))
    assert "ix_sessions_user_id" in plan
    # PostgreSQL decides by its statistics, and of a few rows it may well take both and compare.
    assert databases.POSTGRESQL or "ix_sessions_live" not in plan


@pytest.mark.skipif(databases.POSTGRESQL, reason="PostgreSQL decides by its statistics, and there are none of two rows")
@pytest.mark.parametrize("sort", user_statements.SORTS)
@pytest.mark.parametrize("cursor", ["", "&cursor={user}"])
async def test_search_that_few_people_fit_looks_at_them_alone(
    client: Visitor, sort: str, cursor: str, plans: list[Sent]
) -> None:
    """Along the order of the list, people called Zoë come after all others: thirty times as long as with 100."""
    await sign_in(client, await make_user(role="admin"))
    path = await address(f"/admin/users?q=ann+example&sort={sort}{cursor}")
    plans.clear()

    await client.visit(path)

    assert "ix_users_" not in "\n".join(await explained(plans))


@pytest.fixture
async def plans(client: Visitor) -> Any:
    """What runs from now on."""
    with sent() as seen:
        yield seen


async def explained(seen: list[Sent]) -> list[str]:
    """What the database is going to do. PostgreSQL reads small tables whole unless it is told that this costs a lot."""
    lines: list[str] = []

    async with db.database.engine.connect() as connection:  # type: ignore[union-attr]
        if databases.POSTGRESQL:
            await connection.exec_driver_sql("SET enable_seqscan = off")
        for statement, parameters in [one for one in seen if one.sql.lstrip("( ").startswith(("SELECT", "WITH"))]:
            word = "EXPLAIN " if databases.POSTGRESQL else "EXPLAIN QUERY PLAN "
            rows = await connection.exec_driver_sql(word + statement, parameters)
            lines += [str(row[-1]) for row in rows]
        if databases.POSTGRESQL:
            await connection.exec_driver_sql("RESET enable_seqscan")
    assert lines
    return lines


TABLES = ("users", "audit_events", "sessions", "letters", "mail_links", "user_words")


def reads_everything(line: str) -> bool:
    if databases.POSTGRESQL:
        return "Seq Scan on" in line
    return any(line.startswith(f"SCAN {table}") for table in TABLES) and "INDEX" not in line


@pytest.mark.usefixtures("database")
@pytest.mark.skipif(not databases.POSTGRESQL, reason="SQLite plans a statement once, and knows no values then")
@pytest.mark.usefixtures("database")
async def test_search_is_planned_for_what_is_searched_every_time() -> None:
    """From the sixth run on PostgreSQL would take one plan for any words, 20 times as slow for some of them."""
    for _ in range(10):
        await users.listing(PeopleFilters(q="ann", sort="name"))

    plans = sa.text(
        "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE statement LIKE 'SELECT page.%'"
    )
    assert [tuple(row) for row in await db.fetch_all(plans)] == [(10, 0)]


@pytest.mark.usefixtures("database")
async def test_list_is_built_once_for_all_values_of_its_filters() -> None:
    user_statements.page.cache_clear()
    audit_log._page.cache_clear()
    for number, word in enumerate(("ann", "bob", "zoe")):
        await users.listing(PeopleFilters(q=word))
        await audit_log.listing(AuditFilters(ip=f"192.0.2.{number}", event=events.LOGIN))

    assert user_statements.page.cache_info().misses == 1
    assert audit_log._page.cache_info().misses == 1


async def test_search_of_the_plan_finds_a_table_that_is_read_whole(plans: list[Sent], client: Visitor) -> None:
    """Or the test above could not fail."""
    await make_user()
    plans.clear()
    await db.fetch_all(sa.select(user_rows).where(user_rows.c.name.contains("x")).order_by(user_rows.c.name))

    assert [line for line in await explained(plans) if reads_everything(line)]


async def test_numbers_are_bounded(monkeypatch: pytest.MonkeyPatch, client: Visitor) -> None:
    await sign_in(client, await make_user(role="admin"))
    for _ in range(4):
        await make_user()
    monkeypatch.setattr(overview, "MOST", 3)

    page = (await client.visit("/admin")).text

    assert "3+</span>" in page
    assert "5</span>" not in page


def test_query_that_names_nonsense_is_left_out_and_told() -> None:
    asked = read({"role": "root", "sort": "password", "cursor": "1", "q": "  ann ", "x": "y"}, PeopleFilters)

    assert asked.data == PeopleFilters(q="ann")
    assert set(asked.errors) == {"role", "sort", "cursor"}
