"""Every setting of the application, validated once at startup.

Reads the environment variables (`.env.example` lists them) and builds the framework's `JWTConfig`. An unsafe or invalid
value stops every command with exit code 2 and one line on standard error that names the variable. One class serves all
environments; `APP_ENV` is `production` unless set, and changes only what `is_development` is used for.
Chapter: "Configuration that refuses to be weak". Patterns: settings,
minimal-config, complete-config, parameters, practice-env, practice-short.
"""

from datetime import timedelta
from functools import cache, cached_property
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict
from ravyn import RavynSettings
from ravyn import conf as ravyn_conf
from ravyn.core.config.jwt import JWTConfig

from app import hosts, setting_files
from app import setting_checks as checks
from app.setting_checks import ARGON2_MEMORY_KIB
from app.setting_files import Refused

ROOT = setting_files.ROOT
LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")


class Settings(RavynSettings):
    """The settings. Names of times contain the unit; `jwt_config` has the parameters of the tokens.

    The rules are the types of `setting_checks`. One about two settings belongs to the later field, because it sees the
    valid values of the fields above it. So all mistakes are reported at once; a validator of the whole class would run
    only if every field is valid.
    """

    model_config = SettingsConfigDict(
        env_prefix="APP_", extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    env: Literal["production", "development"] = "production"
    secret_key: checks.Secret = Field(default="", repr=False)
    verifying_secret_keys: checks.Secrets = Field(default="", repr=False)  # they verify, never sign (rotate-keys)

    jwt_algorithm: checks.Algorithm = "HS256"
    issuer: str = ""
    audience: str = ""
    refresh_token_seconds: checks.Seconds = 7 * 24 * 3600
    access_token_seconds: checks.AccessTokenSeconds = 15 * 60
    session_seconds: checks.Seconds = 30 * 24 * 3600
    step_up_seconds: int = Field(default=10 * 60, gt=0)
    admins_need_second_factor: bool = False
    device_bound: Literal["on", "off", "admins"] = "on"
    deletion_grace_days: int = Field(default=14, ge=1, le=365)
    registration: Literal["open", "invited", "closed"] = "open"
    security_contact: checks.Contact = ""
    passkey_site: checks.PasskeySite = ""
    related_origins: checks.RelatedOrigins = ""
    password_max_length: int = Field(default=128, ge=64, le=1024)
    password_min_length: checks.MinLength = Field(default=15, ge=8)  # NIST SP 800-63B-4 section 3.1.1.2
    argon2_memory_kib: checks.Argon2Memory = ARGON2_MEMORY_KIB
    password_checks_waiting: int = Field(default=100, ge=1)
    address_failures_per_5_minutes: int = Field(default=50, ge=1)
    login_failures_per_minute: int = Field(default=600, ge=1)
    address_emails_per_hour: int = Field(default=20, ge=1)
    address_letters_per_hour: checks.Renamed = Field(default="", exclude=True)  # the old name
    docs: bool | None = None
    metrics_token: checks.OptionalSecret = Field(default="", repr=False)
    body_limit_bytes: int = Field(default=1024 * 1024, gt=0)
    anonymous_body_limit_bytes: int = Field(default=64 * 1024, gt=0)
    request_memory_bytes: checks.RequestMemory = Field(default=64 * 1024 * 1024, gt=0)
    keep_alive_seconds: int = Field(default=130, gt=0)  # Caddy keeps idle connections for 120, Go 90, nginx and AWS 60
    keep_alive_connections: int = Field(default=1000, ge=1)
    streams_per_worker: int = Field(default=1000, ge=0)  # 0: none, and pages do not ask for one
    learn: bool | None = None  # learn
    cookie_insecure: bool = Field(default=False, validation_alias="COOKIE_INSECURE")
    host: str = Field(default="127.0.0.1", validation_alias="HOST")
    port: int = Field(default=8000, ge=1, le=65535, validation_alias="PORT")
    public_origin: checks.PublicOrigin = Field(default="", validation_alias="PUBLIC_ORIGIN")
    database_url: checks.DatabaseUrl = Field(
        default=f"sqlite+aiosqlite:///{ROOT / 'var' / 'lanyard.db'}", validation_alias="DATABASE_URL"
    )
    database_pool_size: int = Field(default=10, ge=1)
    smtp_url: checks.MailUrl = Field(
        default="", repr=False, exclude=True, validation_alias="SMTP_URL"
    )  # the old name of MAIL_URL
    mail_url: checks.MailUrl = Field(default="", repr=False, validate_default=True, validation_alias="MAIL_URL")
    mail_from: checks.Mailbox = Field(default="", validation_alias="MAIL_FROM")

    @property
    def is_development(self) -> bool:
        return self.env == "development"

    @property
    def takes_signups(self) -> bool:
        """Whether visitors may create accounts."""
        return self.registration == "open"

    @property
    def takes_invited(self) -> bool:
        """Whether administrators may create accounts, and invited users may use their links."""
        return self.registration != "closed"

    # learn:
    @property
    def shows_learn(self) -> bool:
        """Whether the tutorial, which shows the source code, is served: in development, or if APP_LEARN is true."""
        return self.is_development if self.learn is None else self.learn

    # /learn
    @property
    def shows_docs(self) -> bool:
        """Whether the API reference is served: in development, or if APP_DOCS is true."""
        return self.is_development if self.docs is None else self.docs

    @property
    def secret_keys(self) -> list[str]:
        """The secret that signs, then those that only verify."""
        return [self.secret_key, *filter(None, self.verifying_secret_keys.split(","))]

    @property
    def secure_cookies(self) -> bool:
        """False only with COOKIE_INSECURE=true: the cookies then have no `__Host-` prefix and no `Secure`."""
        return not self.cookie_insecure

    @property
    def logging_config(self) -> None:
        """None: `app.server.run` configures logging; the framework would replace the root logger's handlers."""
        return None

    @property
    def password_hashers(self) -> list[str]:
        """The framework's setting for hashers; the first one hashes new passwords."""
        return ["app.auth.passwords.Argon2idHasher", "app.auth.passwords.BcryptHasher"]

    @cached_property
    def jwt_config(self) -> JWTConfig:
        """Configuration of Ravyn's JWT page. Lifetimes are `timedelta`: the framework does not use plain numbers."""
        return JWTConfig(
            signing_key=self.secret_key,
            algorithm=self.jwt_algorithm,
            access_token_lifetime=timedelta(seconds=self.access_token_seconds),
            refresh_token_lifetime=timedelta(seconds=self.refresh_token_seconds),
            issuer=self.issuer or self.origin,
            audience=self.audience or self.origin,
        )

    @property
    def origin(self) -> str:
        """The origin of the site as browsers write it; in development, the URL that `make run` prints."""
        return self.public_origin or hosts.own_origin(self.host, self.port)

    @property
    def relying_party(self) -> str:
        """The host that passkeys are made for (WebAuthn's relying party id)."""
        return self.passkey_site or urlsplit(self.origin).hostname or ""

    @property
    def reported_to(self) -> str:
        """The contact for reports of vulnerabilities; the mailbox of RFC 2142 section 4 unless set."""
        return self.security_contact or f"mailto:security@{urlsplit(self.origin).hostname}"

    @property
    def hosts(self) -> list[str]:
        """Allowed values of the Host header: the origin's host, and in development those of this machine."""
        return [urlsplit(self.origin).netloc, *(LOOPBACK if self.is_development else ())]


@cache
def get_settings() -> Settings:
    """The settings of this process.

    Read from the environment, then from the file in APP_ENV_FILE (default: `.env` in the project's directory).
    Errors: SystemExit with code 2, after one line on standard error for each missing or invalid setting.
    """
    try:
        settings = load_settings()
    except Refused as refused:
        raise SystemExit(refused.say()) from None
    ravyn_conf.monkay.settings = settings  # makes `ravyn.conf.settings` ours outside of requests as well
    return settings


def load_settings(**overrides: Any) -> Settings:
    """Read and validate the settings, without the cache. Errors: Refused."""
    file, folder = setting_files.env_file(), setting_files.secrets_folder()
    if folder:
        setting_files.refuse_unreadable(folder, Settings.model_fields)
    try:
        return Settings(_env_file=file, _secrets_dir=folder, **overrides)  # type: ignore[call-arg]
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        raise Refused(*map(_described, found)) from None


def _described(error: Any) -> str:
    """A pydantic error as text: the variable, and what is wrong with it."""
    message, name = error["msg"].removeprefix("Value error, "), str(error["loc"][0])
    field = Settings.model_fields.get(name)
    variable = (field and field.validation_alias) or (f"APP_{name.upper()}" if field else name)
    return f"{variable} {message[0].lower()}{message[1:]}"
