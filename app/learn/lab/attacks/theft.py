"""Every cookie of a browser, copied: what it is worth where the session is bound to its device (DBSC)."""

import re
from typing import Any
from uuid import UUID

from app import db
from app.auth import cookies, keys
from app.auth.pages import device_session
from app.auth.sessions import device_binding, rotation_policy
from app.auth.tokens import TokenPair
from app.learn.lab import forge, sources
from app.learn.lab.attacks.requests import pair_of
from app.learn.lab.attacks.script import ME, REFRESH, Outcome, statuses
from app.learn.lab.bound_device import BoundDevice
from app.learn.lab.http_exchange import Answer
from app.learn.lab.sandbox import Sandbox


async def copied_cookies(sandbox: Sandbox) -> Outcome:
    owner, attacker, copy = BoundDevice(), BoundDevice(), sandbox.pair
    only_refresh = TokenPair("", copy.refresh_token, 0, 0)

    async def renew(note: str, proof: str = "") -> Answer:
        more: dict[str, Any] = {"secure_session_response": proof} if proof else {}
        return await sandbox.request(note, "POST", device_session.RENEW, jar=only_refresh, **more)

    bound = await sandbox.request(
        "The sign-in has sent a challenge. The owner's browser makes a key pair and binds the session.",
        "POST", cookies.REGISTER_DEVICE, jar=copy, secure_session_response=owner.registration(_of_the_sign_in(copy)),
    )  # fmt: skip
    opens = await sandbox.request("The copied cookies open pages until the access token expires.", "GET", ME, jar=copy)
    alone = await renew("To renew the session, the copy is asked for a proof.")
    forged = await renew("The attacker signs the challenge with a key of their own.", attacker.proof(_wanted(alone)))
    api = await sandbox.request("The API's way to refresh takes no proof.", "POST", REFRESH, jar=only_refresh)
    page = await sandbox.request(
        "Nor does the one of pages.", "GET", "/auth/resume", jar=only_refresh, accept="text/html"
    )
    renewed = await renew("The owner's device signs the challenge.", owner.proof(_wanted(alone)))
    goes_on = await sandbox.request("The owner's session goes on.", "GET", ME, jar=pair_of(renewed))
    return Outcome(
        statuses(bound, opens, alone, forged, api, page, renewed, goes_on) == [200, 200, 403, 403, 401, 303, 200, 200],
        "The copy opens pages for as long as its access token lives, at most 15 minutes, and renews nothing. The owner "
        "notices nothing; the audit log has session_proof_missing.",
        [
            sources.find(rotation_policy.decide, "if not proven"),
            sources.find(device_binding.proves, "_signed_challenge(proof, key)"),
        ],
    )


def _of_the_sign_in(pair: TokenPair) -> str:
    """The challenge that the answer to the sign-in would have over https: a temporary account has not signed in."""
    _, claims = forge.parts(pair.refresh_token)
    return keys.expiring_mac(
        device_binding.REGISTRATION, str(UUID(claims["sid"])), db.utcnow() + device_binding.REGISTRATION_LIFETIME
    )


def _wanted(answer: Answer) -> str:
    """The challenge in an answer. Errors: ValueError if it has none."""
    found = re.match(r'"([^"]+)"', answer.header("secure-session-challenge"))
    if found is None:
        raise ValueError("no challenge")
    return found[1]
