"""Fails: ModuleNotFoundError"""

from ravyn import Ravyn
from ravyn.config import JWTConfig

app = Ravyn(jwt_config=JWTConfig(signing_key="a demo key, thirty-two bytes long", algorithm="HS256"))
