"""Forged, foreign, stale and mistaken access tokens."""

import json

from app import db
from app.learn.lab import forge
from app.learn.lab.attacks.script import ELSEWHERE, REFRESH, Outcome, forged
from app.learn.lab.sandbox import Bench


async def alg_none(bench: Bench) -> Outcome:
    header, claims = forge.parts(bench.pair.access_token)
    signature = bench.pair.access_token.rpartition(".")[2]
    claims |= {"role": "admin"}
    forgeries = [
        ("no signature at all", forge.unsigned({**header, "alg": "none"}, claims)),
        ("a signature from elsewhere", forge.unsigned({**header, "alg": "none"}, claims, signature)),
        ("the same in capitals", forge.unsigned({**header, "alg": "NONE"}, claims, signature)),
    ]
    return await forged(bench, forgeries, "The algorithm is the key's, never the token's; none is nobody's.")


async def key_confusion(bench: Bench) -> Outcome:
    published = await bench.ask("The keys that this site publishes.", "GET", "/.well-known/jwks.json")
    header, claims = forge.parts(bench.pair.access_token)
    other = "EdDSA" if header["alg"] == "HS256" else "HS256"
    public = json.dumps(published.json()).encode()
    own = {"kty": "oct", "k": "AAAA"}
    forgeries = [
        (f"our key's name, but {other}", forge.signed_wrongly({**header, "alg": other}, claims, public)),
        ("HMAC under what is published", forge.signed_wrongly({**header, "alg": "HS256"}, claims, public)),
        ("a key that the token brings along", forge.signed_wrongly({**header, "jwk": own}, claims, bytes(3))),
    ]
    return await forged(bench, forgeries, "A key is good for one algorithm, and no token brings a key along.")


async def wrong_audience(bench: Bench) -> Outcome:
    header, claims = forge.parts(bench.pair.access_token)

    def meant(**changes: object) -> str:
        return forge.signed_as_if_the_key_had_leaked(header, claims | changes)

    forgeries = [
        ("for another site", meant(aud=ELSEWHERE)),
        ("for another site and for this one", meant(aud=[claims["aud"], ELSEWHERE])),
        ("from another issuer", meant(iss=ELSEWHERE)),
    ]
    return await forged(bench, forgeries, "A good signature is not enough: it must be meant for this very site.")


async def expired(bench: Bench) -> Outcome:
    header, claims = forge.parts(bench.pair.access_token)
    now = int(db.utcnow().timestamp())
    endless = {name: value for name, value in claims.items() if name != "exp"}
    forgeries = [
        ("over for a minute", forge.signed_as_if_the_key_had_leaked(header, claims | {"exp": now - 60})),
        ("over on this very second", forge.signed_as_if_the_key_had_leaked(header, claims | {"exp": now})),
        ("without an end", forge.signed_as_if_the_key_had_leaked(header, endless)),
    ]
    return await forged(bench, forgeries, "Over is over, without leeway; and a token without an end is none.")


async def refresh_as_access(bench: Bench) -> Outcome:
    stolen = [("the refresh token, to enter", bench.pair.refresh_token)]
    outcome = await forged(bench, stolen, "Each kind opens its own door: one enters, the other renews.")
    body = {"refresh_token": bench.pair.access_token}
    swapped = await bench.ask("The access token, to renew.", "POST", REFRESH, body=body)
    return Outcome(outcome.held and swapped.status == 401, outcome.sentence, outcome.checks, outcome.forged)
