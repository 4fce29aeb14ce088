"""docs/scaling.md shows what the simulation computes now, and its first limit is where the code has it."""

import pytest

from app.auth.sessions import session_cache
from bench import scale_sim

pytestmark = pytest.mark.part("bench")


def test_table_of_the_page_is_what_the_simulation_computes() -> None:
    assert scale_sim.table() in scale_sim.PAGE.read_text()


def test_feed_of_the_simulation_is_the_feed_of_the_code() -> None:
    costs = scale_sim.Costs()

    assert costs.feed_longest_rows == session_cache.MAX_FEED_ROWS
    assert costs.feed_window_seconds == session_cache.WINDOW.total_seconds()
    assert costs.feed_reads_per_second == 1 / session_cache.READ_EVERY


def test_more_people_ask_for_more_of_everything() -> None:
    people, costs = scale_sim.People(), scale_sim.Costs()
    few, many = (scale_sim.load(accounts, people, costs) for accounts in (1_000_000, 2_000_000))

    assert all(getattr(many, name) >= getattr(few, name) for name in scale_sim.Load.__dataclass_fields__)
    assert many.requests == 2 * few.requests
