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
    parser = argparse.ArgumentParser(
        prog="python -m app", description="Lanyard: user accounts and sign-in, built with Ravyn."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("serve", help="serve the site", description="Serve the site at HOST:PORT.")
    command.add_argument("--workers", type=_count, default=1, metavar="N", help="worker processes (default: 1)")
    command.add_argument(
        "--forwarded-allow-ips",
        default="",
        metavar="IPS",
        help="addresses of the proxies whose X-Forwarded-For and -Proto headers are trusted (default: none)",
    )
    command.set_defaults(command=serve)

    command = commands.add_parser(
        "migrate", help="run pending database migrations", description="Run pending database migrations."
    )
    command.set_defaults(command=migrate)

    command = commands.add_parser(
        "routes", help="list the routes", description="List every route with the permission that protects it."
    )
    command.set_defaults(command=routes)

    command = commands.add_parser(
        "shell",
        help="a Python prompt with the models and the database",
        description="A Python prompt with every model, `db` and `sa`, connected to the database; `await` works.",
    )
    command.set_defaults(command=shell)

    command = commands.add_parser(
        "doctor",
        help="check the configuration and say how to fix problems",
        description="Check settings, files, port, database, mail server and the site as visitors reach it. Exit code 1 "
        "if "
        "there is something to fix, 2 if settings are refused. It makes one failed sign-in on purpose.",
    )
    command.add_argument(
        "--workers",
        type=_count,
        default=1,
        metavar="N",
        help="worker processes that use this database, on all machines together (default: 1)",
    )
    command.add_argument("--forwarded-allow-ips", default="", metavar="IPS", help="the value that `serve` gets")
    command.add_argument("--json", action="store_true", help="print JSON: state, what, says and fix of each finding")
    command.set_defaults(command=doctor)

    command = commands.add_parser(
        "prune", help="delete expired data", description="Delete expired data; a running server does so every hour."
    )
    command.set_defaults(command=prune)

    command = commands.add_parser(
        "rotate-keys",
        help="change the signing secret in three steps",
        description="Each step changes the secrets where they are stored (.env, APP_SECRETS_DIR), or prints what to "
        "set "
        "in "
        "the environment. Restart all workers after each step; nobody is signed out.",
    )
    command.add_argument(
        "step",
        choices=("add", "switch", "drop"),
        help="add: accept a new secret; switch: sign with it; drop: remove the old one",
    )
    command.set_defaults(command=rotate_keys)

    command = commands.add_parser(
        "create-admin",
        help="create an administrator account",
        description="Asks for what is missing, and always for the password, which is not shown.",
    )
    command.add_argument("--email", default="", help="the e-mail address to sign in with")
    command.add_argument("--name", default="", help="the name of the person")
    command.set_defaults(command=create_admin)

    for name, what, does in (
        ("promote", "make a user an administrator", promote),
        ("deactivate", "deactivate an account and end its sessions", deactivate),
        ("end-sessions", "sign a user out on all devices", end_sessions),
        (
            "remove-second-factor",
            "turn off a user's two-factor authentication, once you are sure who is asking",
            remove_second_factor,
        ),
    ):
        command = commands.add_parser(name, help=what, description=f"{what.capitalize()}. Recorded in the audit log.")
        who: Any = command
        if does is end_sessions:
            who = command.add_mutually_exclusive_group(required=True)
            who.add_argument(
                "--everybody",
                action="store_true",
                help="all users, for example after promoting a replica that lagged behind",
            )
        who.add_argument("email", nargs="?" if does is end_sessions else None, help="the e-mail address of the account")
        command.set_defaults(command=does)

    command = commands.add_parser(
        "seed",
        help="add many users and events",
        description="Add sample users and audit events, to try out and measure. Only in development.",
    )
    command.add_argument("--users", type=_many, default=1000, metavar="N", help="users (default: 1000)")
    command.add_argument(
        "--events", type=_many, default=10_000, metavar="M", help="events of the last 30 days (default: 10000)"
    )
    command.add_argument("--yes-really", action="store_true", help="also outside development")
    command.set_defaults(command=seed)

    # eject:
    command = commands.add_parser(
        "eject",
        help="remove example features from a clone, or rename it",
        description="Deletes and changes files of this clone. The result passes its own tests.",
    )
    for feature in _ejectable() if "eject" in arguments else ():
        command.add_argument(
            f"--{feature.name}", action="append_const", dest="features", const=feature.name, help=feature.description
        )
    command.add_argument("--name", default="", help="the new name of the application")
    command.add_argument("--dry-run", action="store_true", help="list the changes without making them")
    command.add_argument("--yes", action="store_true", help="also if git could not restore the files")
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
