"""The printed forms: the code of the framework's documentation page, rewritten, and its output. The right forms, too.

Each file in `forms/` is a program. Its docstring says whether the form `Fails:` or `Holds:`, and which parts of the
output show it. `right/` has a program for each form that fails: the same pattern in a form that holds, and what it
`Prints:`. The programs run with the unmodified packages, in a process that never imports `app`.

    python tests/patterns/printed.py forms/token_create right/token_create     what they print, as JSON
"""

import contextlib
import io
import json
import os
import re
import runpy
import subprocess
import sys
import tempfile
import traceback
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SHOWN = re.compile(r"^ *# shown(?:: (?P<why>[^\n]*))?\n(?P<code>.*?)^ *# /shown$", re.MULTILINE | re.DOTALL)

ATTACKS = {"refresh-as-access": "middleware", "wrong-audience": "token-decode"}  # the same form under both names


@dataclass(frozen=True, slots=True)
class Form:
    """`says`: parts of the output that show the verdict. `code`: the part of the program that is shown to readers."""

    name: str
    holds: bool
    says: tuple[str, ...]
    code: str


@cache
def forms(folder: str = "forms") -> dict[str, Form]:
    return {form.name: form for form in map(_read, sorted((HERE / folder).glob("*.py")))}


@cache
def outputs(folder: str = "forms", python: str = sys.executable) -> dict[str, str]:
    """The output of every form; the last line is the exception that ended it, if there was one.

    `python`: of an environment with other versions of the packages.
    """
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with tempfile.TemporaryDirectory() as scratch:
        command = [python, __file__, *(f"{folder}/{name.replace('-', '_')}" for name in forms(folder))]
        done = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True, timeout=240)
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    said = json.loads(done.stdout.splitlines()[-1])
    return {name.rpartition("/")[2].replace("_", "-"): text for name, text in said.items()}


def transcripts() -> dict[str, dict[str, Any]]:
    """The content of `app/learn/transcripts.json`: code, output and whether it holds, by pattern or attack.

    `right`: code and output of the form that holds, for the patterns whose printed form does not.
    """
    said, right = outputs(), outputs("right")
    found: dict[str, dict[str, Any]] = {
        form.name: {"code": form.code, "holds": form.holds, "output": said[form.name]} for form in forms().values()
    }
    for form in forms("right").values():
        found[form.name]["right"] = {"code": form.code, "output": right[form.name]}
    return found | {attack: found[pattern] for attack, pattern in ATTACKS.items()}


def _read(path: Path) -> Form:
    docstring, _, program = path.read_text().removeprefix('"""').partition('"""')
    decision, _, says = docstring.partition(": ")
    shown = SHOWN.search(program)
    code = program
    if shown:
        code = (f"# {shown['why']}\n" if shown["why"] else "") + _dedented(shown["code"])
    return Form(
        path.stem.replace("_", "-"), decision != "Fails", tuple(" ".join(says.split()).split("; ")), code.strip() + "\n"
    )


def _dedented(code: str) -> str:
    indent = min(len(line) - len(line.lstrip()) for line in code.splitlines() if line.strip())
    return "\n".join(line[indent:] for line in code.splitlines())


def _play_in_a_child(name: str) -> str:
    """In a fork, so that the slow imports happen once and no form affects another."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as pipe, tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            pipe.write(_play(name))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.wait()
    return said


def _play(name: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            runpy.run_path(str(HERE / f"{name}.py"), run_name="__main__")
        except Exception as error:
            print("".join(traceback.format_exception_only(error)).strip())
    return said.getvalue().strip()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    import stage  # noqa: F401 - imports the framework and the ORM

    print(json.dumps({name: _play_in_a_child(name) for name in sys.argv[1:]}))
