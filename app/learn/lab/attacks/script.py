"""What the attack scripts share: the class of their results, and requests that several of them send."""

from dataclasses import dataclass, field
from typing import Any

from app import db
from app.learn.lab import forge, trace
from app.learn.lab.http_exchange import Answer
from app.learn.lab.sandbox import Sandbox
from app.learn.lab.sources import Place

ME, REFRESH = "/api/auth/me", "/api/auth/refresh"
ELSEWHERE = "https://evil.example"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`held`: the defence worked. `checks`: the source lines that decided. `forged`: the forged tokens, decoded."""

    held: bool
    sentence: str
    checks: list[Place]
    forged: list[tuple[str, str, str]] = field(default_factory=list)  # description, header, payload


async def forged(sandbox: Sandbox, forgeries: list[tuple[str, str]], sentence: str) -> Outcome:
    """Send each token to a protected route, after the genuine token, which must be accepted."""
    genuine = await sandbox.request("For comparison: the genuine token.", "GET", ME, token=sandbox.pair.access_token)
    answers = [await sandbox.request(f"{what[0].upper()}{what[1:]}.", "GET", ME, token=raw) for what, raw in forgeries]
    found = [await trace.refused_by(raw, db.utcnow()) for _, raw in forgeries]
    places = [trace.place_of(check) for check in dict.fromkeys(found) if check]
    taken_apart = []
    for what, raw in forgeries:
        header, payload = forge.parts(raw)
        taken_apart.append((what, forge.pretty(header), forge.pretty(payload)))
    held = genuine.status == 200 and all(
        answer.status == 401 and answer.header("www-authenticate").startswith("Bearer") for answer in answers
    )
    return Outcome(held, sentence, places, taken_apart)


async def refresh(sandbox: Sandbox, note: str, token: str) -> Answer:
    return await sandbox.request(note, "POST", REFRESH, body={"refresh_token": token})


async def me(sandbox: Sandbox, note: str, response: Answer) -> Answer:
    """Use the access token in the response of a refresh. Errors: KeyError if there is none."""
    return await sandbox.request(note, "GET", ME, token=response.json()["access_token"])


def generation(response: Answer) -> int:
    _, claims = forge.parts(response.json()["access_token"])
    return int(claims["gen"])


def refresh_token(response: Answer) -> str:
    return str(response.json()["refresh_token"])


def statuses(*answers: Answer) -> list[int]:
    return [answer.status for answer in answers]


def about(answer: Answer) -> tuple[Any, Any]:
    """Role and id in the response of /api/auth/me."""
    said = answer.json()
    return said["role"], said["user_id"]
