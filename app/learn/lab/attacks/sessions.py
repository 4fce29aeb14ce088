"""Old refresh tokens: one that a thief brings, and two that innocent people do."""

import asyncio

from app.auth.sessions import rotation, rotation_policy
from app.learn.lab import sources
from app.learn.lab.attacks.script import Outcome, generation, me, refresh_token, renew, statuses
from app.learn.lab.sandbox import Bench


async def stale_refresh(bench: Bench) -> Outcome:
    first = bench.pair.refresh_token
    second = await renew(bench, "The owner renews.", first)
    await me(bench, "And uses what came.", second)
    third = await renew(bench, "The owner renews again.", refresh_token(second))
    lives = await me(bench, "All is well.", third)
    replay = await renew(bench, "A thief brings a copy of the first refresh token.", first)
    owner = await me(bench, "The owner's newest access token, a moment later.", third)
    renewal = await renew(bench, "And the owner's newest refresh token.", refresh_token(third))
    return Outcome(
        statuses(lives, replay, owner, renewal) == [200, 401, 401, 401],
        "A copy gives itself away. Nobody can tell which of the two is the thief, so the session ends for both.",
        [
            sources.find(rotation_policy.decide, "g < session.generation - 1"),
            sources.find(rotation.rotate, "_revoke_reused"),
        ],
    )


async def two_tabs(bench: Bench) -> Outcome:
    token = bench.pair.refresh_token
    one, other = await asyncio.gather(
        renew(bench, "The first tab renews.", token), renew(bench, "The second one, at the same moment.", token)
    )
    works = [await me(bench, "What the first tab got.", one), await me(bench, "What the second tab got.", other)]
    return Outcome(
        statuses(one, other, *works) == [200] * 4 and generation(one) == generation(other) == 2,
        "This is no attack and is not taken for one: both tabs are handed the same next generation.",
        [
            sources.find(rotation._issue_successor, '"judged": row.generation'),
            sources.find(rotation_policy.decide, "session.confirmed < session.generation"),
        ],
    )


async def lost_answer(bench: Bench) -> Outcome:
    token = bench.pair.refresh_token
    lost = await renew(bench, "The renewal works, but its answer never arrives.", token)
    again = await renew(bench, "So the browser comes with the old token once more.", token)
    works = await me(bench, "What it got now works.", again)
    return Outcome(
        statuses(lost, again, works) == [200] * 3 and generation(lost) == generation(again) == 2,
        "This is no attack either: while nobody has used the successor, it is handed out once more, however late.",
        [sources.find(rotation_policy.decide, "session.confirmed < session.generation")],
    )
