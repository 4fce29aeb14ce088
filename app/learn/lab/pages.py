"""The pages of the lab. All of them work without JavaScript; static/lab.js only updates countdowns and sliders."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import sqlalchemy as sa
from lilya.responses import RedirectResponse
from pydantic import BaseModel
from ravyn import Request, get, post

from app import db
from app.audit import queries, session_history
from app.auth import permissions
from app.auth.models import session_rows
from app.auth.permissions import Developer
from app.auth.sessions import rotation_policy
from app.learn.lab import (
    attacks,
    claims,
    http_exchange,
    inspector,
    samples,
    sandbox,
    scenario_language,
    scenarios,
    simulation,
    sources,
    transcripts,
)
from app.learn.lab.endpoint_reader import reader
from app.learn.lab.scenario_language import ScriptError
from app.web import forms, templates
from app.web.errors import Problem
from app.web.forms import Line, Lines

MACHINE = "/learn/lab/time-machine"
NOT_AN_OBJECT = "Enter a JSON object."


class EditForm(BaseModel):
    header: Annotated[str, Lines(1, 2000)]
    payload: Annotated[str, Lines(1, 4000)]
    way: Literal["kept", "wrong", "leaked"]


class Prediction(BaseModel):
    """What the reader expects of an attack before it runs; "" without an opinion."""

    expected: Literal["", "held", "broken"] = ""


class MintForm(BaseModel):
    sub: Annotated[str, Line(1, 80)]
    email: Annotated[str, Line(0, 254)] = ""
    role: Annotated[str, Line(0, 40)] = ""


@get()
async def index(request: Request) -> Any:
    return templates.page(request, "learn/lab/index.html", attacks=len(attacks.ALL))


@get()
async def inspect(request: Request) -> Any:
    return await _inspector(request)


@post(status_code=200)
async def edit(request: Request) -> Any:
    """All checks for an edited token; the page never shows the token itself."""
    if reader(request) is None:
        return await _inspector(request)
    form = await forms.parse(request, EditForm)
    if form.data is None:
        return await _inspector(request, 422, edited=form.values, errors=form.errors)
    try:
        steps = await inspector.edited_trace(
            request.scope, form.data.header, form.data.payload, form.data.way, db.utcnow()
        )
    except inspector.NotAnObject as error:
        return await _inspector(request, 422, edited=form.values, errors={error.field: NOT_AN_OBJECT})
    return await _inspector(request, edited=form.values, decision=steps)


@post(status_code=200)
async def mint(request: Request) -> Any:
    form = await forms.parse(request, MintForm)
    if form.data is None:
        return await _inspector(request, 422, sample=form.values, sample_errors=form.errors)
    minted = await samples.mint(form.data.sub, form.data.email, form.data.role, db.utcnow())
    return await _inspector(request, sample=form.values, minted=minted)


@get()
async def own_history(request: Request) -> Any:
    user = reader(request)
    if user is None:
        return templates.page(request, "learn/lab/family.html", picture=None)
    row = await db.fetch_one(sa.select(session_rows).where(session_rows.c.id == user.sid))
    happened = session_history.of_session(row, await queries.of_session(user.id, user.sid))
    return templates.page(request, "learn/lab/family.html", picture=session_history.picture(happened), row=row._mapping)


@get()
async def all_attacks(request: Request) -> Any:
    return templates.page(request, "learn/lab/attacks.html", attacks=attacks.ALL)


@get()
async def attack(request: Request) -> Any:
    return _attack(request, _selected(request))


@post(status_code=200)
async def run_attack(request: Request) -> Any:
    selected, form = _selected(request), await forms.parse(request, Prediction)
    async with sandbox.temporary(http_exchange.in_this_process(request.scope)) as made:
        outcome = await attacks.run(selected, made)
    return _attack(request, selected, outcome, made.exchanges, form.data.expected if form.data else "")


@get()
async def time_machine(request: Request) -> Any:
    """Show the simulation. A new move redirects to an address that contains all moves and can be shared as a link.

    `pressed`: the button that gets the focus again. No fragment: with one, browsers ignore `autofocus`.
    """
    query = request.query_params
    moves = simulation.read(query.get("moves", ""))
    loss, wait = _number(query.get("loss"), 0, 90, 0), _number(query.get("wait"), 10, 1800, 60)
    if move := query.get("move", ""):
        moves = simulation.after(moves, f"w{wait}" if move == "w" else move)
        here = urlencode({"moves": "-".join(moves), "loss": loss, "wait": wait, "pressed": move})
        return RedirectResponse(f"{MACHINE}?{here}", status_code=303)
    script, results, error = query.get("script", ""), [], None
    if script:
        try:
            read = scenario_language.parse(script)
            moves, results = read.moves, scenario_language.check(read, loss)
        except ScriptError as wrong:
            error = wrong
    world = simulation.replay(moves, loss)
    return templates.page(
        request, "learn/lab/time_machine.html", 422 if error else 200, world=world,
        script=script[: scenario_language.LONGEST] or scenario_language.written(moves), results=results, error=error,
        language=scenario_language, moves=moves, loss=loss, wait=wait, scenarios=scenarios.ALL,
        pressed=query.get("pressed", ""),
        picture=simulation.picture(world), full=len(moves) >= simulation.MOST_MOVES,
        decide=sources.find(rotation_policy.decide, "def decide"),
    )  # fmt: skip


async def _inspector(request: Request, status: int = 200, **context: Any) -> Any:
    now, user = db.utcnow(), reader(request)
    shown: dict[str, Any] = {"access": None, "refresh": None, "steps": []}
    if user is not None and not user.bearer:
        row = await db.fetch_one(sa.select(session_rows).where(session_rows.c.id == user.sid))
        shown = {
            "access": inspector.access_token(request.scope),
            "refresh": inspector.refresh_token(row),
            "steps": await inspector.own_trace(request.scope, now),
        }
    context = {
        "edited": None, "errors": {}, "decision": [], "sample": None, "sample_errors": {}, "minted": None, **context
    }  # fmt: skip
    return templates.page(
        request, "learn/lab/inspector.html", status, now=now, distance=claims.distance, ways=inspector.WAYS,
        names=inspector.cookie_names(), explained=claims.explained, pretty=inspector.pretty, **shown, **context,
    )  # fmt: skip


def _attack(
    request: Request, selected: attacks.Attack, outcome: Any = None, exchanges: Any = (), expected: str = ""
) -> Any:
    at = attacks.ALL.index(selected)
    return templates.page(
        request, "learn/lab/attack.html", attack=selected, outcome=outcome, exchanges=list(exchanges),
        expected=expected, transcript=transcripts.first_of(selected.transcripts),
        following=attacks.ALL[(at + 1) % len(attacks.ALL)],
    )  # fmt: skip


def _selected(request: Request) -> attacks.Attack:
    found = attacks.find(request.path_params["name"])
    if found is None:
        raise Problem(404)
    return found


def _number(raw: str | None, least: int, most: int, default: int) -> int:
    """A whole number from a link, limited to its range."""
    text = raw or ""
    return max(least, min(most, int(text))) if text.isascii() and text.isdigit() and len(text) < 9 else default


route_patterns = [
    permissions.private("/learn/lab", index, Developer),
    permissions.private("/learn/lab/inspector", inspect, Developer),
    permissions.private("/learn/lab/inspector/edit", edit, Developer),
    permissions.private("/learn/lab/inspector/mint", mint, Developer),
    permissions.private("/learn/lab/family", own_history, Developer),
    permissions.private("/learn/lab/attacks", all_attacks, Developer),
    permissions.private("/learn/lab/attacks/{name}", attack, Developer),
    permissions.private("/learn/lab/attacks/{name}", run_attack, Developer),
    permissions.private(MACHINE, time_machine, Developer),
]
