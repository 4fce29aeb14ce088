"""Code blocks of the chapters. Their text is in the Markdown files, where `make docs` writes it; do not edit it there.

The first line of a block says where its text comes from:
    ```python source=app/auth/sessions/rotation_policy.py symbol=decide,LEEWAY     the source itself
    ```python printed=token-create                            the documentation page's code, from transcripts.json
    ```text happened=token-create                             the output of that code
    ```http output=login                                      recorded by tests/learn/outputs.py
    ```diff break=tests/auth/sessions/test_rotation_policy.py::test_decision file=app/auth/sessions/rotation_policy.py
                                                              a change that makes this test fail
    ```python create=app.py                                   course: a new file of the reader
    ```diff change=app.py                                     course: a change to one
    ```diff try=app.py                                        course: a change that is taken back
    ```console                                                course: commands and what they print
A block without such a source is a command for the reader to type.
"""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.learn import sources

TRANSCRIPTS = Path(__file__).with_name("transcripts.json")
VERSIONS = Path(__file__).with_name("versions.json")  # version of the framework -> form -> its output
ORIGINS = ("source", "printed", "happened", "output", "break", "create", "change", "try")
FENCE = re.compile(r"^```(?P<info>[a-z]+[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fence:
    language: str
    says: Mapping[str, str]
    body: str

    @property
    def origin(self) -> tuple[str, str]:
        """Kind and name, such as ("source", "app/auth/tokens.py"); ("", "") for a command for the reader."""
        return next(((kind, self.says[kind]) for kind in ORIGINS if kind in self.says), ("", ""))


def parse(info: str, body: str = "") -> Fence:
    language, *words = shlex.split(info)
    return Fence(language, dict(word.split("=", 1) for word in words), body)


def all_in(markdown: str) -> list[Fence]:
    return [parse(found["info"], found["body"]) for found in FENCE.finditer(markdown)]


def filled(markdown: str, outputs: Mapping[str, str] | None = None, *, headed: bool = False) -> str:
    """The chapter with the current text of each block. Recorded outputs stay unchanged unless `outputs` is given.

    `headed`: code begins with a comment that names its source, for readers of the Markdown, which has no captions.
    Errors: LookupError for a file, symbol, form or output that does not exist.
    """

    def fresh(found: re.Match[str]) -> str:
        fence = parse(found["info"], found["body"])
        head = _head(fence) if headed else ""
        return f"```{found['info']}\n{head}{text_of(fence, outputs).rstrip()}\n```"

    return FENCE.sub(fresh, markdown)


def text_of(fence: Fence, outputs: Mapping[str, str] | None = None) -> str:
    kind, name = fence.origin
    writers: dict[str, Callable[[], str]] = {
        "source": lambda: "\n\n".join(sources.symbol(name, wanted)[0] for wanted in fence.says["symbol"].split(",")),
        "printed": lambda: str(transcript(name)["code"]),
        "happened": lambda: str(transcript(name)["output"]),
        "output": lambda: fence.body if outputs is None else str(_known(outputs, name)),
        "break": lambda: "\n".join(line for line in fence.body.splitlines() if not line.startswith("#")),
    }
    return writers[kind]() if kind in writers else fence.body


def _head(fence: Fence) -> str:
    kind, name = fence.origin
    heads = {
        "source": f"# {name}\n",
        "printed": "# the documentation page's code\n",
        "break": f"# {fence.says.get('file')}: then {name} fails\n",
    }
    return heads.get(kind, "")


def transcript(name: str) -> dict[str, Any]:
    """`code`, whether it `holds`, and its `output`. Errors: LookupError."""
    return dict(_known(json.loads(TRANSCRIPTS.read_text("utf-8")), name))


def _known(found: Mapping[str, Any], name: str) -> Any:
    if name not in found:
        raise LookupError(f"no recorded output {name}")
    return found[name]
