"""Old refresh tokens: one from a thief, and two from honest browsers."""

import asyncio

from app.auth.sessions import rotation, rotation_policy
from app.learn.lab import sources
from app.learn.lab.attacks.script import Outcome, generation, me, refresh_token, renew, statuses
from app.learn.lab.sandbox import Bench


async def stale_refresh(bench: Bench) -> Outcome:
    first = bench.pair.refresh_token
    second = await renew(bench, "The owner refreshes.", first)
    await me(bench, "The owner uses the new access token.", second)
    third = await renew(bench, "The owner refreshes again.", refresh_token(second))
    lives = await me(bench, "The newest access token works.", third)
    replay = await renew(bench, "The thief presents a copy of the first refresh token.", first)
    owner = await me(bench, "The owner's newest access token no longer works.", third)
    renewal = await renew(bench, "Nor does the owner's newest refresh token.", refresh_token(third))
    return Outcome(
        statuses(lives, replay, owner, renewal) == [200, 401, 401, 401],
        "The reuse is detected. The server cannot tell the thief from the owner, so it ends the session for both.",
        [
            sources.find(rotation_policy.decide, "g < session.generation - 1"),
            sources.find(rotation.rotate, "_revoke_reused"),
        ],
    )


async def two_tabs(bench: Bench) -> Outcome:
    token = bench.pair.refresh_token
    one, other = await asyncio.gather(
        renew(bench, "The first tab refreshes.", token),
        renew(bench, "The second tab refreshes at the same moment.", token),
    )
    works = [
        await me(bench, "The first tab uses its new token.", one),
        await me(bench, "The second tab uses its new token.", other),
    ]
    return Outcome(
        statuses(one, other, *works) == [200] * 4 and generation(one) == generation(other) == 2,
        "This is not an attack, and the server does not treat it as one: both tabs get the same next generation.",
        [
            sources.find(rotation._issue_successor, '"expected": row.generation'),
            sources.find(rotation_policy.decide, "session.confirmed < session.generation"),
        ],
    )


async def lost_answer(bench: Bench) -> Outcome:
    token = bench.pair.refresh_token
    lost = await renew(bench, "The refresh succeeds, but assume that the response never arrives.", token)
    again = await renew(bench, "The browser presents the old token again.", token)
    works = await me(bench, "The access token that it gets now works.", again)
    return Outcome(
        statuses(lost, again, works) == [200] * 3 and generation(lost) == generation(again) == 2,
        "This is not an attack either: as long as nobody has used the successor, the server issues it again, without a "
        "time limit.",
        [sources.find(rotation_policy.decide, "session.confirmed < session.generation")],
    )
