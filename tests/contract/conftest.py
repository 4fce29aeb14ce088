from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.contract.places import Place


@pytest.fixture
async def at(app: Any, database: Any) -> AsyncIterator[Callable[[str], Place]]:
    """`at("203.0.113.7")`: somebody at that address."""
    made: list[Place] = []

    def place(ip: str) -> Place:
        made.append(Place(app, ip))
        return made[-1]

    yield place
    for each in made:
        await each.aclose()
