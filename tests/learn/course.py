"""The course in docs/build, followed as a reader follows it: files from the text, commands in a shell, their outputs.

`Reader.follow(text)` does what a step says in a folder and returns the same text with the outputs that it saw. A fence:
    ```python create=app.py       a new file
    ```diff change=app.py         a change; `@@` separates the places
    ```diff try=app.py            a change (or ```python try=app.py a new file) that the next heading takes back
    ```console                    commands after `$ `, each with its output
    ```sh                         typed once by the reader, and not here: the environment and the server
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from app.learn import chapters, code_blocks
from tests.learn.fresh_environment import make
from tests.support import forge
from tests.support.ports import free_port

COURSE = chapters.DOCS / "build"
PORT = 8001  # in the text
BLOCK = re.compile(f"(?P<heading>^## [^\n]*$)|{code_blocks.FENCE.pattern}", re.MULTILINE | re.DOTALL)
DONE = "-- done --"
TOKEN = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]*")
VARIES = (
    (re.compile(r"(\$argon2id\$[^$]*\$[^$]*\$)\S+\$[\w+/]+"), r"\1<salt>$<hash>"),
    (re.compile(r"\"jti\":\s?\"[\w-]+\""), '"jti":"<random>"'),
    (re.compile(r"\"(exp|iat)\":\s?\d+"), r'"\1":<time>'),
    (re.compile(r"[0-9a-f]{64}"), "<64 hex digits>"),
)


class Stuck(Exception):
    """The text cannot be followed: a change that does not fit, a file that exists, a server that does not start."""


class Reader:
    """Somebody with a folder, a shell and a browser. `bin_path`: where python and uvicorn of the environment are.

    `shown_port`: the port of the server in the text.
    """

    shown_port = PORT
    application = "app:app"

    def __init__(self, folder: Path, bin_path: Path) -> None:
        self.folder, self.bin_path, self.port = folder, bin_path, free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self._served, self._strict = "", False
        self._before: dict[Path, str | None] = {}
        self._shell = subprocess.Popen(
            ["bash"], cwd=folder, env=self._environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def close(self) -> None:
        self._stop()
        assert self._shell.stdin
        self._shell.stdin.close()
        self._shell.wait()
        assert self._shell.stdout
        self._shell.stdout.close()

    def follow(self, text: str, *, until_it_differs: bool = False) -> str:
        """The text with the outputs that its commands print. Errors: Stuck.

        `until_it_differs`: an output that is not the one of the text is Stuck, too.
        """
        self._strict = until_it_differs
        try:
            return BLOCK.sub(self._block, text)
        finally:
            self._take_back()

    def _block(self, found: re.Match[str]) -> str:
        if found["heading"]:
            self._take_back()
            return found[0]
        fence = code_blocks.parse(found["info"], found["body"])
        if "create" in fence.says:
            path = self.folder / fence.says["create"]
            if path.exists():
                raise Stuck(f"{path.name} exists")
            _write(path, fence.body)
        elif "change" in fence.says:
            path = self._existing(fence.says["change"])
            path.write_text(changed(path.read_text(), fence.body))
        elif "try" in fence.says:
            self._try(self.folder / fence.says["try"], fence)
        elif fence.language == "console":
            said = self._type(fence.body)
            if self._strict and said != fence.body:
                raise Stuck(f"the text says\n{fence.body}and it is\n{said}")
            return f"```{found['info']}\n{said}```"
        return found[0]

    def _existing(self, name: str) -> Path:
        if not (self.folder / name).is_file():
            raise Stuck(f"there is no {name}")
        return self.folder / name

    def _try(self, path: Path, fence: code_blocks.Fence) -> None:
        before = path.read_text() if path.exists() else None
        self._before.setdefault(path, before)
        _write(path, changed(before or "", fence.body) if fence.language == "diff" else fence.body)

    def _take_back(self) -> None:
        for path, before in self._before.items():
            if before is None:
                path.unlink()
            else:
                path.write_text(before)
        self._before.clear()

    def _type(self, body: str) -> str:
        said = []
        for command in commands(body):
            if f"localhost:{self.shown_port}" in command:
                self.serve()
            said.append(f"$ {command}\n{self._run(command)}")
        return "".join(said)

    def _run(self, command: str) -> str:
        assert self._shell.stdin
        assert self._shell.stdout
        typed = command.replace(f"localhost:{self.shown_port}", f"localhost:{self.port}")
        if subprocess.run(["bash", "-n", "-c", typed], capture_output=True).returncode:
            raise Stuck(f"not a whole command: {command}")
        self._shell.stdin.write(f"{typed}\nprintf '\\n%s\\n' {shlex.quote(DONE)}\n")
        self._shell.stdin.flush()
        lines = []
        for line in self._shell.stdout:
            if line.strip() == DONE:
                break
            lines.append(line)
        else:
            raise Stuck(f"the shell ended: {command}")
        said = "".join(lines).removesuffix("\n")
        return self.named(said + "\n" if said and not said.endswith("\n") else said)

    def named(self, said: str) -> str:
        """What it said, with the values that differ in each run replaced by names."""
        said = TOKEN.sub(lambda found: f"<{forge.claims(found[0])['token_type']} token>", said)
        for pattern, name in VARIES:
            said = pattern.sub(name, said)
        said = said.replace(f"localhost:{self.port}", f"localhost:{self.shown_port}").replace(
            str(self.folder), "/home/you/course"
        )
        return "".join(f"{line.rstrip()}\n" for line in said.splitlines())

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.bin_path}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "COURSE_ORIGIN": f"http://localhost:{self.port}",
        }

    # The server in the reader's other terminal, which uvicorn's --reload starts anew after each change.

    def serve(self) -> None:
        now = self._fingerprint()
        if self._served == now:
            return
        self._stop()
        log = self.folder.parent / f"{self.folder.name}.log"
        self._server = start(self.bin_path, self.folder, self._environment(), self.port, log, self.application)
        self._served = now

    def _stop(self) -> None:
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait()
        self._server, self._served = None, ""

    def _fingerprint(self) -> str:
        files = [path for path in sorted(self.folder.rglob("*")) if path.suffix == ".py"]
        return repr([(path.name, path.read_text()) for path in files if path.is_file()])


def steps() -> list[Path]:
    return sorted(COURSE.glob("[0-9][0-9]-*.md"))


def requirements() -> str:
    """The packages that the first step names."""
    fences = code_blocks.all_in(steps()[0].read_text())
    return next(fence.body for fence in fences if fence.says.get("create") == "requirements.txt")


def write_files(folder: Path) -> None:
    """What the folder holds after the last step, without its key and its database. Runs nothing."""
    for path in steps():
        for fence in code_blocks.all_in(path.read_text()):
            if "create" in fence.says:
                _write(folder / fence.says["create"], fence.body)
            elif "change" in fence.says:
                file = folder / fence.says["change"]
                file.write_text(changed(file.read_text(), fence.body))


def commands(body: str) -> list[str]:
    """The commands of a console block, those over several lines with their ends of lines."""
    found: list[str] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append(line[2:])
        elif found and found[-1].endswith("\\"):
            found[-1] += f"\n{line}"
    return found


def changed(text: str, diff: str) -> str:
    """The text after the change. Errors: Stuck if a place of it is not there exactly once."""
    for place in re.split(r"^@@.*\n", diff, flags=re.MULTILINE):
        lines = place.splitlines(keepends=True)
        before = "".join(line[1:] or "\n" for line in lines if line[:1] != "+")
        after = "".join(line[1:] or "\n" for line in lines if line[:1] != "-")
        if not place.strip():
            continue
        places = [found.start() for found in re.finditer(f"(?=^{re.escape(before)})", text, re.MULTILINE)]
        if len(places) != 1:
            raise Stuck(f"the change fits {len(places)} places: {before}")
        text = text[: places[0]] + after + text[places[0] + len(before) :]
    return text


def new_folder(path: Path) -> Path:
    path.mkdir()
    shutil.copy(COURSE / "check.py", path)
    return path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def start(
    programs: Path, folder: Path, environment: dict[str, str], port: int, log: Path, application: str = "app:app"
) -> subprocess.Popen[bytes]:
    """The folder's server, which listens. Errors: Stuck."""
    command = [programs / "uvicorn", application, "--port", str(port), "--log-level", "warning"]
    with log.open("wb") as out:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT)
    while not _listens(port):
        if server.poll() is not None:
            raise Stuck(f"the server does not start: {log.read_text()[-1500:]}")
        time.sleep(0.02)  # it says by no other way that it is there
    return server


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def main() -> None:
    """`make course`: write the outputs of the course's commands into docs/build."""
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(new_folder(Path(folder) / "course"), make(Path(folder) / "environment", requirements()))
        try:
            for path in steps():
                path.write_text(reader.follow(path.read_text()))
                print(path.name, flush=True)
        finally:
            reader.close()


if __name__ == "__main__":
    main()
