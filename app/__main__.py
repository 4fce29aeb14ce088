"""The commands: `python -m app serve | migrate | create-admin | prune | ...`, each with `--help` (see `cli.arguments`).

Exit codes: 0 done, 1 failed (one line says why), 2 wrong usage or a setting that must be fixed first.
Imports stand inside the functions: every worker process of `serve` imports this module again.
"""

import argparse
import os
import sys


def main(arguments: list[str] | None = None) -> int:
    from app.cli import arguments as command_line

    options = command_line.parsed(sys.argv[1:] if arguments is None else arguments)
    try:
        return COMMANDS[options.command](options)
    except KeyboardInterrupt:
        return 130  # as the shell counts it: 128 + SIGINT


def serve(options: argparse.Namespace) -> int:
    from app.server.run import serve

    return serve(options.workers, options.forwarded_allow_ips)


def migrate(options: argparse.Namespace) -> int:
    from app.cli.migrate import migrate

    return migrate(options.to, options.yes_really)


def migration(options: argparse.Namespace) -> int:
    from app.cli.migration import migration

    return migration(options.message, options.dry_run)


# generate:
def generate(options: argparse.Namespace) -> int:
    os.environ.setdefault("APP_ENV", "development")  # it writes code, and needs no setting of production
    from app.cli import generate

    return generate.generate(options)


def destroy(options: argparse.Namespace) -> int:
    os.environ.setdefault("APP_ENV", "development")
    from app.cli.generate.removal import destroy

    return destroy(options)


# /generate
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


def import_authenticator(options: argparse.Namespace) -> int:
    from app.cli.users import import_authenticator

    return import_authenticator(options.email, options.short)


def seed(options: argparse.Namespace) -> int:
    from app.cli.seed import seed

    return seed(options.users, options.events, options.yes_really)


def upgrade_notes(options: argparse.Namespace) -> int:
    from app.cli.upgrade_notes import upgrade_notes

    return upgrade_notes(options.newer)


# eject:
def eject(options: argparse.Namespace) -> int:
    from app.cli.eject import eject

    return eject(options.features or [], options.name, options.dry_run, options.yes)


# /eject
COMMANDS = {
    "serve": serve,
    "migrate": migrate,
    "migration": migration,
    "generate": generate,  # generate
    "destroy": destroy,  # generate
    "routes": routes,
    "shell": shell,
    "doctor": doctor,
    "prune": prune,
    "rotate-keys": rotate_keys,
    "create-admin": create_admin,
    "promote": promote,
    "deactivate": deactivate,
    "end-sessions": end_sessions,
    "remove-second-factor": remove_second_factor,
    "import-authenticator": import_authenticator,
    "seed": seed,
    "upgrade-notes": upgrade_notes,
    "eject": eject,  # eject
}


if __name__ == "__main__":
    sys.exit(main())
