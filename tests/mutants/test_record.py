"""docs/mutants.md: every line is about a check that is there, and has a reason."""

import ast
from pathlib import Path

import pytest

from tests.mutants import changes, record
from tests.mutants.__main__ import CHECKED
from tests.support.environment import ROOT


def test_every_survivor_has_a_reason_and_is_still_in_the_code() -> None:
    known = record.read()
    possible = {change.id for path in CHECKED for change in changes.of(path, ast.parse((ROOT / path).read_text()))}

    assert [change for change, reason in known.items() if not reason] == []
    assert sorted(known.keys() - possible) == []


def test_page_keeps_the_reasons_and_drops_what_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "mutants.md"
    monkeypatch.setattr(record, "TARGET", page)
    record.write(["app/one.py"], ["app/one.py f: `a | b` for `b`", "app/one.py g: x"])
    page.write_text(page.read_text().replace("`b` |  |", "`b` | Both are the same. |"))

    record.write(["app/two.py"], ["app/two.py h: y"])
    assert record.write(["app/one.py"], ["app/one.py f: `a | b` for `b`"]) == {
        "app/one.py f: `a | b` for `b`": "Both are the same.",
        "app/two.py h: y": "",
    }
    assert record.read() == {"app/one.py f: `a | b` for `b`": "Both are the same.", "app/two.py h: y": ""}
