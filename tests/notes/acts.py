"""What somebody signed in can do with notes (see `tests.support.acts`), and why a copied access cookie gains nothing.

`WHY` is part of `tests/contract/test_copied_cookie.py`.
"""

from typing import Any

from app.notes import store

WORDS = "writes words of the account's own, which open nothing"
ENDS = "only takes away what is the account's own"

WHY = {
    "POST /notes": WORDS,
    "POST /notes/{note_id}": WORDS,
    "POST /notes/{note_id}/delete": ENDS,
    "POST /api/notes": WORDS,
    "PATCH /api/notes/{note_id}": WORDS,
    "DELETE /api/notes/{note_id}": ENDS,
}


async def _a_note(_: Any) -> dict[str, str]:
    return {"title": "Late", "body": "Later"}


async def _this_note(scene: Any) -> dict[str, str]:
    scene.ids["note_id"] = (await store.create(scene.person.id, "Early", "")).id
    return {"title": "Late", "body": "Later"}


async def _that_note(scene: Any) -> dict[str, str]:
    await _this_note(scene)
    return {}


ACTS = {
    "POST /notes": _a_note,
    "POST /notes/{note_id}": _this_note,
    "POST /notes/{note_id}/delete": _that_note,
    "POST /api/notes": _a_note,
    "PATCH /api/notes/{note_id}": _this_note,
    "DELETE /api/notes/{note_id}": _that_note,
}
