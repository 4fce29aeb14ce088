"""The environment of the course's reader."""

from pathlib import Path

import pytest

from tests.learn import course, fresh_environment


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where python and uvicorn are, in an environment that has what the first step names."""
    return fresh_environment.make(tmp_path_factory.mktemp("environment") / "venv", course.requirements())
