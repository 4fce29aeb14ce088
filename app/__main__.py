"""The commands: `python -m app serve | migrate | create-admin | prune | ...`, each with `--help`.

Exit codes: 0 done, 1 could not be done (one line says why), 2 wrong usage or a setting that must be mended first.
Nothing heavy is imported up here: every worker process of `serve` imports this module again.
"""

import argparse
import sys
from typing import Any


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(arguments).parse_args(arguments)
    try:
        return int(options.command(options))
    except KeyboardInterrupt:
        return 130  # as the shell counts it: 128 + SIGINT


def serve(options: argparse.Namespace) -> int:
    from app.server.run import serve

    return serve(options.workers, options.forwarded_allow_ips)


def migrate(_: argparse.Namespace) -> int:
    from app import db

    try:
        pending = db.pending()
        db.upgrade()
    except db.Stopped as error:
        print(f"lanyard: {error}", file=sys.stderr)
        return 1
    except (db.Unavailable, OSError) as error:
        print(f"lanyard: the database that DATABASE_URL names does not answer: {error}", file=sys.stderr)
        return 1
    print(f"The database is up to date ({len(pending)} new)." if pending else "The database is up to date.")
    return 0


def routes(_: argparse.Namespace) -> int:
    from app.main import route_table

    rows = [{"method": "METHOD", "path": "PATH", "permission": "PERMISSION"}, *route_table()]
    wide = max(len(row["path"]) for row in rows)
    for row in rows:
        print(f"{row['method']:<8}{row['path']:<{wide + 2}}{row['permission']}")
    return 0


def shell(_: argparse.Namespace) -> int:
    from app.cli import shell

    return shell.run()


def prune(_: argparse.Namespace) -> int:
    import asyncio
    from importlib import import_module

    from app import db, maintenance

    import_module("app.main")  # registers the features, each with its tasks

    async def connected() -> dict[str, int]:
        await db.connect()
        try:
            return await maintenance.run()
        finally:
            await db.disconnect()

    try:
        pruned = asyncio.run(connected())
    except (db.Unavailable, OSError) as error:
        print(f"lanyard: the database that DATABASE_URL names does not answer: {error}", file=sys.stderr)
        return 1
    print("Deleted: " + ", ".join(f"{count} {name}" for name, count in pruned.items()) + ".")
    return 0


def doctor(options: argparse.Namespace) -> int:
    from app.cli import doctor

    return doctor.run(options)


def rotate_keys(options: argparse.Namespace) -> int:
    import os

    from app.auth import key_rotation
    from app.setting_files import Refused, env_file, secrets_folder

    try:
        print(key_rotation.rotate(options.step, os.environ, env_file(), secrets_folder()))
    except Refused as refused:
        return refused.say()
    except (ValueError, OSError) as error:
        print(f"lanyard: {error}", file=sys.stderr)
        return 1
    return 0


def create_admin(options: argparse.Namespace) -> int:
    from app.cli import users

    return users.create_admin(options.email, options.name)


def promote(options: argparse.Namespace) -> int:
    from app.cli import users

    return users.promote(options.email)


def deactivate(options: argparse.Namespace) -> int:
    from app.cli import users

    return users.deactivate(options.email)


def end_sessions(options: argparse.Namespace) -> int:
    from app.cli import users

    return users.end_every_session() if options.everybody else users.end_sessions(options.email)


def remove_second_factor(options: argparse.Namespace) -> int:
    from app.cli import users

    return users.remove_second_factor(options.email)


def seed(options: argparse.Namespace) -> int:
    from app.cli.seed import seed

    return seed(options.users, options.events, options.yes_really)


# eject:
def eject(options: argparse.Namespace) -> int:
    from app.cli.eject import eject

    return eject(options.features or [], options.name, options.dry_run, options.yes)


def _ejectable() -> list[Any]:
    from app.cli.eject import ejectable

    return list(ejectable().values())


