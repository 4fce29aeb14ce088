"""Holds: header: {"alg":"HS256","typ":"JWT"}; signature: 32 bytes"""

import base64
import json

from ravyn.security.jwt.token import Token
from stage import KEY, hours

# shown
raw = Token(sub="41", exp=hours(1)).encode(key=KEY, algorithm="HS256")
header, payload, signature = (base64.urlsafe_b64decode(part + "==") for part in raw.split("."))
# /shown

print("header:", header.decode())
print("payload:", ", ".join(sorted(json.loads(payload))))
print("signature:", len(signature), "bytes")
