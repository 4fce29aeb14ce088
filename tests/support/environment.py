"""The settings the tests run with; imported before anything of `app`. Nothing of the developer's own reaches them."""

import atexit
import os
import secrets
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "https://testserver"
SCRATCH = Path(tempfile.mkdtemp(prefix="lanyard-tests-"))
TEMPLATE = SCRATCH / "template.db"

_OURS = {"HOST", "PORT", "PUBLIC_ORIGIN", "COOKIE_INSECURE", "DATABASE_URL", "FORWARDED_ALLOW_IPS"}

atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
for name in [name for name in os.environ if name in _OURS or name.startswith("APP_")]:
    del os.environ[name]
os.environ |= {
    "APP_ENV": "development",
    "APP_ENV_FILE": os.devnull,
    "APP_SECRET_KEY": secrets.token_urlsafe(48),
    "APP_ISSUER": ORIGIN,
    "APP_AUDIENCE": ORIGIN,
    "APP_ARGON2_MEMORY_KIB": "64",  # one test hashes with the real parameters
    "PUBLIC_ORIGIN": ORIGIN,
    "DATABASE_URL": f"sqlite+aiosqlite:///{TEMPLATE}",
}
