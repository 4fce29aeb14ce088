"""Holds: refused: The specified alg value is not allowed; refused: The specified key is an asymmetric key"""

import base64
import hashlib
import hmac
import json

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from ravyn.security.jwt.token import Token
from stage import hours

public = generate_private_key(65537, 2048).public_key()
pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


# shown: the public key is public; the attacker uses it as the secret of an HMAC
body = ".".join(
    b64(json.dumps(part).encode())
    for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": "1", "exp": int(hours(1).timestamp())})
)
forged = f"{body}.{b64(hmac.digest(pem, body.encode(), hashlib.sha256))}"

for algorithms in (["RS256"], ["RS256", "HS256"]):
    try:
        print("accepted:", Token.decode(forged, pem, algorithms=algorithms).sub)
    except jwt.PyJWTError as error:
        print("refused:", error)
# /shown
