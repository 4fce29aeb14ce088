"""What a newcomer would search for leads to its file: by the path, or by the first line of the docstring."""

import ast
import re
from functools import cache

import pytest

from app.settings import ROOT

pytestmark = pytest.mark.template

SEARCHED = {
    "sign up": "app/auth/accounts/signup.py",
    "signup page": "app/auth/pages/signup.py",
    "login": "app/auth/accounts/login_flow.py",
    "login page": "app/auth/pages/login.py",
    "password reset": "app/auth/accounts/password_reset.py",
    "password change": "app/auth/accounts/password_change.py",
    "email change": "app/auth/accounts/email_change.py",
    "account deletion": "app/auth/accounts/account_deletion.py",
    "user search": "app/auth/accounts/user_search.py",
    "one-time link": "app/auth/email_links.py",
    "rate limit": "app/auth/rate_limit/limits.py",
    "password hash": "app/auth/passwords.py",
    "access token": "app/auth/tokens.py",
    "signing keys": "app/auth/keys.py",
    "key rotation": "app/auth/key_rotation.py",
    "refresh rotation": "app/auth/sessions/rotation.py",
    "reuse": "app/auth/sessions/rotation_policy.py",
    "session cache": "app/auth/sessions/session_cache.py",
    "authentication backend": "app/auth/authentication.py",
    "permissions": "app/auth/permissions.py",
    "cookies": "app/auth/cookies.py",
    "idempotency": "app/auth/idempotency.py",
    "known devices": "app/auth/rate_limit/known_devices.py",
    "second factor": "app/mfa/second_factor.py",
    "totp": "app/mfa/totp.py",
    "recovery codes": "app/mfa/recovery_codes.py",
    "passkeys": "app/mfa/passkeys.py",
    "webauthn": "app/mfa/webauthn.py",
    "email outbox": "app/email/outbox.py",
    "email template": "app/email/messages.py",
    "smtp": "app/email/transport.py",
    "audit log": "app/audit/events.py",
    "session history": "app/audit/session_history.py",
    "security headers": "app/web/security_headers.py",
    "csrf": "app/web/same_origin.py",
    "form validation": "app/web/forms.py",
    "error pages": "app/web/errors.py",
    "static files": "app/web/static_files.py",
    "openapi": "app/web/openapi.py",
    "data export": "app/account/data_export.py",
    "email queue": "app/admin/email_queue.py",
    "admin users": "app/admin/users.py",
    "health check": "app/ops/endpoints.py",
    "metrics": "app/observability/metrics.py",
    "logging": "app/observability/logs.py",
    "settings": "app/settings.py",
    "body limit": "app/web/request_limits.py",
    "redirect": "app/auth/redirects.py",
    "logout": "app/auth/accounts/logout_flow.py",
    "create user": "app/auth/accounts/user_creation.py",
    "command line": "app/cli/arguments.py",
    "tls": "app/database_tls.py",
    "qr code": "app/mfa/totp.py",
    "migrations": "app/db/schema.py",
    "generate feature": "app/cli/generate/__init__.py",
    "owner scope": "app/db/scope.py",
    "field types": "app/web/fields.py",
    "write a migration": "app/cli/migration.py",
    "transaction": "app/db/transactions.py",
    "connection pool": "app/db/pool.py",
    "maintenance": "app/maintenance.py",
    "workers": "app/server/workers.py",
    "doctor": "app/cli/doctor/__init__.py",
    "demo accounts": "app/auth/accounts/demo_accounts.py",
}
MOST = 12  # results that somebody looks through


@cache
def findable() -> dict[str, str]:
    """Each module with what finds it: its path, and the first line of its docstring."""
    found = {}
    for path in sorted((ROOT / "app").rglob("*.py")):
        if "versions" in path.parts:
            continue
        said = ast.get_docstring(ast.parse(path.read_text())) or ""
        found[str(path.relative_to(ROOT))] = plain(f"{path.relative_to(ROOT)} {said.partition(chr(10))[0]}")
    return found


def plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.lower().replace("e-mail", "email"))


@pytest.mark.parametrize("searched", SEARCHED)
def test_what_a_newcomer_searches_for_leads_to_its_file(searched: str) -> None:
    words = plain(searched).split()
    results = [path for path, text in findable().items() if all(re.search(rf"\b{word[:6]}", text) for word in words)]

    assert SEARCHED[searched] in results
    assert len(results) <= MOST, results


def test_every_module_says_what_it_is() -> None:
    assert not [path for path in findable() if not ast.get_docstring(ast.parse((ROOT / path).read_text()))]
