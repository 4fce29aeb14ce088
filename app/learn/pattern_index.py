"""The index of the patterns on the framework's documentation page: verdict, code, tests and chapter of each.

The verdicts are written in this module. The code comes from the "Patterns:" lines of docstrings in app/, the tests from
`@pytest.mark.pattern`, and the chapter from its own "Patterns:" line. `make docs` writes the table to docs/patterns.md;
a pattern without code, test or chapter fails a test.
"""

import ast
import re
from dataclasses import dataclass

from app.learn import chapters, sources
from app.learn.markdown import SITE

MARKS = re.compile(r"<!-- pattern-index -->\n.*?<!-- /pattern-index -->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pattern:
    """`what` the page shows, how it `fails` ("" if it works as printed), and what is `here` instead."""

    what: str
    fails: str = ""
    here: str = ""

    @property
    def as_printed(self) -> bool:
        return not self.fails


# In the order of the page. They hold for ravyn 0.4.3, lilya 0.29 and edgy 0.37; tests/patterns runs the page's code.
PATTERNS = {
    "quick-start": Pattern(
        "an application with `JWTAuthMiddleware` and `JWTConfig`",
        "The import path does not exist, the application has no argument `jwt_config=`, and the middleware needs a "
        "backend.",
        "The framework's `AuthenticationMiddleware` with a backend of this application.",
    ),
    "install": Pattern(
        "`pip install ravyn[jwt]`",
        "This installs PyJWT, but neither Edgy nor passlib, which the page's code imports.",
        "`pyproject.toml` lists every dependency.",
    ),
    "structure": Pattern("header.payload.signature"),
    "why": Pattern(
        "stateless: no database look-up for each request",
        "The built-in backend queries the database for each request.",
        "Each worker caches validated sessions. A cached session needs no query and can be revoked.",
    ),
    "minimal-config": Pattern(
        "`JWTConfig(signing_key, algorithm)`",
        "The import path does not exist, and the class accepts any key.",
        "The application checks the key when it starts.",
    ),
    "complete-config": Pattern(
        "lifetimes, issuer, audience",
        "A lifetime in seconds becomes a float, which cannot be added to a datetime.",
        "Each lifetime is a `timedelta`.",
    ),
    "parameters": Pattern(
        "the table of types and defaults", "The defaults are 5 minutes and 1 day.", "Every value is set explicitly."
    ),
    "token-create": Pattern(
        "`Token(sub, exp, iat).encode(...)`",
        "`utcnow()` is interpreted as local time, so the code fails unless the local time zone is UTC.",
        "Every datetime has a time zone.",
    ),
    "custom-claims": Pattern(
        "`Token(..., email, role)`",
        "`Token` drops claims that the class does not declare.",
        "A subclass declares them. The e-mail address is not a claim, because it can change.",
    ),
    "token-decode": Pattern(
        "`Token.decode(token, key, algorithms)`",
        "Without further arguments, issuer and audience are not verified.",
        "Both are always verified.",
    ),
    "token-decode-claims": Pattern(
        "`token.sub`, `token.email`",
        "`token.email` raises AttributeError, because the class does not declare the claim.",
        "The subclass declares its claims.",
    ),
    "decode-validation": Pattern(
        "`audience`, `issuer`, `except Exception`",
        "The page's own token has neither claim, so it is refused, and `except Exception` hides programming errors.",
        "Every token has both claims, and the code catches specific exceptions.",
    ),
    "app-token": Pattern("`AppToken` with `token_type` and two methods"),
    "token-pair": Pattern(
        "`create_tokens(user_id)`",
        "Two logins in the same second get the same token.",
        "Each pair belongs to a session and has the claims `sid`, `gen`, `jti`, `iss` and `aud`.",
    ),
    "middleware": Pattern(
        "`JWTAuthMiddleware` on the application",
        "It requires a token for the login route, too, and accepts refresh tokens and deactivated accounts.",
        "A backend authenticates each request, and permissions refuse access to routes.",
    ),
    "protected": Pattern(
        "`request.user.id`, `.email` behind a check",
        "The user is the database row, with the password hash.",
        "The user is a principal without the password hash.",
    ),
    "login-endpoint": Pattern(
        "`POST /auth/login` with a model as body",
        "`User.get` and `verify_password` do not exist, a login answers 201, and a validation error repeats the "
        "password.",
        "A login answers 200, and a 422 does not repeat the input.",
    ),
    "login-errors": Pattern(
        '401 "Invalid credentials"',
        "For an unknown address no password hash is computed, so the response is much faster.",
        "An unknown address costs a password hash, too.",
    ),
    "refresh-endpoint": Pattern(
        "`POST /auth/refresh` returns an access token",
        "The refresh token is a query parameter and can be used again and again.",
        "The refresh token is in the body or in a cookie. It rotates, and reuse ends the session.",
    ),
    "refresh-type-check": Pattern(
        "an access token is refused as a refresh token",
        "The `except` of the same function hides the message, and refresh tokens are accepted as access tokens.",
        "`typ` and `token_type` are verified for both types.",
    ),
    "settings": Pattern(
        "`RavynSettings` with `jwt_config`, `settings_module`",
        "No code reads `jwt_config`, and a `DEBUG` variable of another program stops the start.",
        "`DEBUG` of another program has no effect, and the application reads `jwt_config`.",
    ),
    "pitfall-weak-key": Pattern(
        "a strong random key",
        "The page's fallback creates a different key in each worker.",
        "The application does not start without a key.",
    ),
    "pitfall-no-expiry": Pattern(
        "always set `exp`",
        "The mistake is impossible: `Token` requires `exp`.",
        "The code that reads tokens requires it, too.",
    ),
    "pitfall-localstorage": Pattern(
        "a cookie: httpOnly, secure, samesite=strict",
        "The built-in backend does not read cookies.",
        "This backend does. The names have the prefix `__Host-`, and links from other sites work.",
    ),
    "practice-env": Pattern(
        "the key from the environment",
        "A key of one character is accepted.",
        "The application checks the length and the strength of the key when it starts.",
    ),
    "practice-short": Pattern(
        "15 minutes, 7 days",
        "A number of seconds becomes a float, which cannot be added to a datetime.",
        "Each lifetime is a `timedelta`.",
    ),
    "practice-all-claims": Pattern("issuer and audience on decode"),
    "learn-more": Pattern(
        "sessions, CORS, security pages",
        "Several helpers on those pages accept requests that they should refuse.",
        "The chapter names the replacements and the reasons.",
    ),
}  # fmt: skip


def places() -> dict[str, list[str]]:
    """Pattern -> the modules in app/ whose docstring names it."""
    found: dict[str, list[str]] = {}
    for name in sources.names():
        if name.startswith("app/") and name.endswith(".py"):
            docstring = ast.get_docstring(ast.parse(sources.text(name))) or ""
            for listed in re.findall(r"\bPatterns?: ([a-z,\s-]+)\.", docstring):
                for pattern in listed.replace("\n", " ").split(","):
                    found.setdefault(pattern.strip(), []).append(name)
    return found


def tests() -> dict[str, list[tuple[str, str]]]:
    """Pattern -> (file, function) of the tests that are marked with it."""
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
    """Pattern -> the chapters that name it."""
    found: dict[str, list[chapters.Chapter]] = {}
    for chapter in chapters.chapters():
        for pattern in chapter.patterns:
            found.setdefault(pattern, []).append(chapter)
    return found


def built() -> dict[str, chapters.Chapter]:
    """Pattern -> the step of the course that builds it."""
    return {pattern: step for step in chapters.steps() for pattern in step.patterns}


def written_into(page: str) -> str:
    """The text of docs/patterns.md with a new table between its two comments."""
    return MARKS.sub(lambda _: f"<!-- pattern-index -->\n{_table()}<!-- /pattern-index -->", page)


def _table() -> str:
    code_of, tests_of, chapters_of, steps_of, root = places(), tests(), explained(), built(), "../"
    lines = ["| pattern | on the page | verdict | code | tests | step | chapter |", "|---|---|---|---|---|---|---|"]
    for name, pattern in PATTERNS.items():
        code = [f"[`{place.removeprefix('app/')}`]({root}{place})" for place in code_of[name]]
        first = dict(reversed(tests_of[name]))  # the first test in each file
        proofs = [f"[`{file.rpartition('/')[2]}`]({root}{file}#{first[file]})" for file in dict(tests_of[name])]
        chapter = chapters_of[name][0]
        file = f"{chapter.number:02}-{chapter.slug}.md"
        decision = "as printed" if pattern.as_printed else f"adapted. {pattern.fails} Here: {pattern.here}"
        cells = [
            f"[`{name}`]({SITE}/learn/patterns/{name})", pattern.what, decision, ", ".join(code), ", ".join(proofs),
            f"[{steps_of[name].title}](build/{steps_of[name].path.name})",
            f"[{chapter.title}]({file})",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _marked(decorator: ast.expr) -> str:
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.pattern" and decorator.args:
        return str(ast.literal_eval(decorator.args[0]))
    return ""
