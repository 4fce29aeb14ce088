"""Requests of another site, of an injected script, and of a client that sends more than the form has."""

from typing import Any
from urllib.parse import quote

from app.auth import api, cookies
from app.auth.tokens import TokenPair
from app.learn.lab import sources
from app.learn.lab.attacks.script import ELSEWHERE, ME, REFRESH, Outcome, about, statuses
from app.learn.lab.http_exchange import Answer
from app.learn.lab.sandbox import Sandbox
from app.web import forms, framework_patches, same_origin, urls

HTML = "text/html"
LURES = ("//evil.example", "/\\evil.example", "https://evil.example/", "/%2F/evil.example", "/\t/evil.example")


async def cross_site_post(sandbox: Sandbox) -> Outcome:
    async def post(note: str, **headers: str) -> Answer:
        return await sandbox.request(note, "POST", "/logout", jar=sandbox.pair, form={}, accept=HTML, **headers)

    posts = [
        await post("A form on another site.", sec_fetch_site="cross-site", origin=ELSEWHERE),
        await post("A form on another subdomain of the same site.", sec_fetch_site="same-site"),
        await post("A form in a sandboxed frame (Origin: null).", sec_fetch_site="cross-site", origin="null"),
    ]
    after = await sandbox.request("The user is still signed in.", "GET", ME, jar=sandbox.pair)
    return Outcome(
        statuses(*posts, after) == [403, 403, 403, 200],
        "The same-origin check refuses each request, although the script sends the cookies. From another site, a "
        "browser would not even send them: they are SameSite=Strict.",
        [sources.find(same_origin.allowed, "TRUSTED_SITES")],
    )


async def script_reads_cookies(sandbox: Sandbox) -> Outcome:
    only_refresh = TokenPair("", sandbox.pair.refresh_token, 0, 0)
    answer = await sandbox.request(
        "A script of the page refreshes; the response sets both cookies.", "POST", REFRESH, jar=only_refresh
    )
    sent = [value.lower() for name, value in answer.headers if name.lower() == "set-cookie"]
    hidden = len(sent) == 2 and all("httponly" in one and "samesite=strict" in one for one in sent)
    return Outcome(
        answer.status == 200 and hidden and set(answer.json()) == {"token_type", "expires_in"},
        "The cookies are HttpOnly: the browser sends them, but no script can read them. The body has no token either.",
        [sources.find(cookies._set, "httponly=True"), sources.find(api.refresh, '"expires_in": outcome')],
    )


async def open_redirect(sandbox: Sandbox) -> Outcome:
    async def log_in(note: str, to: str) -> Answer:
        return await sandbox.request(note, "GET", f"/login?next={quote(to, safe='')}", jar=sandbox.pair, accept=HTML)

    good = await log_in("For comparison: a page of this site.", "/learn/lab")
    lured = [await log_in(f"next is {lure!r}.", lure) for lure in LURES]
    sent_to = {(answer.status, answer.header("location")) for answer in lured}
    return Outcome(
        good.header("location") == "/learn/lab" and sent_to == {(303, "/dashboard")},
        "The login page redirects a signed-in user to next if that is a page of this site, and to the dashboard "
        "otherwise.",
        [sources.find(urls._local, "_LOCAL.fullmatch"), sources.find(urls._local, "_PLAIN.fullmatch")],
    )


async def mass_assignment(sandbox: Sandbox) -> Outcome:
    extra = {"role": "admin", "is_admin": "true", "user_id": "1"}
    token = {"refresh_token": sandbox.pair.refresh_token}
    json = await sandbox.request("JSON with additional fields.", "POST", REFRESH, body=token | extra)
    name = {"name": "Temporary account"} | extra
    profile = await sandbox.request(
        "The form for the user's own name, with additional fields.",
        "POST",
        "/account",
        jar=sandbox.pair,
        form=name,
        accept=HTML,
    )
    fields = {"password": sandbox.person.password} | extra
    form = await sandbox.request(
        "The form for the password, with additional fields.", "POST", "/step-up", jar=sandbox.pair, form=fields,
        accept=HTML,
    )  # fmt: skip
    after = await sandbox.request("The role and the id are unchanged.", "GET", ME, jar=pair_of(form))
    return Outcome(
        statuses(json, profile, form, after) == [422, 303, 303, 200]
        and about(after) == ("user", str(sandbox.person.id)),
        "The server refuses JSON that has an unknown field and ignores unknown fields of a form: it reads only the "
        "fields of the model.",
        [sources.find(api.RefreshRequest, 'extra="forbid"'), sources.find(forms.parse, "model.model_fields")],
    )


async def body_over_arguments(sandbox: Sandbox) -> Outcome:
    evil: dict[str, Any] = {"request": {"user": {"role": "admin", "id": 1}}, "user_id": 1, "role": "admin"}
    token = sandbox.pair.access_token
    answer = await sandbox.request(
        "This handler has an argument named request.", "GET", "/api/protected", token=token, body=evil
    )
    nested = {"data": {"refresh_token": sandbox.pair.refresh_token}}
    inner = await sandbox.request("This handler has an argument named data.", "POST", REFRESH, body=nested)
    return Outcome(
        statuses(answer, inner) == [200, 422] and about(answer) == ("user", str(sandbox.person.id)),
        "The body sets only the one argument that is declared for it. The server sets all others.",
        [sources.find(framework_patches._get_request_data, "return {name: value}")],
    )


def pair_of(answer: Answer) -> TokenPair:
    """The tokens in the cookies that a response sets. Errors: KeyError if it sets none."""
    sent = [value.partition(";")[0] for name, value in answer.headers if name.lower() == "set-cookie"]
    jar = dict(one.split("=", 1) for one in sent)
    return TokenPair(jar[cookies.access_name()], jar[cookies.refresh_name()], 0, 0)
