"""The attacks: each is a short script that sends requests to the real endpoints, with a temporary account.

A script decides from the responses alone whether the attack failed. It does not know how its requests are sent, so a
test runs the same script with an HTTP client against a server process and compares the results. Each script first sends
a valid request that succeeds: without it, a refusal would prove nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.learn.lab.attacks import requests, sessions, theft, tokens
from app.learn.lab.attacks.script import Outcome
from app.learn.lab.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Attack:
    """`test` fails without the defence. `transcripts`: names in transcripts.json of what the documentation page's code
    does in this case; the first one that exists is shown. `innocent`: honest behaviour that must succeed."""

    name: str
    title: str
    idea: str
    script: Callable[[Sandbox], Awaitable[Outcome]]
    test: str
    transcripts: tuple[str, ...] = ()
    innocent: bool = False


ALL = (
    Attack(
        "alg-none", "alg: none",
        "The token's header declares that the token is unsigned. Some libraries accepted such a token, so that anyone "
        "could make themselves an administrator.",
        tokens.alg_none, "tests/auth/test_tokens.py::test_unsigned_and_foreign_signatures_are_refused",
        ("alg-none", "token-decode"),
    ),
    Attack(
        "key-confusion", "Key confusion",
        "The attacker signs with HMAC and uses the public key, which anyone can download, as the secret. Or the token "
        "brings the attacker's own key in its header.",
        tokens.key_confusion,
        "tests/auth/test_tokens.py::test_header_that_is_not_ours_is_refused_whatever_the_signature",
        ("key-confusion", "pitfall-weak-key"),
    ),
    Attack(
        "wrong-audience", "Wrong audience",
        "A token of another site that has the same key or issuer: its signature is valid, but it is not meant for this "
        "site.",
        tokens.wrong_audience, "tests/auth/test_tokens.py::test_wrong_claims_are_refused_whatever_the_signature",
        ("wrong-audience", "decode-validation"),
    ),
    Attack(
        "expired", "Expired",
        "A token found in an old log, or one without an expiry.",
        tokens.expired, "tests/auth/test_tokens.py::test_times_at_their_edges",
        ("expired", "pitfall-no-expiry"),
    ),
    Attack(
        "refresh-as-access", "Refresh token as access token",
        "A refresh token is valid for a week. If routes accepted it as an access token, the short lifetime of access "
        "tokens would protect nothing.",
        tokens.refresh_as_access, "tests/auth/test_tokens.py::test_one_kind_is_never_taken_for_the_other",
        ("refresh-as-access", "refresh-type-check"),
    ),
    Attack(
        "stale-refresh", "Reused refresh token",
        "An attacker copies a refresh token and presents it after the owner has refreshed twice.",
        sessions.stale_refresh, "tests/race/test_server.py::test_token_two_generations_old_ends_the_session_for_good",
        ("stale-refresh", "refresh-endpoint"),
    ),
    Attack(
        "copied-cookies", "Copied cookies, bound session",
        "Malware copies every cookie of the browser. The session is bound to its device (DBSC): only a signature of a "
        "key that does not leave the device renews it.",
        theft.copied_cookies,
        "e2e/test_device_bound.py::test_copied_cookies_are_worth_nothing_once_the_access_token_is_over",
    ),
    Attack(
        "two-tabs", "Two tabs at once",
        "Two tabs of one browser present the same refresh token at the same moment. Many sites sign the user out then.",
        sessions.two_tabs,
        "tests/race/test_server.py::test_twenty_parallel_refreshes_with_one_token_make_one_generation",
        ("two-tabs", "refresh-endpoint"), innocent=True,
    ),
    Attack(
        "lost-answer", "Lost response",
        "The server issues a new pair, but the response never arrives, so the browser presents the old refresh token "
        "again.",
        sessions.lost_answer, "tests/auth/sessions/test_rotation.py::test_lost_response_is_issued_again_days_later",
        ("lost-answer", "refresh-endpoint"), innocent=True,
    ),
    Attack(
        "cross-site-post", "Form post from another site",
        "Cross-site request forgery (CSRF): a page of another site sends a form to this one, and the browser adds the "
        "user's cookies.",
        requests.cross_site_post, "tests/web/test_same_origin.py::test_the_rule_for_what_changes_something",
        ("cross-site-post",),
    ),
    Attack(
        "script-reads-cookies", "Script reads the token",
        "Cross-site scripting (XSS): one injected line of script can send everything in localStorage to the attacker.",
        requests.script_reads_cookies, "e2e/test_tokens_out_of_reach.py::test_script_reads_no_cookie",
        ("script-reads-cookies", "pitfall-localstorage"),
    ),
    Attack(
        "open-redirect", "Open redirect",
        "A link to this site's login page whose parameter next sends the user on to a copy of that page on another "
        "site.",
        requests.open_redirect, "tests/web/test_urls.py::test_anything_else_becomes_the_dashboard",
        ("open-redirect",),
    ),
    Attack(
        "mass-assignment", "Mass assignment",
        "The request has a field that the form does not have: role=admin.",
        requests.mass_assignment, "tests/contract/test_auth_api.py::test_unknown_fields_are_422",
        ("mass-assignment", "login-endpoint"),
    ),
    Attack(
        "body-over-arguments", "Body overrides arguments",
        "The unpatched framework merges a JSON body into the handler's arguments, so a client can set any of them.",
        requests.body_over_arguments, "tests/contract/test_auth_api.py::test_body_never_overrides_who_asks",
        ("body-over-arguments", "protected"),
    ),
)  # fmt: skip


async def run(attack: Attack, sandbox: Sandbox) -> Outcome:
    """Run the script. A script that stops early counts as a failed defence."""
    try:
        return await attack.script(sandbox)
    except (KeyError, ValueError) as error:
        return Outcome(
            False, f"The script stopped, because a response was not as expected ({type(error).__name__}).", []
        )


def find(name: str) -> Attack | None:
    return next((attack for attack in ALL if attack.name == name), None)
