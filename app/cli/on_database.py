"""What a command does on the database: connected, migrated, and with one line for what goes wrong."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from app import db


class Refused(Exception):
    """What was asked for cannot be done; the text says why, in one line."""


def run(work: Callable[[], Awaitable[str]]) -> int:
    """Do `await work()` and print what it returns. Returns the exit code."""

    async def connected() -> str:
        await db.connect()
        try:
            return await work()
        finally:
            await db.disconnect()

    try:
        if pending := db.pending():
            raise Refused(f"migrations are pending ({', '.join(pending)}): run `python -m app migrate` first")
        print(asyncio.run(connected()))
    except Refused as error:
        print(f"lanyard: {error}", file=sys.stderr)
        return 1
    except EOFError:
        print("lanyard: no terminal to type the password into", file=sys.stderr)
        return 1
    except (db.Unavailable, OSError) as error:
        print(f"lanyard: the database that DATABASE_URL names does not answer: {error}", file=sys.stderr)
        return 1
    return 0
