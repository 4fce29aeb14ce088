"""Old refresh tokens: one from an attacker, and two from honest browsers."""

import asyncio

from app.auth.sessions import rotation, rotation_policy
from app.learn.lab import sources
from app.learn.lab.attacks.script import Outcome, generation, me, refresh, refresh_token, statuses
from app.learn.lab.sandbox import Sandbox


async def stale_refresh(sandbox: Sandbox) -> Outcome:
    first = sandbox.pair.refresh_token
    second = await refresh(sandbox, "The owner refreshes.", first)
    await me(sandbox, "The owner uses the new access token.", second)
    third = await refresh(sandbox, "The owner refreshes again.", refresh_token(second))
    lives = await me(sandbox, "The newest access token works.", third)
    replay = await refresh(sandbox, "The attacker presents a copy of the first refresh token.", first)
    owner = await me(sandbox, "The owner's newest access token no longer works.", third)
    newest = await refresh(sandbox, "Nor does the owner's newest refresh token.", refresh_token(third))
    return Outcome(
        statuses(lives, replay, owner, newest) == [200, 401, 401, 401],
        "The reuse is detected. The server cannot tell the attacker from the owner, so it ends the session for both.",
        [
            sources.find(rotation_policy.decide, "g < session.generation - 1"),
            sources.find(rotation.rotate, "_revoke_reused"),
        ],
    )


async def two_tabs(sandbox: Sandbox) -> Outcome:
    token = sandbox.pair.refresh_token
    one, other = await asyncio.gather(
        refresh(sandbox, "The first tab refreshes.", token),
        refresh(sandbox, "The second tab refreshes at the same moment.", token),
    )
    works = [
        await me(sandbox, "The first tab uses its new token.", one),
        await me(sandbox, "The second tab uses its new token.", other),
    ]
    return Outcome(
        statuses(one, other, *works) == [200] * 4 and generation(one) == generation(other) == 2,
        "This is not an attack, and the server does not treat it as one: both tabs get the same next generation.",
        [
            sources.find(rotation._issue_successor, '"expected": row.generation'),
            sources.find(rotation_policy.decide, "session.confirmed < session.generation"),
        ],
    )


async def lost_answer(sandbox: Sandbox) -> Outcome:
    token = sandbox.pair.refresh_token
    lost = await refresh(sandbox, "The refresh succeeds, but assume that the response never arrives.", token)
    again = await refresh(sandbox, "The browser presents the old token again.", token)
    works = await me(sandbox, "The access token that it gets now works.", again)
    return Outcome(
        statuses(lost, again, works) == [200] * 3 and generation(lost) == generation(again) == 2,
        "This is not an attack either: as long as nobody has used the successor, the server issues it again, without a "
        "time limit.",
        [sources.find(rotation_policy.decide, "session.confirmed < session.generation")],
    )
