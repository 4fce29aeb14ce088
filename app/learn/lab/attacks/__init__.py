"""The attacks: each a short script against the real endpoints, on a throw-away session.

A script asks, looks at the answers alone and says whether the site held. How the requests travel it does not know, so a
test runs the same script with a plain HTTP client against a server process and compares. Each first shows that what is
attacked works: a refusal of something broken would prove nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.learn.lab.attacks import requests, sessions, tokens
from app.learn.lab.attacks.script import Outcome
from app.learn.lab.sandbox import Bench


@dataclass(frozen=True, slots=True)
class Attack:
    """`test`: what fails once the defence is gone. `transcripts`: ids under which the framework's printed code was
    recorded in the same place, the best first. `innocent`: what looks like an attack and must work."""

    name: str
    title: str
    idea: str
    script: Callable[[Bench], Awaitable[Outcome]]
    test: str
    transcripts: tuple[str, ...] = ()
    innocent: bool = False


ALL = (
    Attack(
        "alg-none", "alg: none",
        "A token may say that it is not signed. Some libraries believed it, and everybody was an admin.",
        tokens.alg_none, "tests/auth/test_tokens.py::test_unsigned_and_foreign_signatures_are_refused",
        ("alg-none", "token-decode"),
    ),
    Attack(
        "key-confusion", "Key confusion",
        "The public key, which everybody knows, used as the secret of another algorithm; or a key of the forger's own.",
        tokens.key_confusion,
        "tests/auth/test_tokens.py::test_header_that_is_not_ours_is_refused_whatever_the_signature",
        ("key-confusion", "pitfall-weak-key"),
    ),
    Attack(
        "wrong-audience", "Wrong audience",
        "Another site shares the key or the issuer. Its token is well signed, and not meant for this door.",
        tokens.wrong_audience, "tests/auth/test_tokens.py::test_wrong_claims_are_refused_whatever_the_signature",
        ("wrong-audience", "decode-validation"),
    ),
    Attack(
        "expired", "Expired",
        "A token from an old log, or one that says it never ends.",
        tokens.expired, "tests/auth/test_tokens.py::test_times_at_their_edges",
        ("expired", "pitfall-no-expiry"),
    ),
    Attack(
        "refresh-as-access", "Refresh as access",
        "A refresh token lives for a week. If it opened doors, the short life of an access token were for nothing.",
        tokens.refresh_as_access, "tests/auth/test_tokens.py::test_one_kind_is_never_taken_for_the_other",
        ("refresh-as-access", "refresh-type-check"),
    ),
    Attack(
        "stale-refresh", "Stale refresh token",
        "A thief copied a refresh token and comes with it after the owner has renewed.",
        sessions.stale_refresh, "tests/race/test_server.py::test_token_two_generations_old_ends_the_session_for_good",
        ("stale-refresh", "refresh-endpoint"),
    ),
    Attack(
        "two-tabs", "Two tabs at once",
        "One browser, two tabs, one refresh token: both renew in the same instant. Many sites log such people out.",
        sessions.two_tabs,
        "tests/race/test_server.py::test_twenty_parallel_refreshes_with_one_token_make_one_generation",
        ("two-tabs", "refresh-endpoint"), innocent=True,
    ),
    Attack(
        "lost-answer", "Lost answer",
        "A tunnel: the server has renewed, the browser never hears of it and comes with the old token once more.",
        sessions.lost_answer, "tests/auth/sessions/test_rotation.py::test_lost_answer_is_handed_out_again_days_later",
        ("lost-answer", "refresh-endpoint"), innocent=True,
    ),
    Attack(
        "cross-site-post", "Form post from another site",
        "A page elsewhere sends a form here, and the browser adds the visitor's cookies.",
        requests.cross_site_post, "tests/web/test_same_origin.py::test_the_rule_for_what_changes_something",
        ("cross-site-post",),
    ),
    Attack(
        "script-reads-cookies", "Script reads the token",
        "One line of foreign script, and whatever lies in localStorage is on its way.",
        requests.script_reads_cookies, "e2e/test_tokens_out_of_reach.py::test_script_reads_no_cookie",
        ("script-reads-cookies", "pitfall-localstorage"),
    ),
    Attack(
        "open-redirect", "Open redirect",
        "A link to our own login page that leads on to somebody else's copy of it.",
        requests.open_redirect, "tests/web/test_urls.py::test_anything_else_becomes_the_dashboard",
        ("open-redirect",),
    ),
    Attack(
        "mass-assignment", "Mass assignment",
        "A field more than the form has: role=admin.",
        requests.mass_assignment, "tests/contract/test_auth_api.py::test_unknown_fields_are_422",
        ("mass-assignment", "login-endpoint"),
    ),
    Attack(
        "body-over-arguments", "Body over arguments",
        "The framework merges a JSON body into the handler's arguments: whoever names one chooses it.",
        requests.body_over_arguments, "tests/contract/test_auth_api.py::test_body_never_overrides_who_asks",
        ("body-over-arguments", "protected"),
    ),
)  # fmt: skip


async def run(attack: Attack, bench: Bench) -> Outcome:
    """The script's outcome; one that could not go on has not held."""
    try:
        return await attack.script(bench)
    except (KeyError, ValueError) as error:
        return Outcome(
            False, f"An answer was not what it should be ({type(error).__name__}), so the script stopped.", []
        )


def find(name: str) -> Attack | None:
    return next((attack for attack in ALL if attack.name == name), None)
