"""Fails: No module named 'ravyn.config'; got an unexpected keyword argument 'jwt_config'; AssertionError"""

from ravyn import Ravyn
from ravyn.contrib.auth.edgy.middleware import JWTAuthMiddleware

try:
    from ravyn.config import JWTConfig
except ImportError as error:
    print("import:", error)
    from ravyn.core.config.jwt import JWTConfig  # where it really is

config = JWTConfig(signing_key="a demo key, thirty-two bytes long", algorithm="HS256")

for argument in ({"jwt_config": config}, {"middleware": [JWTAuthMiddleware]}):
    try:
        Ravyn(**argument)
    except Exception as error:
        print(f"{next(iter(argument))}=: {type(error).__name__}: {error}")
