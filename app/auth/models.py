"""Tables of `app.auth`: users, sessions, e-mailed links, the invalidation feed, rate limit counters, form submissions.

This module defines the schema only. `accounts` and `sessions` read and change the rows with SQLAlchemy Core: a state
change is one conditional UPDATE, never "read, change, save".
Chapter: "Revocation and the session cache".
"""

from typing import Any

import edgy
import sqlalchemy as sa

from app import db
from app.db import plain_text, timestamp

f: Any = edgy.fields  # edgy builds its fields with a metaclass, which a type checker cannot follow


class User(edgy.StrictModel):
    """A user account.

    Not Ravyn's AbstractUser, which hashes on the event loop (twice), requires a first and a last name, and includes the
    password hash in its dump. The fields that the framework's documentation uses have the same names here: id, email,
    password, is_active, last_login.

    `email` is the address as typed, `email_key` its unique form (see `web.email_address`), `search_text` the text that
    users are sorted and found by (see `user_search`). Every row has a confirmed address: an unconfirmed registration is
    an `EmailLink`, and an invited user confirms the address by choosing the first password.
    `role` is a key of `roles.ROLES`; any other has no permission.
    `delete_after` is set while a requested deletion can still be cancelled. `second_factor_at`: since when a login
    needs a second factor (see `app.mfa`). Passkeys older than `passkeys_since` are void: at that time the owner
    recovered the account with an e-mailed link. `mailbox_proved_at`: when a link e-mailed to the account's current
    address was last used, not counting the registration. No passkey is offered before `passkey_offer_after` (see
    `accounts.passkey_offer`). The first four indexes begin with the two columns that every list of users filters by,
    followed by the sort key (see `admin.user_statements`); the last one finds invited users who never signed in.
    """

    id = f.UUIDField(primary_key=True, default=db.uuid7)
    email = f.CharField(max_length=254)
    email_key = f.CharField(max_length=254, unique=True)
    name = f.CharField(max_length=80)
    search_text = f.CharField(max_length=512, default="")
    password = f.CharField(max_length=255, secret=True, exclude=True)
    role = f.CharField(max_length=16, default="user")
    is_active = f.BooleanField(default=True)
    created_at = timestamp(default=db.utcnow)
    last_login = timestamp(null=True)
    delete_after = timestamp(null=True)
    must_change_password = f.BooleanField(default=False)
    second_factor_at = timestamp(null=True)
    passkeys_since = timestamp(null=True)
    mailbox_proved_at = timestamp(null=True)
    invited_at = timestamp(null=True)
    passkey_offer_after = timestamp(null=True)

    class Meta:
        registry = db.registry
        tablename = "users"
        indexes = [
            edgy.Index(fields=["role", "is_active", "id"], name="ix_users_newest"),
            edgy.Index(fields=["role", "is_active", "search_text", "id"], name="ix_users_search_text"),
            edgy.Index(fields=["role", "is_active", "email_key", "id"], name="ix_users_address"),
            edgy.Index(fields=["role", "is_active", "last_login", "id"], name="ix_users_last_login"),
            edgy.Index(fields=["invited_at", "last_login"], name="ix_users_invited"),
        ]
        constraints = [
            sa.CheckConstraint("email_key = lower(email_key)", name="ck_users_email_key"),
        ]


class UserWord(edgy.StrictModel):
    """A case-folded word that finds a user; see `user_search`, its only writer."""

    word = plain_text(max_length=64, primary_key=True)
    user_id = f.UUIDField(primary_key=True)

    class Meta:
        registry = db.registry
        tablename = "user_words"
        indexes = [edgy.Index(fields=["user_id"], name="ix_user_words_user_id")]
        constraints = [
            sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_words_user_id", ondelete="CASCADE"),
        ]


class Session(edgy.StrictModel):
    """One login on one device, with all refresh tokens that descend from it.

    `generation` counts the token pairs issued; `confirmed` is the newest one that the client is known to have received.
    `handed_at`: when the last pair was issued. `secret` (64 hex digits, 32 random bytes) is the key of the refresh
    tokens' `jti`. `program`: the tokens were sent in a response body, never in cookies. `device_key`: the public key of
    the device that the session is bound to, encrypted, "" for none (see `device_binding`). Ended sessions stay until
    30 days after `ends_at`: without the row a replayed token could not be recognised.
    """

    id = f.UUIDField(primary_key=True, default=db.uuid7)
    user_id = f.UUIDField()
    secret = f.CharField(max_length=64, secret=True, exclude=True)
    generation = f.IntegerField(default=1)
    confirmed = f.IntegerField(default=0)
    handed_at = timestamp()
    created_at = timestamp()
    last_seen_at = timestamp()
    authenticated_at = timestamp()
    ends_at = timestamp()
    revoked_at = timestamp(null=True)
    revoked_for = f.CharField(max_length=32, null=True)
    user_agent = f.CharField(max_length=255, default="")
    ip = f.CharField(max_length=45, default="")
    program = f.BooleanField(default=False)
    device_key = f.TextField(default="", secret=True, exclude=True)

    class Meta:
        registry = db.registry
        tablename = "sessions"
        indexes = [
            edgy.Index(fields=["user_id"], name="ix_sessions_user_id"),
            edgy.Index(fields=["revoked_at", "ends_at"], name="ix_sessions_live"),
        ]
        constraints = [
            sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"),
        ]


