"""Can the time of an answer tell who has an account? Known and unknown addresses, in random order, at each route.

The figure is the area under the curve (AUC) of the best guess from the time alone: the chance that an answer about a
known address took longer than one about an unknown address. 0.5 is a coin; 0.4 to 0.6 is what this site allows itself.
`make bench` runs it and writes results.md. Each address is used once, for the limits would answer a second time.
Source: v5.0.0-6.3.8.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from tests.support import environment  # noqa: F401  # isort: skip  # before anything of the application
from app import db
from app.auth.accounts import user_creation
from app.auth.models import link_rows
from bench.record import MACHINE, record
from bench.run import PRODUCTION, Connection
from tests.support.people import PASSWORD
from tests.support.server import Server, running

SAMPLES, WARM_UP = 200, 20
WRONG = "wrong horse battery staple"
UNBOUND = {
    "APP_ADDRESS_EMAILS_PER_HOUR": "1000000",
    "APP_ADDRESS_FAILURES_PER_5_MINUTES": "1000000",
    "APP_LOGIN_FAILURES_PER_MINUTE": "1000000",
}
FORM = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}

# Door -> its path, the status that must come, and the body for an address.
ROUTES: dict[str, tuple[str, int, Callable[[str], Any]]] = {
    "login, page": ("/login", 422, lambda email: urlencode({"email": email, "password": WRONG})),
    "login, API": ("/api/auth/login", 401, lambda email: {"email": email, "password": WRONG}),
    "register": ("/register", 303, lambda email: urlencode({"name": "Joan", "email": email, "password": PASSWORD})),
    "forgot": ("/forgot-password", 303, lambda email: urlencode({"email": email})),
    "confirmation sent again": ("/verify-email/resend", 303, lambda email: urlencode({"email": email})),
}


async def measure(server: Server) -> list[tuple[str, float]]:
    numbers = {True: itertools.count(), False: itertools.count()}
    path, _, body = ROUTES["register"]
    await (await Connection().open(server.port)).ask("POST", path, FORM, body("somebody@example.com"))
    async with server.database():
        encoded = await db.fetch_value(sa.select(link_rows.c.password))  # of the server's own making, at its full cost
        for number in range((SAMPLES + WARM_UP) * len(ROUTES)):
            async with db.transaction() as tx:
                await user_creation.add(tx, f"known{number:04}@example.com", "Joan Example", encoded)
    connection = await Connection().open(server.port)
    rows = []
    for route, (path, status, body) in ROUTES.items():
        order = [True, False] * (SAMPLES + WARM_UP)
        random.shuffle(order)
        took: dict[bool, list[float]] = {True: [], False: []}
        for is_known in order:
            # As long as each other: what is typed comes back in the page.
            email = f"{'known' if is_known else 'other'}{next(numbers[is_known]):04}@example.com"
            began = time.perf_counter()
            answered, _ = await connection.ask("POST", path, FORM, body(email))
            took[is_known].append(time.perf_counter() - began)
            assert answered == status, (route, email, answered)
        rows.append((route, auc(took[True][WARM_UP:], took[False][WARM_UP:])))
    return rows


def auc(ours: list[float], theirs: list[float]) -> float:
    """Mann and Whitney's U as a share of all pairs."""
    pairs = itertools.product(ours, theirs)
    return sum(1.0 if one > other else 0.5 if one == other else 0.0 for one, other in pairs) / len(ours) / len(theirs)


async def main() -> None:
    with running(**PRODUCTION, **UNBOUND) as server:
        rows = await measure(server)
    words = f"{SAMPLES} known and {SAMPLES} unknown addresses at each route, in random order."
    record(
        "timing",
        f"{words} {MACHINE}, SQLite, one worker, one run of `make bench`.",
        ("route", "AUC", "allowed"),
        [(route, f"{area:.2f}", "0.40 to 0.60") for route, area in rows],
    )


if __name__ == "__main__":
    asyncio.run(main())