# /eject
def _parser(arguments: list[str]) -> argparse.ArgumentParser:
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
        "shell",
        help="a Python prompt with the models and the database",
        description="A Python prompt with every model, `db` and `sa`, connected to the database; `await` works.",
    )
    command.set_defaults(command=shell)

    command = commands.add_parser(
        "doctor",
        help="look for mistakes in the set-up, and say how to mend them",
        description="Look at settings, files, port, database, mail server and the site as visitors reach it. "
        "Exit code 1 if there is something to mend, 2 if settings are refused. Fails to sign in once, on purpose.",
    )
    command.add_argument(
        "--workers", type=_count, default=1, metavar="N", help="processes on this database, all machines together (1)"
    )
    command.add_argument("--forwarded-allow-ips", default="", metavar="IPS", help="as `serve` is given them")
    command.add_argument("--json", action="store_true", help="for a program: state, what, says, fix of each finding")
    command.set_defaults(command=doctor)

    command = commands.add_parser(
        "prune", help="delete what is over", description="Delete what is over; a running server does so every hour."
    )
    command.set_defaults(command=prune)

    command = commands.add_parser(
        "rotate-keys",
        help="change the signing secret, in three steps",
        description="Each step changes the secrets where they are kept (.env, APP_SECRETS_DIR), or prints what to set "
        "in the environment, and wants a rolling restart after it: nobody is out.",
    )
    command.add_argument("step", choices=("add", "switch", "drop"), help="a new secret; it signs; the old one is gone")
    command.set_defaults(command=rotate_keys)

    command = commands.add_parser(
        "create-admin",
        help="make an administrator",
        description="Asks for what is not given, and always for the password, which is never shown.",
    )
    command.add_argument("--email", default="", help="the address to sign in with")
    command.add_argument("--name", default="", help="what the person is called")
    command.set_defaults(command=create_admin)

    for name, what, does in (
        ("promote", "make a person an administrator", promote),
        ("deactivate", "close an account and end its sessions", deactivate),
        ("end-sessions", "sign a person out everywhere", end_sessions),
        ("remove-second-factor", "turn a person's second step off, once it is certain who asks", remove_second_factor),
    ):
        command = commands.add_parser(name, help=what, description=f"{what.capitalize()}; it is written in the trail.")
        who: Any = command
        if does is end_sessions:
            who = command.add_mutually_exclusive_group(required=True)
            who.add_argument("--everybody", action="store_true", help="after the promotion of a replica that lagged")
        who.add_argument("email", nargs="?" if does is end_sessions else None, help="the address of the account")
        command.set_defaults(command=does)

    command = commands.add_parser(
        "seed", help="add many people and events", description="For trying out and measuring, in development."
    )
    command.add_argument("--users", type=_many, default=1000, metavar="N", help="people (1000)")
    command.add_argument("--events", type=_many, default=10_000, metavar="M", help="events of the last 30 days (10000)")
    command.add_argument("--yes-really", action="store_true", help="not in development, either")
    command.set_defaults(command=seed)

    # eject:
    command = commands.add_parser(
        "eject",
        help="take out what a clone need not keep, or rename it",
        description="Deletes and changes files of this clone, and leaves one that passes its own tests.",
    )
    for feature in _ejectable() if "eject" in arguments else ():
        command.add_argument(
            f"--{feature.name}", action="append_const", dest="features", const=feature.name, help=feature.description
        )
    command.add_argument("--name", default="", help="what the application is called from now on")
    command.add_argument("--dry-run", action="store_true", help="list what would be done, and do nothing")
    command.add_argument("--yes", action="store_true", help="also where git could not bring it back")
    command.set_defaults(command=eject)
    # /eject
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("must be a number from 1 to 64")
    return int(text)


def _many(text: str) -> int:
    if not text.isdecimal() or int(text) > 100_000_000:
        raise argparse.ArgumentTypeError("must be a number")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
