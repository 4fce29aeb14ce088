"""The demo feature: notes that belong to one person, as pages and as JSON API."""

from app.db.owned_rows import OwnedRows
from app.notes import api, pages
from app.notes.models import note_rows
from app.web.features import Feature, Link, Notice, signed_in

FEATURE = Feature(
    name="notes",
    routes=[*pages.route_patterns, *api.route_patterns],
    navigation=[Link("/notes", "Notes", signed_in)],
    admin_tabs={"/admin/notes": "Notes"},
    notices={
        "note_saved": Notice("success", "The note is saved."),
        "note_deleted": Notice("success", "The note is deleted."),
    },
    export={"notes": OwnedRows(note_rows, note_rows.c.owner_id, {"owner_id", "search_text"})},
    # eject:
    eject=(
        "tests/cli/test_upgrade_notes.py",  # its example
        "app/notes", "templates/notes", "tests/notes", "tests/db/*_notes.py", "e2e/test_notes.py",
        "app/migrations/versions/*_notes.py",
    ),
    description="the notes, their table included",
    # /eject
)  # fmt: skip
