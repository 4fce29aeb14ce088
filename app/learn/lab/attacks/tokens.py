"""Access tokens that are forged, expired, meant for another site or of the wrong type."""

import json

from app import db
from app.learn.lab import forge
from app.learn.lab.attacks.script import ELSEWHERE, REFRESH, Outcome, forged
from app.learn.lab.sandbox import Sandbox


async def alg_none(sandbox: Sandbox) -> Outcome:
    header, claims = forge.parts(sandbox.pair.access_token)
    signature = sandbox.pair.access_token.rpartition(".")[2]
    claims |= {"role": "admin"}
    forgeries = [
        ("no signature", forge.unsigned({**header, "alg": "none"}, claims)),
        ("the signature of another token", forge.unsigned({**header, "alg": "none"}, claims, signature)),
        ("the same, with NONE in capitals", forge.unsigned({**header, "alg": "NONE"}, claims, signature)),
    ]
    return await forged(
        sandbox, forgeries, "The key determines the algorithm, never the token, and no key has the algorithm none."
    )


async def key_confusion(sandbox: Sandbox) -> Outcome:
    published = await sandbox.request("The public keys of this site.", "GET", "/.well-known/jwks.json")
    header, claims = forge.parts(sandbox.pair.access_token)
    other = "EdDSA" if header["alg"] == "HS256" else "HS256"
    public = json.dumps(published.json()).encode()
    own = {"kty": "oct", "k": "AAAA"}
    forgeries = [
        (
            f"the key id of this site with the algorithm {other}",
            forge.signed_wrongly({**header, "alg": other}, claims, public),
        ),
        (
            "HMAC with the published keys as the secret",
            forge.signed_wrongly({**header, "alg": "HS256"}, claims, public),
        ),
        ("a key in the token's own header", forge.signed_wrongly({**header, "jwk": own}, claims, bytes(3))),
    ]
    return await forged(sandbox, forgeries, "Each key has exactly one algorithm, and a key in a header is never used.")


async def wrong_audience(sandbox: Sandbox) -> Outcome:
    header, claims = forge.parts(sandbox.pair.access_token)

    def meant(**changes: object) -> str:
        return forge.signed_as_if_the_key_had_leaked(header, claims | changes)

    forgeries = [
        ("for another site", meant(aud=ELSEWHERE)),
        ("for another site and for this one", meant(aud=[claims["aud"], ELSEWHERE])),
        ("from another issuer", meant(iss=ELSEWHERE)),
    ]
    return await forged(sandbox, forgeries, "A valid signature is not enough: issuer and audience must be this site.")


async def expired(sandbox: Sandbox) -> Outcome:
    header, claims = forge.parts(sandbox.pair.access_token)
    now = int(db.utcnow().timestamp())
    endless = {name: value for name, value in claims.items() if name != "exp"}
    forgeries = [
        ("expired a minute ago", forge.signed_as_if_the_key_had_leaked(header, claims | {"exp": now - 60})),
        ("expires in this very second", forge.signed_as_if_the_key_had_leaked(header, claims | {"exp": now})),
        ("no expiry", forge.signed_as_if_the_key_had_leaked(header, endless)),
    ]
    return await forged(
        sandbox, forgeries, "exp is required, and a token is invalid from that second on, without leeway."
    )


async def refresh_as_access(sandbox: Sandbox) -> Outcome:
    stolen = [("the refresh token, as an access token", sandbox.pair.refresh_token)]
    outcome = await forged(
        sandbox, stolen, "Each type of token has one use: access tokens for requests, refresh tokens for refreshing."
    )
    body = {"refresh_token": sandbox.pair.access_token}
    swapped = await sandbox.request("The access token, as a refresh token.", "POST", REFRESH, body=body)
    return Outcome(outcome.held and swapped.status == 401, outcome.sentence, outcome.checks, outcome.forged)
