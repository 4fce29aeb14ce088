"""The responses in the chapters: recorded from the real application, written by `make docs`, and compared by a test.

Values that differ in each run, such as tokens, ids and the server's secret, are replaced by their names.
"""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import jwt
import sqlalchemy as sa

from app import db
from app.audit.models import event_rows
from app.auth import cookies
from app.auth.accounts import user_admin
from app.auth.models import session_rows
from tests.learn import stories
from tests.support import forge, mailbox
from tests.support.environment import ORIGIN
from tests.support.people import PASSWORD, Person, make_user, sign_in
from tests.support.sent import bearer
from tests.support.visitor import Visitor

TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
MARKER = re.compile(r"again=\d+\.[\w-]+")
DEVICE = re.compile(r"__Host-device=[\w.-]+")
SENT = ("authorization", "cookie", "sec-fetch-site", "origin", "content-type", "x-refresh-retry")
ANSWERED = ("location", "set-cookie", "www-authenticate", "retry-after", "clear-site-data")
HEADERS = {"www-authenticate": "WWW-Authenticate"}

Recorder = Callable[["Site"], Awaitable[str]]
_recorders: dict[str, Recorder] = {}


def output(name: str) -> Callable[[Recorder], Recorder]:
    def keep(recorder: Recorder) -> Recorder:
        _recorders[name] = recorder
        return recorder

    return keep


class Site:
    """The application in this process, with its database connected, and Robin."""

    def __init__(self, app: Any, robin: Person) -> None:
        self.app, self.robin = app, robin

    def visitor(self) -> Visitor:
        return Visitor(self.app)

    def program(self) -> httpx.AsyncClient:
        """A client that is not a browser: it sends only the given headers."""
        transport = httpx.ASGITransport(app=self.app, client=("127.0.0.1", 50000))
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN)

    async def signed_in(self) -> Visitor:
        visitor = self.visitor()
        await sign_in(visitor, self.robin)
        return visitor


async def record(app: Any) -> dict[str, str]:
    """Every output by its name. Needs a connected, empty database."""
    site = Site(app, await make_user(email="robin@example.com", name="Robin Example"))
    said = {name: named(await recorder(site)).strip() for name, recorder in _recorders.items()}
    return said | await stories.record(app)


def exchange(answer: httpx.Response) -> str:
    """One request and its response, with the headers that the chapters explain, without pages."""
    request = answer.request
    lines = [f"{request.method} {request.url.raw_path.decode()}"]
    lines += [f"{name.title()}: {value}" for name, value in request.headers.items() if name in SENT]
    if request.content:
        lines += ["", request.content.decode()]
    lines += ["", f"{answer.status_code} {answer.reason_phrase}"]
    told = [(name, value) for name, value in answer.headers.multi_items() if name in ANSWERED]
    told.sort(key=lambda header: ANSWERED.index(header[0]))  # the framework sends them in any order
    lines += [f"{HEADERS.get(name, name.title())}: {value}" for name, value in told]
    if "json" in answer.headers.get("content-type", ""):
        body = {name: value for name, value in answer.json().items() if name != "request_id"}
        lines += ["", json.dumps(body, indent=2)]
    return "\n".join(lines)


def exchanges(*answers: httpx.Response) -> str:
    return "\n\n\n".join(map(exchange, answers))


def named(text: str) -> str:
    """The text with values that differ in each run replaced by their names."""
    text = TOKEN.sub(lambda found: f"<{forge.claims(found[0])['token_type']} token>", text)
    text = DEVICE.sub("__Host-device=<random bits and our MAC>", text)
    return MARKER.sub("again=<marker>", ID.sub("<id>", text)).replace("https://testserver", "https://app.example.com")


@output("token-parts")
async def token_parts(site: Site) -> str:
    pair = await sign_in(site.visitor(), site.robin)
    said = []
    for raw in (pair.access_token, pair.refresh_token):
        header = jwt.get_unverified_header(raw) | {"kid": "<name of the key>"}
        claims = forge.claims(raw)
        claims |= {"exp": f"<iat + {claims['exp'] - claims['iat']} seconds>"}
        claims |= {name: f"<{name}>" for name in ("iat", "auth_time") if name in claims}
        claims |= {"sub": "<user id>", "sid": "<session id>", "jti": f"<{len(claims['jti'])} characters>"}
        said.append(f"header:  {json.dumps(header)}\npayload: {json.dumps(claims, indent=2)}\nsignature: 32 bytes")
        assert len(raw.rpartition(".")[2]) == 43  # 32 bytes in base64url
    return "\n\n".join(said)


@output("login")
async def login(site: Site) -> str:
    fields = {"email": site.robin.email, "password": PASSWORD, "next": "/dashboard"}
    return exchange(await site.visitor().submit("/login", fields))


@output("login-wrong")
async def login_wrong(site: Site) -> str:
    answers = [
        await site.program().post("/api/auth/login", json={"email": email, "password": "not the right one"})
        for email in ("nobody@example.com", site.robin.email)
    ]
    return exchanges(*answers)


@output("guessing")
async def guessing(site: Site) -> str:
    program, victim = site.program(), await make_user(email="victim@example.com")
    for _ in range(11):
        answer = await program.post("/api/auth/login", json={"email": victim.email, "password": "a guess"})
    assert 0 < int(answer.headers["retry-after"]) <= 300
    said = re.sub(r"in \d minutes", "in 5 minutes", exchange(answer))
    return re.sub(r"Retry-After: \d+", "Retry-After: 300", said)


@output("anonymous")
async def anonymous(site: Site) -> str:
    return exchanges(await site.visitor().visit("/dashboard?from=mail"), await site.program().get("/api/auth/me"))


