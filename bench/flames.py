"""Flame graphs of the hottest paths: where the server's time goes, as SVG to open in a browser.

    python -m bench.flames [CASE ...] [--revision REV] [--database sqlite|postgresql] [--into FOLDER]

Takes py-spy, which is not among the dependencies: `pip install py-spy`. It samples the server from outside, in
production mode and on one worker, while the requests of `bench.compare` are asked of it. A box is as wide as its
function had samples, with what it called below it; the pointer shows name and share. Threads that wait are left out.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from html import escape
from pathlib import Path
from typing import Any

from tests.support import environment  # isort: skip  # before anything of the application
from bench.compare import CASES, DATABASES, Build, Case, serve, unpacked
from bench.run import repeat

HOTTEST = ("me", "front", "dashboard", "users", "refresh")
SECONDS = 8
WAITING = ("_worker (", "_connection_worker_thread (", "run (asyncio/")  # a stack that ends there
WIDTH, HEIGHT, NARROWEST = 1600, 17, 0.5  # pixels: of all, of a box, and what is drawn at all
CALLS = "app/"  # the application's own functions have another colour

Tree = dict[str, tuple[int, Any]]  # function -> its samples, and what it called: a Tree again


async def sampled(build: Build, case: Case, spy: str, scratch: Path) -> list[str]:
    """One stack a line: functions from the outermost on, separated by ";", a space, and the number of samples."""
    await build.sign_in()
    asks = await build.asks(case)
    command = [spy, "record", "--rate", "200", "--format", "raw", "--output", str(scratch / "stacks")]
    command += ["--duration", str(SECONDS), "--function", "--pid", str(build.server.process.pid)]
    recording = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    done = asyncio.create_task(recording.wait())
    while not done.done():
        await asyncio.gather(*(repeat(ask, 2) for ask in asks))
    if done.result():
        raise SystemExit(f"py-spy failed with {done.result()}: it may need the right to look into other processes")
    return (scratch / "stacks").read_text().splitlines()


def tree(stacks: Iterable[str]) -> tuple[int, Tree]:
    """The number of samples, and for each function its own number and what it called."""
    total = 0
    root: Tree = {}
    for line in stacks:
        stack, _, number = line.rpartition(" ")
        functions = stack.split(";")
        if functions[-1].startswith(WAITING):
            continue
        total += int(number)
        level: Tree = root
        for function in functions:
            count, below = level.get(function, (0, {}))
            level[function] = count + int(number), below
            level = below
    return total, root


def drawn(title: str, total: int, root: Tree) -> str:
    boxes = list(_boxes(root, 0.0, 1, total))
    height = HEIGHT * (max((row for row, _ in boxes), default=0) + 2)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif">'
    text = f'<text x="4" y="{HEIGHT - 4}" font-size="13">{escape(title)}</text>'
    return "\n".join([head, text, *(box for _, box in boxes), "</svg>\n"])


def _boxes(level: Tree, left: float, row: int, total: int) -> Iterator[tuple[int, str]]:
    for function, (count, below) in sorted(level.items()):
        width = WIDTH * count / total
        if width < NARROWEST:
            continue
        colour = "#f5b971" if CALLS in function else "#d8dee6"
        name, y = escape(function), row * HEIGHT
        shown = escape(function[: int(width / 6.5)]) if width > 30 else ""
        at = f'x="{left:.1f}" y="{y}" width="{width:.1f}" height="{HEIGHT - 1}"'
        text = f'<text x="{left + 2:.1f}" y="{y + 12}" font-size="11">{shown}</text>'
        yield row, f'<g><title>{name}: {count / total:.1%}</title><rect {at} fill="{colour}"/>{text}</g>'
        yield from _boxes(below, left, row + 1, total)
        left += width


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.flames")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--revision", default="", metavar="REV", help="instead of the files as they are now")
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--into", type=Path, default=environment.ROOT / "var" / "flames", metavar="FOLDER")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(unknown)}")
    spy = shutil.which("py-spy")
    if spy is None:
        sys.exit("bench.flames: py-spy is not installed: pip install py-spy")
    options.into.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=environment.SCRATCH)))
        source = unpacked(options.revision, scratch / "source") if options.revision else environment.ROOT
        build = serve(source, options.database, scratch, stack)
        for name in options.cases or HOTTEST:
            total, root = tree(asyncio.run(sampled(build, CASES[name], spy, scratch)))
            file = options.into / f"{name.replace(', ', '-')}.svg"
            file.write_text(drawn(f"{CASES[name].path}, {options.database}, {total} samples", total, root))
            print(os.path.relpath(file))


if __name__ == "__main__":
    main()
