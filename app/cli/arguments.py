"""The command line: every command with its options, its help and the limits of its numbers."""

import argparse
from typing import Any

# generate:
# What `generate` writes besides a feature: kind, what it is, how it is named.
SMALL_KINDS = (
    ("page", "a page behind the sign-in", "its address and folder, such as reports"),
    ("mail", "an e-mail of a feature to its user", "the feature and the e-mail, such as projects/due_soon"),
    ("command", "a command that reads the database", "such as close-month"),
)
# /generate


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The options; `command` is the name of the command. Errors: SystemExit 2 for wrong usage, 0 after `--help`."""
    return _parser(arguments).parse_args(arguments)


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app", description="The commands of Lanyard.")
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")

    command = commands.add_parser("serve", help="serve the site", description="Serve the site at HOST:PORT.")
    command.add_argument("--workers", type=_count, default=1, metavar="N", help="worker processes (default: 1)")
    command.add_argument(
        "--forwarded-allow-ips",
        default="",
        metavar="IPS",
        help="addresses of the proxies whose X-Forwarded-For and -Proto headers are trusted (default: none)",
    )

    command = commands.add_parser(
        "migrate", help="run pending database migrations", description="Run pending database migrations."
    )
    command.add_argument(
        "--to",
        default="",
        metavar="REVISION",
        help="migrate up or down to this revision (-1: one back); going down deletes what newer ones added",
    )
    command.add_argument("--yes-really", action="store_true", help="allow going down outside development")

    command = commands.add_parser(
        "migration",
        help="write a migration from the models",
        description="Compare the models with what the migrations make, and write the difference as a new migration. "
        "Lists what it cannot detect, such as a rename.",
    )
    command.add_argument("message", help='what it does, such as "add projects"')
    command.add_argument("--dry-run", action="store_true", help="list the changes without writing")

    _add_generate(commands)  # generate

    command = commands.add_parser(
        "routes", help="list the routes", description="List every route with the permission that protects it."
    )

    command = commands.add_parser(
        "shell",
        help="a Python prompt with the models and the database",
        description="A Python prompt with every model, `db` and `sa`, connected to the database; `await` works.",
    )

    command = commands.add_parser(
        "doctor",
        help="check the configuration and say how to fix problems",
        description="Check settings, files, port, database, mail server and the site as visitors reach it. Exit code 1 "
        "if there is something to fix, 2 if settings are refused. It makes one failed sign-in on purpose.",
    )
    command.add_argument(
        "--workers",
        type=_count,
        default=1,
        metavar="N",
        help="worker processes that use this database, on all machines together (default: 1)",
    )
    command.add_argument("--forwarded-allow-ips", default="", metavar="IPS", help="the same value as for `serve`")
    command.add_argument("--json", action="store_true", help="print JSON: state, what, says and fix of each finding")

    command = commands.add_parser(
        "prune", help="delete expired data", description="Delete expired data; a running server does so every hour."
    )

    command = commands.add_parser(
        "rotate-keys",
        help="change the signing secret in three steps",
        description="Each step changes the secrets where they are stored (.env, APP_SECRETS_DIR), or prints what to "
        "set in the environment. Restart all workers after each step; nobody is signed out.",
    )
    command.add_argument(
        "step",
        choices=("add", "switch", "drop"),
        help="add: accept a new secret; switch: sign with it; drop: remove the old one",
    )

    command = commands.add_parser(
        "create-admin",
        help="create an administrator account",
        description="Asks for what is missing, and always for the password, which is not shown.",
    )
    command.add_argument("--email", default="", help="the e-mail address to sign in with")
    command.add_argument("--name", default="", help="the name of the person")

    for name, what in (
        ("promote", "make a user an administrator"),
        ("deactivate", "deactivate an account and end its sessions"),
        ("end-sessions", "sign a user out on all devices"),
        ("remove-second-factor", "turn off a user's two-factor authentication, once you are sure who is asking"),
    ):
        command = commands.add_parser(name, help=what, description=f"{what.capitalize()}. Recorded in the audit log.")
        who: Any = command
        if name == "end-sessions":
            who = command.add_mutually_exclusive_group(required=True)
            who.add_argument(
                "--everybody",
                action="store_true",
                help="all users, for example after promoting a replica that lagged behind",
            )
        who.add_argument(
            "email", nargs="?" if name == "end-sessions" else None, help="the e-mail address of the account"
        )

    command = commands.add_parser(
        "import-authenticator",
        help="turn on two-factor authentication with a secret of another system",
        description="Reads the secret (base32) from standard input, or asks for it: never in an argument. The user "
        "goes on with the same app, and makes recovery codes after the next sign-in. Recorded in the audit log.",
    )
    command.add_argument("email", help="the e-mail address of the account")
    command.add_argument(
        "--short", action="store_true", help="take a secret of 80 to 127 bits too; RFC 4226 wants at least 128"
    )

    command = commands.add_parser(
        "seed",
        help="add many users and events",
        description="Add sample users and audit events, to try out and measure. Only in development.",
    )
    command.add_argument("--users", type=_many, default=1000, metavar="N", help="users (default: 1000)")
    command.add_argument(
        "--events", type=_many, default=10_000, metavar="M", help="events of the last 30 days (default: 10000)"
    )
    command.add_argument("--yes-really", action="store_true", help="allow it outside development")

    command = commands.add_parser(
        "upgrade-notes",
        help="list what changed in the starter since this project was made from it",
        description="Security first, each change with its commit and files, without what was ejected here. Reads newer "
        "code that is on this machine already (`git fetch upstream`) and changes nothing.",
    )
    command.add_argument("newer", help="a branch or tag that was fetched, such as upstream/main, or a folder")

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
    command.add_argument("--yes", action="store_true", help="even if git could not restore the files")
    # /eject
    return parser


# eject:
def _ejectable() -> list[Any]:
    from app.cli.eject_plan import ejectable

    return list(ejectable().values())


# /eject
# generate:
def _add_generate(commands: Any) -> None:
    command = commands.add_parser(
        "generate",
        help="write a feature, a page, an e-mail or a command",
        description="Write code of your own. Nothing is overwritten.",
    )
    kinds = command.add_subparsers(required=True, dest="kind", metavar="KIND")
    command = kinds.add_parser(
        "feature",
        help="a table with its pages, JSON API, admin list, data export, migration and tests",
        description="FIELDS: name:type, where the types are str, text, int, decimal, bool, date, datetime, "
        "choice(open,done) and reference(projects); :unique or :optional may follow. Each row belongs to who made it.",
    )
    command.add_argument("name", help="the plural, such as projects")
    command.add_argument("fields", nargs="+", metavar="FIELDS", help='such as title:str "status:choice(open,done)"')
    command.add_argument("--singular", default="", help="where it cannot be told from the plural, as person for people")
    command.add_argument("--dry-run", action="store_true", help="list the files without writing them")
    for kind, what, named in SMALL_KINDS:
        command = kinds.add_parser(kind, help=what, description=f"Write {what}, with a test.")
        command.add_argument("name", help=named)
        if kind == "page":
            command.add_argument("--public", action="store_true", help="for everybody, not only after signing in")
        command.add_argument("--dry-run", action="store_true", help="list the files without writing them")

    command = commands.add_parser(
        "destroy",
        help="take back what `generate` wrote",
        description="Delete what nobody has changed since; a feature while its migration has not run.",
    )
    kinds = command.add_subparsers(required=True, dest="kind", metavar="KIND")
    command = kinds.add_parser("feature", help="a feature", description="Delete its files and its line in app/main.py.")
    command.add_argument("name", help="as it was generated, such as projects")
    command.add_argument("--dry-run", action="store_true", help="list the files without deleting them")
    for kind, what, named in SMALL_KINDS:
        command = kinds.add_parser(kind, help=what, description="Delete its files, and its lines in other files.")
        command.add_argument("name", help=named)
        command.add_argument("--dry-run", action="store_true", help="list the files without deleting them")


# /generate
def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("must be a number from 1 to 64")
    return int(text)


def _many(text: str) -> int:
    if not text.isdecimal() or int(text) > 100_000_000:
        raise argparse.ArgumentTypeError("must be a number")
    return int(text)