@output("resume")
async def resume(site: Site) -> str:
    """The access token has expired; a browser drops the cookie then."""
    visitor = await site.signed_in()
    visitor.drop_cookie(cookies.access_name())
    asked = await visitor.visit("/dashboard")
    return exchanges(asked, await visitor.visit(asked.headers["location"], site="same-origin"))


# notes:
@output("resume-form")
async def resume_form(site: Site) -> str:
    visitor = await site.signed_in()
    visitor.drop_cookie(cookies.access_name())
    fields = {"title": "Door codes", "body": "Front: 1234"}
    answers = [await visitor.submit("/notes", fields)]
    for _ in range(2):
        answers.append(await visitor.submit(answers[-1].headers["location"], fields))
    return exchanges(*answers)


# /notes
@output("bearer")
async def with_bearer(site: Site) -> str:
    program = site.program()
    pair = await sign_in(site.visitor(), site.robin)
    good = await program.get("/api/auth/me", headers=bearer(pair))
    wrong_kind = {"Authorization": f"Bearer {pair.refresh_token}"}
    return exchanges(good, await program.get("/api/auth/me", headers=wrong_kind))


@output("api-pair")
async def api_pair(site: Site) -> str:
    program = site.program()
    body = {"email": site.robin.email, "password": PASSWORD}
    pair = await program.post("/api/auth/login", json=body)
    token = {"refresh_token": pair.json()["refresh_token"]}
    return exchanges(pair, await program.post("/api/auth/refresh", json=token))


@output("reuse")
async def reuse(site: Site) -> str:
    """Three generations; then the first token is presented again, and the newest no longer works."""
    program = site.program()
    first = await sign_in(site.visitor(), site.robin)
    held = [first.refresh_token]
    for _ in range(2):
        answer = await program.post("/api/auth/refresh", json={"refresh_token": held[-1]})
        held.append(answer.json()["refresh_token"])
    stale = await program.post("/api/auth/refresh", json={"refresh_token": held[0]})
    newest = await program.post("/api/auth/refresh", json={"refresh_token": held[-1]})
    return exchanges(stale, newest).replace(held[0], "<generation 1>").replace(held[-1], "<generation 3>")


@output("two-tabs")
async def two_tabs(site: Site) -> str:
    program = site.program()
    pair = await sign_in(site.visitor(), site.robin)
    said = []
    for tab in ("the first tab ", "the second tab"):
        answer = await program.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token})
        said.append(f"{tab}: {answer.status_code}, generation {forge.claims(answer.json()['refresh_token'])['gen']}")
    return "\n".join(said)


@output("deactivated")
async def deactivated(site: Site) -> str:
    person, admin = await make_user(), await make_user(role="admin")
    program = site.program()
    pair = await sign_in(site.visitor(), person)
    before = await program.get("/api/auth/me", headers=bearer(pair))
    await user_admin.change(person.id, admin.id, is_active=False)
    after = await program.get("/api/auth/me", headers=bearer(pair))
    return (
        f"before: {before.status_code}\n-- an administrator deactivates the account --\nafter:  {after.status_code}\n"
        f"WWW-Authenticate: {after.headers['www-authenticate']}"
    )


@output("audit-log")
async def audit_log(site: Site) -> str:
    """The audit log after a copied refresh token is presented."""
    program, person = site.program(), await make_user()
    pair = (await program.post("/api/auth/login", json={"email": person.email, "password": PASSWORD})).json()
    second = (await program.post("/api/auth/refresh", json={"refresh_token": pair["refresh_token"]})).json()
    await program.post("/api/auth/refresh", json={"refresh_token": second["refresh_token"]})
    await program.post("/api/auth/refresh", json={"refresh_token": pair["refresh_token"]})
    mine = sa.select(event_rows).where(event_rows.c.user_id == person.id).order_by(event_rows.c.id)
    return "\n".join(f"{row.event:<18}{row.detail}".rstrip() for row in await db.fetch_all(mine))


@output("row")
async def row(site: Site) -> str:
    pair = await sign_in(site.visitor(), site.robin)
    sid = UUID(forge.claims(pair.access_token)["sid"])
    found = await db.fetch_one(sa.select(session_rows).where(session_rows.c.id == sid))
    said = {name: "<now>" if value == found.created_at else value for name, value in found._mapping.items()}
    said |= {"id": "<session id>", "user_id": "<user id>", "secret": f"<{len(found.secret)} hex digits>"}
    said["ends_at"] = f"<now + {(found.ends_at - found.created_at).days} days>"
    return "\n".join(f"{name:<17} {value}".rstrip() for name, value in said.items())


@output("register")
async def register(site: Site) -> str:
    """Sign-up with a free and with a taken address, and the e-mails that arrive."""
    addresses = ("sam@example.com", site.robin.email)
    form = {"name": "Sam Example", "password": "seven wooden pegs in a row"}
    said = [exchange(await site.visitor().submit("/register", form | {"email": email})) for email in addresses]
    for email in addresses:
        said.append(f"e-mail to {email}: {(await mailbox.emails_to(email))[-1].subject}")
    return "\n\n\n".join(said)


@output("new-address")
async def new_address(site: Site) -> str:
    """The request, and the e-mails that arrive in each mailbox."""
    person, visitor, new = await make_user(email="old@example.com"), site.visitor(), "new@example.com"
    await sign_in(visitor, person)
    said = [exchange(await visitor.submit("/account/email", {"email": new, "current_password": PASSWORD}))]
    for email in (new, person.email):
        said += [f"e-mail to {email}: {each.subject}" for each in await mailbox.emails_to(email)]
    return "\n\n\n".join(said)
