"""What the source itself promises: of its scripts, its templates, its patterns, and of whom it talks to."""

import ast
import re
from pathlib import Path

import pytest

from app.settings import ROOT
from tests.support.source import imported, sources

SCRIPTS = sorted((ROOT / "static").glob("*.js"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
# Modules that open a connection, and where each may be used. No address that a visitor types is among what they reach.
CLIENTS = {
    "aiosmtplib": ("app/email/",),
    "httpx": ("app/email/https_api.py",),
    "urllib3": (),
    "requests": (),
    "aiohttp": (),
    "asyncpg": ("app/db/",),
    "socket": ("app/cli/doctor/", "app/cli/", "app/server/run.py", "app/server/workers.py"),
}


# v5.0.0-1.3.6, v5.0.0-13.2.4, v5.0.0-13.2.5
def test_connections_are_opened_in_few_places() -> None:
    for path, text in sources().items():
        for name in CLIENTS.keys() & set(imported(text)):
            assert path.startswith(CLIENTS[name]), f"{path} imports {name}"
        if re.search(r"\burlopen\b|http\.client|open_connection|create_connection", text):
            assert path.startswith(("app/cli/doctor/", "app/server/run.py")), path  # one's own site


# v5.0.0-1.2.9, v5.0.0-1.3.12
def test_no_pattern_is_made_of_what_a_visitor_typed() -> None:
    """A pattern is a constant, or made of constants and of `re.escape`."""
    for path, text in sources().items():
        if path.startswith(("app/cli/", "app/cli/doctor/")):
            continue
        for call in [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]:
            match call.func:
                case ast.Attribute(value=ast.Name(id="re"), attr=attr) if attr != "escape":
                    assert made_of_constants(call.args[0]), f"{path}:{call.lineno}"


def made_of_constants(node: ast.expr) -> bool:
    match node:
        case ast.Constant():
            return True
        case ast.JoinedStr(values=values):
            return all(made_of_constants(value) for value in values)
        case ast.FormattedValue(value=value):
            return made_of_constants(value)
        case ast.Name(id=name):
            return name.isupper()
        case ast.BinOp(left=left, right=right):
            return made_of_constants(left) and made_of_constants(right)
        case ast.Call(func=ast.Attribute(attr="join" | "escape")):
            return True
    return False


def test_what_is_handed_to_a_thread_takes_the_callers_context_along() -> None:
    """Without it, what is written there knows no request. `asyncio.to_thread` does so by itself."""
    handed = {"run_in_executor": 1, "submit": 0}  # which argument is the work
    for path, text in sources().items():
        for call in [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]:
            match call.func:
                case ast.Attribute(attr=attr) if attr in handed:
                    assert ast.unparse(call.args[handed[attr]]) == "copy_context().run", f"{path}:{call.lineno}"


# v5.0.0-3.5.5, v5.0.0-3.5.6, v5.0.0-15.3.6
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_listens_to_no_window_runs_no_text_and_writes_no_markup(script: Path) -> None:
    """A BroadcastChannel is no window: it reaches pages of this origin alone."""
    text = script.read_text()
    if re.findall(r"\btabs = (.*)", text) in (
        ['new BroadcastChannel("live");'],
        ['new BroadcastChannel("session-end");'],
    ):
        text = re.sub(r"\btabs\??\.postMessage\(", "", text)

    assert not re.search(r"postMessage|[\"']message[\"']|\beval\b|new Function|createElement\([\"']script", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|__proto__|\.prototype\b", text)


# v5.0.0-3.2.3
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_finds_nothing_by_a_name_that_markup_could_take(script: Path) -> None:
    """An element named x is `document.x` and `window.x`, too: nothing but the platform is read so."""
    text = script.read_text()

    assert set(re.findall(r"\bdocument\.(\w+)", text)) <= {
        "addEventListener", "adoptNode", "body", "cookie", "createElement", "getElementById", "hidden",
        "querySelector", "querySelectorAll",
    }  # fmt: skip
    assert set(re.findall(r"\b(?:window|globalThis|self)\.(\w+)", text)) <= {"PublicKeyCredential"}
    assert not re.search(r"\b(document|window|globalThis|self)\[", text)


# v5.0.0-1.2.3, v5.0.0-3.7.1
@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_template_puts_no_data_into_a_script_and_needs_no_plug_in(template: Path) -> None:
    text = template.read_text()

    assert all(not body.strip() for body in re.findall(r"<script\b[^>]*>(.*?)</script>", text, re.DOTALL))
    assert not re.search(r"<(?:object|embed|applet)\b|\son\w+=|javascript:", text)


# v5.0.0-11.4.1, v5.0.0-11.4.3, v5.0.0-11.3.1
def test_no_hash_but_sha_256_is_named_in_the_code() -> None:
    weak = re.compile(r"\b(?:hashlib\.(?:md5|sha1|new)|\"(?:md5|sha1)\"|DES|RC4|MODE_ECB|PKCS1v15)\b")

    assert [path for path, text in sources().items() if weak.search(text)] == []
    assert [path for path, text in sources().items() if "sha256" in text] != []


def test_secrets_are_compared_in_constant_time() -> None:
    """v5.0.0-11.2.4: `hmac.compare_digest`, or a digest that the database looks up."""
    secret = re.compile(r"(?:mac|digest|signature|token|secret|hash|jti|challenge|nonce)s?$")
    found = set()
    for path, text in sources().items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Compare) and any(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops):
                sides = [getattr(side, "attr", getattr(side, "id", "")) for side in (node.left, *node.comparators)]
                if any(map(secret.search, sides)):
                    found.add((path, ast.unparse(node)))

    assert found == {
        ("app/auth/key_rotation.py", "secret != signs"),  # a command that the operator runs
        ("app/mfa/second_factor.py", "table.c.digest == recovery_codes.digest(typed)"),
    }


# v5.0.0-15.1.5, v5.0.0-1.3.2, v5.0.0-1.2.5
def test_nothing_is_evaluated_and_no_program_is_started_for_a_visitor() -> None:
    commands = ("app/cli/", "app/cli/doctor/")
    for path, text in sources().items():
        names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        assert not {"eval", "exec", "__import__"} & names, path
        assert path.startswith(commands) or "subprocess" not in imported(text), path
        assert not {"pickle", "marshal", "shelve"} & set(imported(text)), path
