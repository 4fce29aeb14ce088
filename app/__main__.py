"""The commands: `python -m app serve | migrate | routes | prune | rotate-keys`, each with `--help`.

Exit codes: 0 done, 1 could not be done (one line says why), 2 wrong usage or a setting that must be mended first.
Nothing heavy is imported up here: every worker process of `serve` imports this module again.
"""

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except KeyboardInterrupt:
        return 130  # as the shell counts it: 128 + SIGINT


def serve(options: argparse.Namespace) -> int:
    from app.serve import serve

    return serve(options.workers, options.forwarded_allow_ips)


def migrate(_: argparse.Namespace) -> int:
    from app import db

    try:
        pending = db.pending()
        db.upgrade()
    except (db.Unavailable, OSError) as error:
        print(f"lanyard: the database that DATABASE_URL names does not answer: {error}", file=sys.stderr)
        return 1
    print(f"The database is up to date ({len(pending)} new)." if pending else "The database is up to date.")
    return 0


def routes(_: argparse.Namespace) -> int:
    from app.main import route_table

    rows = [{"method": "METHOD", "path": "PATH", "guard": "GUARD"}, *route_table()]
    wide = max(len(row["path"]) for row in rows)
    for row in rows:
        print(f"{row['method']:<8}{row['path']:<{wide + 2}}{row['guard']}")
    return 0


def prune(_: argparse.Namespace) -> int:
    import asyncio

    from app import db, housekeeping

    async def connected() -> dict[str, int]:
        await db.connect()
        try:
            return await housekeeping.run()
        finally:
            await db.disconnect()

    try:
        pruned = asyncio.run(connected())
    except (db.Unavailable, OSError) as error:
        print(f"lanyard: the database that DATABASE_URL names does not answer: {error}", file=sys.stderr)
        return 1
    print("Deleted: " + ", ".join(f"{count} {name}" for name, count in pruned.items()) + ".")
    return 0


def rotate_keys(options: argparse.Namespace) -> int:
    from app.auth import secret_file
    from app.settings import env_file

    try:
        print(secret_file.change(env_file(), options.step))
    except (ValueError, OSError) as error:
        print(f"lanyard: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app", description="Lanyard: sign in, stay signed in, sign out.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("serve", help="serve the site", description="Serve the site at HOST:PORT (settings).")
    command.add_argument("--workers", type=_count, default=1, metavar="N", help="processes that share the port (1)")
    command.add_argument(
        "--forwarded-allow-ips",
        default="",
        metavar="IPS",
        help="the proxies, by address, whose X-Forwarded-For and -Proto are believed (nobody's)",
    )
    command.set_defaults(command=serve)

    command = commands.add_parser("migrate", help="bring the database up to date", description="Run what is missing.")
    command.set_defaults(command=migrate)

    command = commands.add_parser("routes", help="list the routes", description="Every route and the guard before it.")
    command.set_defaults(command=routes)

    command = commands.add_parser(
        "prune", help="delete what is over", description="Delete what is over; a running server does so every hour."
    )
    command.set_defaults(command=prune)

    command = commands.add_parser(
        "rotate-keys",
        help="change the signing secret, in three steps",
        description="Each step changes the file of settings and wants a rolling restart after it: nobody is out.",
    )
    command.add_argument("step", choices=("add", "switch", "drop"), help="a new secret; it signs; the old one is gone")
    command.set_defaults(command=rotate_keys)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("must be a number from 1 to 64")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
