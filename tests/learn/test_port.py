"""docs/port.md: both ports are carried out, in the finished folder of the course and in the framework's scaffold."""

import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.learn import chapters
from app.settings import ROOT
from tests.learn import course, fresh_environment
from tests.learn.course import Reader
from tests.support import forge

PAGE = chapters.DOCS / "port.md"
POLICY = ROOT / "app" / "auth" / "sessions" / "rotation_policy.py"
PASSWORD = "seven wooden pegs"  # in the text


class Scaffold(Reader):
    application = "shop.main:app"


def sections() -> dict[str, str]:
    """Heading -> the section with it."""
    parts = re.split(r"^(?=## )", PAGE.read_text(), flags=re.MULTILINE)
    return {part.partition("\n")[0].removeprefix("## "): part for part in parts}


POLICY_SECTION = "The rotation policy, in the folder of the course"
SCAFFOLD_SECTION = "The course, in the framework's scaffold"


def course_folder(path: Path) -> Path:
    course.new_folder(path)
    course.write_files(path)
    (path / ".env").write_text(f"COURSE_SECRET_KEY={secrets.token_urlsafe(32)}\n")
    return path


def scaffold_folder(path: Path) -> Path:
    """What the first block of the section does."""
    finished = course_folder(path / "course")
    command = [Path(sys.executable).parent / "ravyn", "createproject", "shop"]
    subprocess.run(command, cwd=path, check=True, capture_output=True)
    apps = path / "shop" / "shop" / "apps"
    typed = sections()[SCAFFOLD_SECTION]
    names = re.findall(r"\{([\w,]+)\}\.py", typed)[0].split(",")
    for name in names:
        shutil.copy(finished / f"{name}.py", apps)
    shutil.copytree(finished / "templates", apps / "templates")
    shutil.copy(finished / ".env", path / "shop")
    return path / "shop"


def readers(folder: Path, programs: Path) -> dict[str, Reader]:
    ported = course_folder(folder / "course-with-policy")
    shutil.copy(POLICY, ported)
    (folder / "scaffold").mkdir()
    scaffold = scaffold_folder(folder / "scaffold")
    return {POLICY_SECTION: Reader(ported, programs), SCAFFOLD_SECTION: Scaffold(scaffold, programs)}


@pytest.fixture(scope="module")
def followed(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Reader, str]]]:
    """Each port: the reader, whose server still runs, and the text that it saw."""
    made = readers(tmp_path_factory.mktemp("port"), programs)
    yield {name: (reader, reader.follow(sections()[name])) for name, reader in made.items()}
    for reader in made.values():
        reader.close()


@pytest.mark.parametrize("name", [POLICY_SECTION, SCAFFOLD_SECTION])
def test_port_prints_what_the_page_says(followed: dict[str, tuple[Reader, str]], name: str) -> None:
    assert followed[name][1] == sections()[name], "python -m tests.learn.test_port"


def test_ported_policy_lets_many_tabs_refresh_at_once_and_ends_a_session_after_reuse(
    followed: dict[str, tuple[Reader, str]],
) -> None:
    reader, _ = followed[POLICY_SECTION]

    def post(path: str, body: dict[str, str]) -> httpx.Response:
        return httpx.post(f"http://localhost:{reader.port}/api/{path}", json=body, timeout=60)

    def refresh(token: str) -> httpx.Response:
        return post("refresh", {"refresh_token": token})

    first = post("login", {"email": "robin@example.com", "password": PASSWORD}).json()["refresh_token"]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(refresh, [first] * 8))
    second = answers[0].json()["refresh_token"]
    third = refresh(second).json()
    reused = refresh(first)
    me = httpx.get(
        f"http://localhost:{reader.port}/api/me", headers={"Authorization": f"Bearer {third['access_token']}"}
    )

    assert [answer.status_code for answer in answers] == [200] * 8
    assert {forge.claims(answer.json()["refresh_token"])["gen"] for answer in answers} == {2}
    assert (reused.status_code, me.status_code) == (401, 401)
    assert refresh(third["refresh_token"]).status_code == 401


def _record(folder: Path) -> None:
    programs = fresh_environment.make(folder / "venv", course.requirements())
    text = PAGE.read_text()
    for name, reader in readers(folder, programs).items():
        section = sections()[name]
        text = text.replace(section, reader.follow(section))
        reader.close()
    PAGE.write_text(text)


if __name__ == "__main__":
    import tempfile

    _record(Path(tempfile.mkdtemp()))
