"""Fails: accepted, although its audience is: https://shop.example.org"""

from datetime import UTC, datetime, timedelta

from ravyn.security.jwt.token import Token

KEY = "a demo key, thirty-two bytes long"
exp = datetime.now(UTC) + timedelta(hours=1)

for_another_site = Token(sub="41", exp=exp, aud="https://shop.example.org").encode(key=KEY, algorithm="HS256")
token = Token.decode(token=for_another_site, key=KEY, algorithms=["HS256"])

print("accepted, although its audience is:", token.aud)
