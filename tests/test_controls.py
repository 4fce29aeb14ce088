"""The map of what is defended is as fresh as the code, and knows no requirement that there is not."""

import re

import pytest

from tests import controls


def test_map_is_fresh() -> None:
    found = controls.collect()

    page = controls.TARGET.read_text()
    assert page == controls.written_into(page, found), "run make controls"
    assert all(f"| {control.id} | {control.level} |" in page for control in found)


def test_requirement_without_a_test_has_a_reason_and_no_other_has() -> None:
    for control in controls.collect():
        assert bool(control.tests) != bool(control.without_test), control.id


def test_id_that_is_on_no_list_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "places", lambda _: [("app/x.py", 7, "v5.0.0-" + "99.1.1")])

    with pytest.raises(ValueError, match=r"app/x\.py:7 names v5"):
        controls.collect()


def test_section_names_all_of_its_requirements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "places", lambda _: [("tests/x.py", 7, "v5.0.0-" + "3.4.*")])

    named = [control.id for control in controls.collect() if control.tests]

    assert len(named) > 3
    assert all(each.startswith("v5.0.0-" + "3.4.") for each in named)


def test_every_threat_names_code_and_tests_that_are_there() -> None:
    section = controls.TARGET.read_text().split("## Threats\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*", section, re.M)[2:]]

    assert len(rows) > 30
    for threat, _, code, tests in rows:
        named = [re.findall(r"`([\w./-]+)`", cell) for cell in (code, tests)]
        assert all(named), threat
        assert [path for path in (*named[0], *named[1]) if not (controls.ROOT / path).exists()] == [], threat
