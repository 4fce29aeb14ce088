"""The map of what is defended is as fresh as the code, and knows no requirement that there is not."""

import pytest

from tests import controls


def test_map_is_fresh() -> None:
    found = controls.collect()

    assert controls.TARGET.read_text() == controls.page(found), "run make controls"
    readme = controls.README.read_text()
    assert readme == controls.with_counts(readme, found), "run make controls"


def test_id_that_is_on_no_list_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "places", lambda _: [("app/x.py", 7, "v5.0.0-" + "99.1.1")])

    with pytest.raises(ValueError, match=r"app/x\.py:7 names v5"):
        controls.collect()


def test_section_names_all_of_its_requirements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "places", lambda _: [("tests/x.py", 7, "v5.0.0-" + "3.4.*")])

    named = [control.id for control in controls.collect() if control.tests]

    assert len(named) > 3
    assert all(each.startswith("v5.0.0-" + "3.4.") for each in named)
