"""How each pattern of the framework's documentation page fares: where it stands, what proves it, who explains it.

The verdicts are written here. The rest is collected: places from the "Patterns:" lines of docstrings in app/, tests
from `@pytest.mark.pattern`, chapters from their own "Patterns:" lines. `make docs` writes the table; a hole in it fails
a test.
"""

import ast
import re
from dataclasses import dataclass

from app.learn import chapters, sources

MARKS = re.compile(r"<!-- ledger -->\n.*?<!-- /ledger -->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pattern:
    """`what` the page shows, how it `fails` there, "" where it holds as printed, and what stands `here` instead."""

    what: str
    fails: str = ""
    here: str = ""

    @property
    def as_printed(self) -> bool:
        return not self.fails


# In the page's own order. Verdicts hold for ravyn 0.4.3, lilya 0.29, edgy 0.37; tests/patterns runs the printed forms.
PATTERNS = {
    "quick-start": Pattern(
        "an application with `JWTAuthMiddleware` and `JWTConfig`",
        "The import does not exist, `jwt_config=` is no argument, and the middleware wants a backend.",
        "the framework's `AuthenticationMiddleware` with a backend of ours.",
    ),
    "install": Pattern(
        "`pip install ravyn[jwt]`",
        "It brings PyJWT and bcrypt, and neither Edgy nor what hashes and signs.",
        "`pyproject.toml` names all of them.",
    ),
    "structure": Pattern("header.payload.signature"),
    "why": Pattern(
        "stateless: no database look-up each request",
        "The built-in backend asks the database every time.",
        "a badge is checked in once, costs no query from then on, and can be revoked all the same.",
    ),
    "minimal-config": Pattern(
        "`JWTConfig(signing_key, algorithm)`",
        "Another import path; any key is taken.",
        "the key is checked at the start.",
    ),
    "complete-config": Pattern(
        "lifetimes, issuer, audience",
        "A number of seconds becomes a float that no date can be added to, and nothing reads it.",
        "`timedelta`, read in one place.",
    ),
    "parameters": Pattern(
        "the table of types and defaults", "The defaults are 5 minutes and 1 day.", "every value is given."
    ),
    "token-create": Pattern(
        "`Token(sub, exp, iat).encode(...)`",
        "`utcnow()` is taken for local time, so it fails outside UTC.",
        "every time knows its zone.",
    ),
    "custom-claims": Pattern(
        "`Token(..., email, role)`",
        "Claims that the class does not name are dropped.",
        "a subclass names them; e-mail stays out, for it goes stale.",
    ),
    "token-decode": Pattern(
        "`Token.decode(token, key, algorithms)`", "Issuer and audience are not looked at.", "both are, always."
    ),
    "token-decode-claims": Pattern(
        "`token.sub`, `token.email`", "AttributeError on a claim that the class does not name.", "the same subclass."
    ),
    "decode-validation": Pattern(
        "`audience`, `issuer`, `except Exception`",
        "The page's own token has neither claim, and the `except` hides mistakes.",
        "minted with both; the errors are named.",
    ),
    "app-token": Pattern("`AppToken` with `token_type` and two methods"),
    "token-pair": Pattern(
        "`create_tokens(user_id)`",
        "Two logins in one second get the same token.",
        "the pair belongs to a session: `sid`, `gen`, `jti`, `iss`, `aud`.",
    ),
    "middleware": Pattern(
        "`JWTAuthMiddleware` on the application",
        "It closes the login page too, and lets refresh tokens and closed accounts in.",
        "a backend says who it is; guards refuse.",
    ),
    "protected": Pattern(
        "`request.user.id`, `.email` behind a check",
        "The user is the row, with the password's hash.",
        "the user is a Principal: what a handler may know.",
    ),
    "login-endpoint": Pattern(
        "`POST /auth/login` with a model as body",
        "`User.get` and `verify_password` do not exist, success is 201, and a bad body is repeated with its password.",
        "200, or 422 without what was sent.",
    ),
    "login-errors": Pattern(
        '401 "Invalid credentials"',
        "An unknown address is answered ten times as fast.",
        "it costs a hash as well.",
    ),
    "refresh-endpoint": Pattern(
        "`POST /auth/refresh` gives an access token",
        "The token stands in the address, and works again and again.",
        "body or cookie; rotation, and an old copy ends the session.",
    ),
    "refresh-type-check": Pattern(
        "an access token is no refresh token",
        "Its own `except` swallows the message, and the other direction is open.",
        "`typ` and `token_type`, both ways.",
    ),
    "settings": Pattern(
        "`RavynSettings` with `jwt_config`, `settings_module`",
        "Nothing reads it, and `DEBUG` of another program stops the start.",
        "a prefix, and code that reads it.",
    ),
    "pitfall-weak-key": Pattern(
        "a strong random key", "The printed fall-back gives each worker a key of its own.", "no key, no start."
    ),
    "pitfall-no-expiry": Pattern(
        "always set `exp`",
        "The mistake cannot be made: `Token` insists on `exp`.",
        "so does whoever reads one.",
    ),
    "pitfall-localstorage": Pattern(
        "a cookie: httpOnly, secure, samesite=strict",
        "The built-in backend reads no cookies.",
        "ours does; `__Host-` in the name, and a way in for links from other sites.",
    ),
    "practice-env": Pattern(
        "the key from the environment", "One letter passes.", "length and strength are checked at the start."
    ),
    "practice-short": Pattern("15 minutes, 7 days", "Given as a number, it breaks.", "`timedelta`."),
    "practice-all-claims": Pattern("issuer and audience on decode"),
    "learn-more": Pattern(
        "sessions, CORS, security pages",
        "Several of the helpers there fail open.",
        "what stands here instead, and why.",
    ),
}  # fmt: skip


def places() -> dict[str, list[str]]:
    """Pattern -> the modules of app/ whose docstring names it."""
    found: dict[str, list[str]] = {}
    for name in sources.names():
        if name.startswith("app/") and name.endswith(".py"):
            docstring = ast.get_docstring(ast.parse(sources.text(name))) or ""
            for listed in re.findall(r"\bPatterns?: ([a-z,\s-]+)\.", docstring):
                for pattern in listed.replace("\n", " ").split(","):
                    found.setdefault(pattern.strip(), []).append(name)
    return found


def tests() -> dict[str, list[tuple[str, str]]]:
    """Pattern -> (file, function) of every test that is marked with it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name in sources.names():
        if name.startswith(("tests/", "e2e/")) and name.endswith(".py"):
            for node in ast.walk(ast.parse(sources.text(name))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    for pattern in map(_marked, node.decorator_list):
                        if pattern:
                            found.setdefault(pattern, []).append((name, node.name))
    return found


def explained() -> dict[str, list[chapters.Chapter]]:
    """Pattern -> the chapters that claim it."""
    found: dict[str, list[chapters.Chapter]] = {}
    for chapter in chapters.chapters():
        for pattern in chapter.patterns:
            found.setdefault(pattern, []).append(chapter)
    return found


def written_into(page: str) -> str:
    """The page, a file in docs/, with the table between its two comments made anew."""
    return MARKS.sub(lambda _: f"<!-- ledger -->\n{_table()}<!-- /ledger -->", page)


def _table() -> str:
    placed, tested, told, root = places(), tests(), explained(), "../"
    lines = ["| pattern | on the page | verdict | code | tests | chapter |", "|---|---|---|---|---|---|"]
    for name, pattern in PATTERNS.items():
        code = [f"[`{place.removeprefix('app/')}`]({root}{place})" for place in placed[name]]
        first = dict(reversed(tested[name]))  # of each file the first test
        proofs = [f"[`{file.rpartition('/')[2]}`]({root}{file}#{first[file]})" for file in dict(tested[name])]
        chapter = told[name][0]
        file = f"{chapter.number:02}-{chapter.slug}.md"
        decision = "as printed" if pattern.as_printed else f"adapted. {pattern.fails} Here: {pattern.here}"
        cells = [
            f"`{name}`", pattern.what, decision, ", ".join(code), ", ".join(proofs),
            f"[{chapter.title}]({file})",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _marked(decorator: ast.expr) -> str:
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.pattern" and decorator.args:
        return str(ast.literal_eval(decorator.args[0]))
    return ""
