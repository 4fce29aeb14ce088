"""Fails: the page's own token: Token is missing the "iss" claim; a misspelt argument: Token.decode() missing"""

from datetime import UTC, datetime, timedelta

from ravyn.security.jwt.token import Token

KEY = "a demo key, thirty-two bytes long"
raw = Token(sub="41", exp=datetime.now(UTC) + timedelta(hours=1)).encode(key=KEY, algorithm="HS256")

try:
    Token.decode(
        token=raw, key=KEY, algorithms=["HS256"], issuer="https://api.example.org", audience="https://example.org"
    )
except Exception as error:
    print("the page's own token:", error)

try:
    Token.decode(tokn=raw, key=KEY, algorithms=["HS256"])
except Exception as error:  # also catches the programming error and reports an invalid token
    print("a misspelt argument:", error)
