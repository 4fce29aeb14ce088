"""Prints: DEBUG=release of another program: starts; jwt_config of the settings: 0:15:00"""

# shown: a prefix of your own, and code that reads jwt_config
import os
from datetime import timedelta

from pydantic_settings import SettingsConfigDict
from ravyn import RavynSettings
from ravyn.core.config.jwt import JWTConfig


class AppSettings(RavynSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_", extra="ignore", hide_input_in_errors=True)

    secret_key: str

    @property
    def jwt_config(self) -> JWTConfig:
        return JWTConfig(signing_key=self.secret_key, access_token_lifetime=timedelta(minutes=15))


os.environ |= {"DEBUG": "release", "SHOP_SECRET_KEY": "a demo key, thirty-two bytes long"}
settings = AppSettings()
print("DEBUG=release of another program: starts")
print("jwt_config of the settings:", settings.jwt_config.access_token_lifetime)
# /shown
