"""The table of docs/kits.md is that of this code."""

import tomllib
from pathlib import Path

import pytest

from tests import kits
from tests.support.environment import ROOT

pytestmark = pytest.mark.template

GONE = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["starter"]["gone"]


@pytest.mark.long
@pytest.mark.skipif(bool(GONE), reason="the table is that of the whole starter")
@pytest.mark.parametrize("kit", kits.KITS)
def test_sizes_in_the_table_are_those_of_the_code(kit: str, tmp_path: Path) -> None:
    """Within a twentieth, so that not every commit has to measure again."""
    now = kits.size(kits.made(kit, tmp_path / "kit"))

    assert kits.written()[kit] == pytest.approx(now, rel=0.05)
