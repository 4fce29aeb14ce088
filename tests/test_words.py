"""Names are the field's terms: the vocabulary that this project once had of its own must not come back.

Looks at every identifier, module, CSS class and template variable. `EXCEPTIONS` says which ones stay, and why.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from app.settings import ROOT

pytestmark = pytest.mark.template

# A word of the old vocabulary -> the term to use. Of one identifier each word between underscores and capitals counts.
TERMS = {
    "letter": "email", "letters": "emails", "owed": "queued", "owes": "queues",
    "badges": "session_cache", "desk": "admin", "verdict": "decision", "judge": "rotation_policy",
    "robbed": "reused", "dead": "failed", "impersonal": "NoAuthentication", "doors": "routes", "door": "route",
    "joining": "signup", "closing": "account_deletion", "throttle": "rate_limit",
    "stranger": "anonymous, attacker, unknown_device", "strangers": "anonymous, attackers, unknown_devices",
    "thief": "attacker", "thieves": "attackers", "thiefs": "attackers", "whoever": "anyone, every client, the caller",
    "comeback": "RetryLater", "garbage": "invalid_token", "untold": "unreported", "mend": "fix", "mending": "fix",
    "trail": "audit_log", "housekeeping": "maintenance", "upkeep": "re_encryption", "hardening": "framework_patches",
    "exposition": "metrics_export", "guest": "visitor", "guests": "visitors", "crown": "admin",
}  # fmt: skip
# Where such a word is the right one: the identifier (or path) -> why.
EXCEPTIONS = {
    "LETTERS": "of an alphabet",
    "address_letters_per_hour": "the old name of a setting, refused with the new one",
    "test_what_has_no_other_letters_is_shown_as_it_is": "of an alphabet",
    "_remove_dead_workers": "processes that have ended",
    "is_closing": "a method of asyncio's transports",
    "test_replica_is_promoted_in_place_of_a_dead_primary": "a server that has stopped",
    "test_what_a_dead_database_left_behind_is_in_the_way": "a server that has stopped",
}
FOLDERS = [
    "app", "tests", "e2e", "deploy",
    "bench",  # bench
]  # fmt: skip


def words(name: str) -> list[str]:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)


@cache
def names() -> list[tuple[str, str]]:
    """Every name that the sources define, with its file."""
    found = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "versions" not in path.parts:
                found += [
                    (name, str(path.relative_to(ROOT))) for name in (path.stem, *defined(ast.parse(path.read_text())))
                ]
    for path in sorted((ROOT / "templates").rglob("*.html")):
        found += [(name, str(path.relative_to(ROOT))) for name in (path.stem, *written(path.read_text()))]
    for path in sorted((ROOT / "static").glob("*.css")):
        found += [(name, path.name) for name in re.findall(r"\.(-?[a-z][\w-]*)", path.read_text())]
    return found


def defined(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def written(template: str) -> Iterator[str]:
    """Macros, variables and classes of a template."""
    yield from re.findall(r"{%-? (?:macro|set) (\w+)", template)
    for classes in re.findall(r'class="([^"{]*)', template):
        yield from classes.split()


def old(name: str) -> list[str]:
    return [word.lower() for word in words(name) if word.lower() in TERMS]


def test_no_name_has_a_word_of_the_old_vocabulary() -> None:
    found = {
        f"{file}: {name} (instead of {word}: {TERMS[word]})"
        for name, file in names()
        if name not in EXCEPTIONS
        for word in old(name)
    }

    assert sorted(found) == []


def test_each_exception_is_one() -> None:
    there = {name for name, _ in names()}

    assert [name for name in EXCEPTIONS if name not in there or not old(name)] == []


def test_words_of_a_name_are_found_however_they_are_joined() -> None:
    assert [old(name) for name in ("a_letter_b", "SomeLetterBox", "LETTER", "letter-box", "newsletter")] == [
        ["letter"], ["letter"], ["letter"], ["letter"], [],
    ]  # fmt: skip


# Phrases of the old vocabulary, in everything that people read: pages, e-mails, documentation, sources.
PHRASES = re.compile(
    r"\bwhoever\b|\bthie(?:f|ves)\b|\bthe trail\b|\baudit trail\b|\bthe desk\b|\bletters? (?:is|are) owed\b", re.I
)


def test_no_text_has_a_phrase_of_the_old_vocabulary() -> None:
    found = []
    for folder in (*FOLDERS, "templates", "docs", "static", "findings"):
        for path in sorted((ROOT / folder).rglob("*")):
            inside = path.relative_to(ROOT).parts
            if path.suffix not in (".py", ".html", ".md", ".txt", ".sql", ".yml", ".sh", ".js", ".css"):
                continue
            if {"versions", "swagger", "build"} & set(inside) or path.name in ("test_words.py", "results.md"):
                continue
            found += [f"{'/'.join(inside)}: {match[0]}" for match in PHRASES.finditer(path.read_text("utf-8"))]

    assert found == []
