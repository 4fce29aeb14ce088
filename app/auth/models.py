"""Tables of the kernel: people, their sessions, mailed links, the change feed, the counters of the throttle, and
forms that were sent.

Owns the schema only. Rows are read and changed in `accounts` and `sessions`, with SQLAlchemy Core: a state change is
one conditional UPDATE, never "read, change, save".
Chapter: "Revocation and the session cache".
"""

from typing import Any

import edgy
import sqlalchemy as sa

from app import db
from app.db import plain_text, timestamp

f: Any = edgy.fields  # edgy builds its fields by metaclass; their signatures mean nothing to a type checker

ROLES = ("user", "admin")


class User(edgy.StrictModel):
    """A person with an account.

    Not Ravyn's AbstractUser: that one hashes on the event loop (twice), demands a first and a last name, and its dump
    carries the password hash. The fields that the framework's pages use have the same names here: id, email, password,
    is_active, last_login.
    `email` is what the person typed, `email_key` is what makes it unique (see `web.addresses`), `search_text` is
    what people are sorted by and found by: see `user_search`. `delete_after` is set while an account that its owner
    gave up can still be kept. Whoever has a row here has confirmed the address: see `EmailLink` for the others; who was
    invited confirms it by choosing the first password. `second_factor_at`: since when a password alone signs nobody in;
    what is asked for beside it is the business of `app.mfa`, and so are passkeys: those from before `passkeys_since`
    are void, for that is when the owner got the account back by a mailed link. `mailbox_proved_at`: when somebody used
    a link mailed to the address that the account has, the registration's apart. The indexes begin with the two columns
    that every list of people chooses by, and then have what it is sorted by: see `admin.users`. The last one finds who
    was invited and did not come in yet.
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
            sa.CheckConstraint("role IN ('user', 'admin')", name="ck_users_role"),
            sa.CheckConstraint("email_key = lower(email_key)", name="ck_users_email_key"),
        ]


class UserWord(edgy.StrictModel):
    """A word that a person is found by, folded; see `user_search`, its only writer."""

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
    """One login on one device; the token family.

    `generation` counts the pairs handed out, `confirmed` the newest one that is known to have arrived. `secret` (64 hex
    digits, 32 random bytes) keys the refresh tokens' `jti`.
    `program`: its tokens went to a program in a body, and never into a browser's cookies. Ended sessions stay (pruned
    30 days after `ends_at`): without the row a replayed token could not be recognised.
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
    """Something that waits for a click in a mailbox: a registration, a new password, a new address; see `email_links`.

    A registration is no account yet: its name and password wait here, and only the click makes the row in `users`.
    `fingerprint` is what the account's password hash was, hashed: a link to choose a new one dies with the old one.
    `used_at` is set when it is of no use any more, `done_at` where that is because it was followed.
    More of the account goes into that of a new address: see `email_change`.
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
    """The change feed: whose badge is no longer what the rows say. Stamped by the database's clock; see
    `session_cache`.

    Exactly one of `user_id` and `session_id` is set, and is the row's own id, too: there is one row for each. Rows are
    of use for five minutes and pruned after a day.
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
    """How often something happened since a window began; see `attempts`, which also says what a key stands for.

    `key` is a MAC, base64url of 32 bytes: no address and no e-mail stands here.
    """

    key = f.CharField(max_length=43, primary_key=True)
    count = f.IntegerField()
    ends_at = timestamp()

    class Meta:
        registry = db.registry
        tablename = "throttle_counters"
        indexes = [edgy.Index(fields=["ends_at"], name="ix_throttle_counters_ends_at")]


class FormSubmission(edgy.StrictModel):
    """A form that was sent, and its answer, so that sending it twice has one effect; see `form_submissions`.

    `key`, `fields` and both holders are MACs. `holder_after`: who has got the answer. `session_id`: the session whose
    cookies are in the answer. `answer` is encrypted, and "" while the form is being worked on.
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


# For SQLAlchemy Core, whose tables a type checker cannot see through Edgy's metaclass.
user_rows: Any = User.table
word_rows: Any = UserWord.table
session_rows: Any = Session.table
link_rows: Any = EmailLink.table
invalidation_rows: Any = CacheInvalidation.table
counter_rows: Any = RateLimitCounter.table
submission_rows: Any = FormSubmission.table
