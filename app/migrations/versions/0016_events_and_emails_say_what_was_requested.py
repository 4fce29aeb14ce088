"""Events and e-mails say what was requested

Revision: 0016, after 0015. Rows that are there are carried over, and back.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

EVENTS = {
    "deletion_asked": "deletion_requested",
    "email_change_asked": "email_change_requested",
    "password_reset_asked": "password_reset_requested",
    "session_asked_again": "session_retry_requested",
    "account_kept": "deletion_cancelled",
    "letter_tried_again": "email_retried",
}
KINDS = {name: EVENTS[name] for name in ("deletion_asked", "email_change_asked", "account_kept")}


def upgrade() -> None:
    _rename("audit_events", "event", EVENTS)
    _rename("letters", "kind", KINDS)


def downgrade() -> None:
    _rename("audit_events", "event", {new: old for old, new in EVENTS.items()})
    _rename("letters", "kind", {new: old for old, new in KINDS.items()})


def _rename(table: str, column: str, names: dict[str, str]) -> None:
    rows = sa.table(table, sa.column(column, sa.String()))
    for old, new in names.items():
        op.execute(sa.update(rows).where(rows.c[column] == old).values({column: new}))
