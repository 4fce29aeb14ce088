"""docs/curl.md: each command typed in a shell, against a server with a new database."""

import re
import shutil
import sys
import tempfile
from pathlib import Path

from app.learn import chapters
from tests.learn.course import Reader
from tests.support.people import make_user
from tests.support.server import running

PAGE = chapters.DOCS / "curl.md"
PASSWORD = "seven wooden pegs in a row"  # in the text


ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


class Terminal(Reader):
    """A reader whose server runs already."""

    shown_port = 8000

    def serve(self) -> None:
        return

    def named(self, said: str) -> str:
        return ID.sub("<id>", super().named(said))


def recorded() -> str:
    """The text of the page with the outputs that its commands print."""
    folder = Path(tempfile.mkdtemp())
    with running() as server:
        server.run(lambda: make_user(email="robin@example.com", password=PASSWORD))
        terminal = Terminal(folder, Path(sys.executable).parent)
        terminal.port = server.port
        try:
            return terminal.follow(PAGE.read_text())
        finally:
            terminal.close()
            shutil.rmtree(folder)
