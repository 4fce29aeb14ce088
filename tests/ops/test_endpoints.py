"""What machines ask: is it alive, may visitors come, how is it doing."""

from collections.abc import Iterator

import pytest

from app import db
from app.auth.sessions import session_cache
from app.email import outbox
from app.ops import readiness
from app.settings import get_settings
from tests.support.people import PASSWORD, make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

TOKEN = "a token for the monitoring, 32 bytes or more"
READER = {"Authorization": f"Bearer {TOKEN}", "Host": "10.1.2.3:8000"}


@pytest.fixture(autouse=True)
async def feed_is_read(database: str) -> None:
    readiness.clear()
    await session_cache.read_invalidations()


@pytest.fixture
def token() -> Iterator[str]:
    settings = get_settings()
    settings.metrics_token = TOKEN
    yield TOKEN
    settings.metrics_token = ""


async def test_process_that_answers_is_alive(client: Visitor) -> None:
    answer = await client.get("/healthz", headers={"Host": "10.1.2.3"})

    assert (answer.status_code, answer.text) == (200, "ok")


async def test_process_with_everything_in_place_is_ready(client: Visitor) -> None:
    answer = await client.get("/readyz", headers={"Host": "10.1.2.3"})

    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": {"database": "ok", "migrations": "ok", "feed": "ok"}}


async def test_feed_that_is_not_heard_keeps_visitors_away(client: Visitor) -> None:
    session_cache.clear()

    answer = await client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "ok", "migrations": "ok", "feed": "failing"}


async def test_migration_that_has_not_run_keeps_visitors_away(client: Visitor) -> None:
    (newest, before, *_) = db.known()
    await set_revision(before)
    try:
        answer = await client.get("/readyz")
    finally:
        await set_revision(newest)

    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"] == "failing"


async def test_database_ahead_of_the_code_is_the_middle_of_an_upgrade(client: Visitor) -> None:
    await set_revision("9999")
    try:
        answer = await client.get("/readyz")
    finally:
        await set_revision(db.known()[0])

    assert answer.status_code == 200


async def test_database_that_does_not_answer_keeps_visitors_away(
    client: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> bool:
        raise db.Unavailable("away")

    monkeypatch.setattr(db, "needs_migration", away)

    answer = await client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "failing"
    assert "away" not in answer.text


async def test_database_that_takes_no_writes_keeps_visitors_away(
    client: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica, where nobody could sign in or out; tests/ops/test_failover.py has a real one."""

    async def replica() -> bool:
        return False

    monkeypatch.setattr(db, "is_writable", replica)

    answer = await client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "failing", "migrations": "ok", "feed": "ok"}


async def test_answer_is_kept_for_a_second(client: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fastest client costs one query a second."""
    asked = 0

    async def behind() -> bool:
        nonlocal asked
        asked += 1
        return False

    monkeypatch.setattr(db, "needs_migration", behind)

    for _ in range(5):
        await client.get("/readyz")

    assert asked == 1


async def test_without_a_token_in_the_settings_there_are_no_figures(client: Visitor) -> None:
    assert (await client.get("/metrics", headers=READER)).status_code == 404


# v5.0.0-13.4.5
@pytest.mark.parametrize(
    "sent", ["", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer ", "Bearer \u00e9"]
)
@pytest.mark.usefixtures("token")
async def test_client_without_the_token_gets_401(client: Visitor, sent: str) -> None:
    answer = await client.get("/metrics", headers={"Authorization": sent.encode()})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "lanyard_" not in answer.text


@pytest.mark.usefixtures("token")
async def test_admin_is_no_monitoring(client: Visitor) -> None:
    await sign_in(client, await make_user(role="admin"))

    assert (await client.call("GET", "/metrics")).status_code == 401


@pytest.mark.usefixtures("token")
async def test_what_happened_is_counted(client: Visitor) -> None:
    person = await make_user()
    before = await figures(client)

    await client.call("POST", "/api/auth/login", json={"email": person.email, "password": "wrong and long enough"})
    pair = (await client.call("POST", "/api/auth/login", json={"email": person.email, "password": PASSWORD})).json()
    for _ in range(3):
        await client.call("POST", "/api/auth/refresh", json={"refresh_token": pair["refresh_token"]})
    await client.get("/nothing/here")
    async with db.transaction() as tx:
        await outbox.enqueue(tx, "nothing", recipient=person.email)

    after = await figures(client)

    def more(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    login = 'lanyard_request_seconds_count{method="POST",route="/api/auth/login",status="%d"}'
    assert (more(login % 401), more(login % 200)) == (1, 1)
    assert more('lanyard_request_seconds_count{method="GET",route="",status="404"}') == 1
    assert more('lanyard_events_total{event="login_failed"}') == 1
    assert more('lanyard_events_total{event="login"}') == 1
    assert more('lanyard_refresh_decisions_total{decision="rotate"}') == 1
    assert more('lanyard_refresh_decisions_total{decision="replay"}') == 2
    assert (more("lanyard_outbox_emails"), more("lanyard_undeliverable_emails")) == (1, 0)
    assert after["lanyard_pool_connections"] == 0
    assert not [name for name in after if person.email in name]


@pytest.mark.usefixtures("token")
async def test_made_up_methods_make_no_series(client: Visitor) -> None:
    for method in ("BREW", "PROPFIND"):
        await client.request(method, "/")

    assert not [name for name in await figures(client) if "BREW" in name or "PROPFIND" in name]


async def figures(client: Visitor) -> dict[str, float]:
    """Name with labels -> value."""
    answer = await client.get("/metrics", headers=READER)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = [line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


async def set_revision(revision: str) -> None:
    from sqlalchemy import text

    await db.execute(text("UPDATE alembic_version SET version_num = :to").bindparams(to=revision))