class EmailLink(edgy.StrictModel):
    """An action that waits until its e-mailed link is used: registration, password reset, e-mail change, and others.

    See `email_links`. A registration is not an account yet: its name and password hash are stored here, and using the
    link creates the row in `users`. `fingerprint` hashes the account's password hash, so a password change voids
    the link; for an e-mail change it covers more of the account (see `email_change`). `used_at` is set when the link
    was used or voided, `done_at` only when it was used.
    """

    id = f.UUIDField(primary_key=True, default=db.uuid7)
    purpose = f.CharField(max_length=16)
    secret = f.CharField(max_length=64, secret=True, exclude=True)
    user_id = f.UUIDField(null=True)
    email = f.CharField(max_length=254, default="")
    email_key = f.CharField(max_length=254, default="")
    name = f.CharField(max_length=80, default="")
    password = f.CharField(max_length=255, default="", secret=True, exclude=True)
    fingerprint = f.CharField(max_length=64, default="")
    created_at = timestamp()
    ends_at = timestamp()
    used_at = timestamp(null=True)
    done_at = timestamp(null=True)

    class Meta:
        registry = db.registry
        tablename = "mail_links"
        indexes = [
            edgy.Index(fields=["user_id"], name="ix_mail_links_user_id"),
            edgy.Index(fields=["email_key"], name="ix_mail_links_email_key"),
            edgy.Index(fields=["ends_at"], name="ix_mail_links_ends_at"),
            edgy.Index(fields=["purpose", "used_at", "ends_at", "id"], name="ix_mail_links_open"),
        ]
        constraints = [
            sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_mail_links_user_id", ondelete="CASCADE"),
        ]


class CacheInvalidation(edgy.StrictModel):
    """The invalidation feed: users and sessions whose cached entries are stale. `at` is the database's time.

    See `session_cache`. Exactly one of `user_id` and `session_id` is set and is also the row's `id`, so each has one
    row. Workers read rows of the last five minutes; rows are deleted after a day.
    """

    id = f.UUIDField(primary_key=True)
    at = timestamp()
    user_id = f.UUIDField(null=True)
    session_id = f.UUIDField(null=True)

    class Meta:
        registry = db.registry
        tablename = "changes"
        indexes = [edgy.Index(fields=["at"], name="ix_changes_at")]


class RateLimitCounter(edgy.StrictModel):
    """How often something happened in a time window; see `rate_limit`, which defines the keys.

    `key` is a MAC, base64url of 32 bytes: the table contains no IP address and no e-mail address.
    """

    key = f.CharField(max_length=43, primary_key=True)
    count = f.IntegerField()
    ends_at = timestamp()

    class Meta:
        registry = db.registry
        tablename = "throttle_counters"
        indexes = [edgy.Index(fields=["ends_at"], name="ix_throttle_counters_ends_at")]


class FormSubmission(edgy.StrictModel):
    """A submitted form and its response, so that submitting it twice has one effect; see `form_submissions`.

    `key`, `fields` and both holders are MACs. `holder`: the browser that sent the form; `holder_after`: the browser
    that has the response's cookies. `session_id`: the session whose cookies the response sets. `answer` is encrypted,
    and "" while the form is being processed.
    """

    key = f.CharField(max_length=43, primary_key=True)
    fields = f.CharField(max_length=43)
    holder = f.CharField(max_length=43)
    holder_after = f.CharField(max_length=43, default="")
    session_id = f.UUIDField(null=True)
    answer = f.TextField(default="", secret=True, exclude=True)
    ends_at = timestamp()

    class Meta:
        registry = db.registry
        tablename = "form_submissions"
        indexes = [edgy.Index(fields=["ends_at"], name="ix_form_submissions_ends_at")]


# The tables for SQLAlchemy Core: typed as Any, because a type checker cannot see them through Edgy's metaclass.
user_rows: Any = User.table
word_rows: Any = UserWord.table
session_rows: Any = Session.table
link_rows: Any = EmailLink.table
invalidation_rows: Any = CacheInvalidation.table
counter_rows: Any = RateLimitCounter.table
submission_rows: Any = FormSubmission.table
