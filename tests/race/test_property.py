"""P: any interleaving of tabs, lost answers and delays, on the real rotation with a clock of its own."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import db
from app.auth import tokens
from app.auth.sessions import device_binding, rotation, session_cache
from app.auth.sessions.rotation import Rejected
from app.auth.sessions.rotation_policy import Decision
from app.auth.tokens import TokenPair
from tests.support import forge
from tests.support.bound import BoundDevice, bound
from tests.support.clock import Clock
from tests.support.people import make_user, start_session

pytestmark = [pytest.mark.race, pytest.mark.anyio]

NETWORK_GIVES_UP = 240  # seconds a request or an answer may hang before the browser drops it


class Browser:
    """A cookie jar, tabs that ask for pages with it, and a network that loses and delays."""

    def __init__(self, pair: TokenPair, device: BoundDevice | None = None) -> None:
        self.device = device  # that the session is bound to
        self.access: str = pair.access_token
        self.refresh: str = pair.refresh_token
        self.under_way: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.decisions: list[Decision] = []

    def ask(self, now: float, marker: str = "") -> None:
        self.under_way.append({"access": self.access, "refresh": self.refresh, "marker": marker, "at": now})

    async def arrive(self, which: int, now: float) -> None:
        """The server answers one of the requests under way."""
        if not self.under_way:
            return
        request = self.under_way.pop(which % len(self.under_way))
        token = tokens.read(request["access"], "access", db.utcnow())
        if token and await session_cache.load(token, db.utcnow()):
            return
        proof = proof_for(request["refresh"], self.device) if self.device else ""
        outcome = await rotation.rotate(request["refresh"], marker=request["marker"], proof=proof)
        if not isinstance(outcome, Rejected):
            self.answers.append({"pair": outcome.pair, "at": now})
        elif outcome.decision is Decision.RETRY:
            self.answers.append({"marker": outcome.marker, "at": now})
        else:
            self.decisions.append(outcome.decision)

    def receive(self, which: int, now: float) -> None:
        if not self.answers:
            return
        answer = self.answers.pop(which % len(self.answers))
        if "marker" in answer:
            self.ask(now, answer["marker"])
        else:
            self.access, self.refresh = answer["pair"].access_token, answer["pair"].refresh_token

    def lose(self, which: int) -> None:
        for queue in (self.answers, self.under_way):
            if queue:
                queue.pop(which % len(queue))
                return

    def give_up(self, now: float) -> None:
        self.under_way = [one for one in self.under_way if now - one["at"] < NETWORK_GIVES_UP]
        self.answers = [one for one in self.answers if now - one["at"] < NETWORK_GIVES_UP]


def proof_for(refresh: str, device: BoundDevice) -> str:
    """What a device signs for this token, in the one round trip in which it is asked."""
    token = forge.claims(refresh)
    return device.proof(device_binding.challenge(UUID(token["sid"]), token["gen"], db.utcnow()))


async def go(browser: Browser, what: str, number: int, clock: Clock) -> None:
    """One step of a plan."""
    now = clock.now.timestamp()
    if what == "ask":
        browser.ask(now)
    elif what == "arrive":
        await browser.arrive(number, now)
    elif what == "receive":
        browser.receive(number, now)
    elif what == "lose":
        browser.lose(number)
    else:
        browser.give_up(clock.forward(seconds=number if what == "wait" else 901).timestamp())


steps = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "arrive", "arrive", "receive", "receive", "lose", "wait", "expire"]),
        st.integers(0, 239),
    ),
    max_size=40,
)


@given(steps)
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
async def test_without_an_attacker_no_session_is_ever_ended(
    database: str, clock: Clock, plan: Sequence[tuple[str, int]]
) -> None:
    browser = Browser(await start_session(await make_user()))

    for what, number in plan:
        await go(browser, what, number, clock)

    assert browser.decisions == []


@given(steps, st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
async def test_attacker_of_a_bound_session_renews_nothing_and_disturbs_nobody(
    database: str, clock: Clock, plan: Sequence[tuple[str, int]], thefts: Sequence[tuple[int, bool]]
) -> None:
    """At each of those steps the whole jar is copied, and every copy is tried from then on, with a key or without."""
    pair = await start_session(await make_user())
    browser, attacker = Browser(pair, await bound(pair)), BoundDevice()
    copies: set[tuple[str, bool]] = set()

    for number, step in enumerate([*plan, ("expire", 0)]):
        copies |= {(browser.refresh, with_a_key) for at, with_a_key in thefts if at >= number}
        await go(browser, *step, clock)
        for refresh, with_a_key in copies:
            outcome = await rotation.rotate(refresh, proof=proof_for(refresh, attacker) if with_a_key else "")
            assert outcome.decision is Decision.UNPROVEN

    assert browser.decisions == []
    clock.forward(seconds=901)
    browser.ask(clock.now.timestamp())
    await browser.arrive(len(browser.under_way) - 1, clock.now.timestamp())
    assert browser.decisions == []
    assert browser.answers


@given(
    attacker_first=st.booleans(), rotations=st.integers(1, 4), stolen_at=st.integers(0, 3), wait=st.integers(301, 800)
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
async def test_with_an_attacker_the_session_ends_once_both_have_refreshed(
    database: str, clock: Clock, attacker_first: bool, rotations: int, stolen_at: int, wait: int
) -> None:
    """R14 and its mirror: one uses a newer generation, the other comes with an older one outside both windows."""
    pair = await start_session(await make_user())
    for _ in range(stolen_at):
        clock.forward(seconds=901)
        pair = await _rotate(pair)
    victim = attacker = pair

    ahead = attacker if attacker_first else victim
    behind = victim if attacker_first else attacker
    for _ in range(rotations):
        clock.forward(seconds=901)
        ahead = await _rotate(ahead)
    clock.forward(seconds=wait)
    outcome = await rotation.rotate(behind.refresh_token)

    assert isinstance(outcome, Rejected)
    assert outcome.decision is Decision.REUSE
    token = tokens.read(ahead.access_token, "access", db.utcnow())
    assert token is None or await session_cache.load(token, db.utcnow()) is None
    assert await rotation.rotate(ahead.refresh_token) == Rejected(Decision.ENDED)


async def _rotate(pair: TokenPair) -> TokenPair:
    """Rotate, and use what came."""
    outcome = await rotation.rotate(pair.refresh_token)
    assert not isinstance(outcome, Rejected), outcome
    token = tokens.read(outcome.pair.access_token, "access", db.utcnow())
    assert token
    assert await session_cache.load(token, db.utcnow())
    return outcome.pair
