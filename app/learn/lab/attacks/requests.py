"""Requests of another site, of an injected script, and of a client that sends more than the form has."""

from typing import Any
from urllib.parse import quote

from app.auth import api, cookies
from app.auth.tokens import TokenPair
from app.learn.lab import sources
from app.learn.lab.attacks.script import ELSEWHERE, ME, REFRESH, Outcome, about, statuses
from app.learn.lab.http_exchange import Answer
from app.learn.lab.sandbox import Bench
from app.web import forms, framework_patches, same_origin, urls

HTML = "text/html"
LURES = ("//evil.example", "/\\evil.example", "https://evil.example/", "/%2F/evil.example", "/\t/evil.example")


async def cross_site_post(bench: Bench) -> Outcome:
    async def post(note: str, **headers: str) -> Answer:
        return await bench.ask(note, "POST", "/logout", jar=bench.pair, form={}, accept=HTML, **headers)

    posts = [
        await post("A form on another site.", sec_fetch_site="cross-site", origin=ELSEWHERE),
        await post("A form on another subdomain of the same site.", sec_fetch_site="same-site"),
        await post("A form in a sandboxed frame (Origin: null).", sec_fetch_site="cross-site", origin="null"),
    ]
    after = await bench.ask("The user is still signed in.", "GET", ME, jar=bench.pair)
    return Outcome(
        statuses(*posts, after) == [403, 403, 403, 200],
        "The same-origin check refuses each request, although the script sends the cookies. From another site, a "
        "browser would not even send them: they are SameSite=Strict.",
        [sources.find(same_origin.allowed, "TRUSTED_SITES")],
    )


async def script_reads_cookies(bench: Bench) -> Outcome:
    only_refresh = TokenPair("", bench.pair.refresh_token, 0, 0)
    answer = await bench.ask(
        "A script of the page refreshes; the response sets both cookies.", "POST", REFRESH, jar=only_refresh
    )
    sent = [value.lower() for name, value in answer.headers if name.lower() == "set-cookie"]
    hidden = len(sent) == 2 and all("httponly" in one and "samesite=strict" in one for one in sent)
    return Outcome(
        answer.status == 200 and hidden and set(answer.json()) == {"token_type", "expires_in"},
        "The cookies are HttpOnly: the browser sends them, but no script can read them. The body has no token either.",
        [sources.find(cookies._set, "httponly=True"), sources.find(api.refresh, '"expires_in": outcome')],
    )


async def open_redirect(bench: Bench) -> Outcome:
    async def log_in(note: str, to: str) -> Answer:
        return await bench.ask(note, "GET", f"/login?next={quote(to, safe='')}", jar=bench.pair, accept=HTML)

    good = await log_in("For comparison: a page of this site.", "/learn/lab")
    lured = [await log_in(f"next is {lure!r}.", lure) for lure in LURES]
    sent_to = {(answer.status, answer.header("location")) for answer in lured}
    return Outcome(
        good.header("location") == "/learn/lab" and sent_to == {(303, "/dashboard")},
        "The login page redirects a signed-in user to next if that is a page of this site, and to the dashboard "
        "otherwise.",
        [sources.find(urls._local, "_LOCAL.fullmatch"), sources.find(urls._local, "_PLAIN.fullmatch")],
    )


async def mass_assignment(bench: Bench) -> Outcome:
    extra = {"role": "admin", "is_admin": "true", "user_id": "1"}
    token = {"refresh_token": bench.pair.refresh_token}
    json = await bench.ask("JSON with additional fields.", "POST", REFRESH, body=token | extra)
    name = {"name": "Throw-away"} | extra
    profile = await bench.ask(
        "The form for the user's own name, with additional fields.",
        "POST",
        "/account",
        jar=bench.pair,
        form=name,
        accept=HTML,
    )
    fields = {"password": bench.person.password} | extra
    form = await bench.ask(
        "The form for the password, with additional fields.", "POST", "/step-up", jar=bench.pair, form=fields,
        accept=HTML,
    )  # fmt: skip
    after = await bench.ask("The role and the id are unchanged.", "GET", ME, jar=_pair_of(form))
    return Outcome(
        statuses(json, profile, form, after) == [422, 303, 303, 200] and about(after) == ("user", str(bench.person.id)),
        "The server refuses JSON that has an unknown field and ignores unknown fields of a form: it reads only the "
        "fields of the model.",
        [sources.find(api.RefreshRequest, 'extra="forbid"'), sources.find(forms.parse, "model.model_fields")],
    )


async def body_over_arguments(bench: Bench) -> Outcome:
    evil: dict[str, Any] = {"request": {"user": {"role": "admin", "id": 1}}, "user_id": 1, "role": "admin"}
    token = bench.pair.access_token
    answer = await bench.ask(
        "This handler has an argument named request.", "GET", "/api/protected", token=token, body=evil
    )
    nested = {"data": {"refresh_token": bench.pair.refresh_token}}
    inner = await bench.ask("This handler has an argument named data.", "POST", REFRESH, body=nested)
    return Outcome(
        statuses(answer, inner) == [200, 422] and about(answer) == ("user", str(bench.person.id)),
        "The body sets only the one argument that is declared for it. The server sets all others.",
        [sources.find(framework_patches._get_request_data, "return {name: value}")],
    )


def _pair_of(answer: Answer) -> TokenPair:
    """The tokens in the cookies that a response sets. Errors: KeyError if it sets none."""
    sent = [value.partition(";")[0] for name, value in answer.headers if name.lower() == "set-cookie"]
    jar = dict(one.split("=", 1) for one in sent)
    return TokenPair(jar[cookies.access_name()], jar[cookies.refresh_name()], 0, 0)
