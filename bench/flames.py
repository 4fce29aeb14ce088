"""Flame graphs of the hottest paths: where the server's CPU goes, as SVG to open in a browser.

    python -m bench.flames [CASE ...] [--revision REV] [--database sqlite|postgresql] [--into FOLDER]

Takes py-spy, which is not among the dependencies: `pip install py-spy`. It samples the server from outside, in
production mode and on one worker, while the requests of `bench.compare` are asked of it.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.support import environment  # isort: skip  # before anything of the application
from bench.compare import CASES, DATABASES, Build, Case, serve, unpacked
from bench.run import repeat

HOTTEST = ("me", "front", "dashboard", "users", "refresh")
SECONDS = 8


async def draw(build: Build, case: Case, spy: str, to: Path) -> None:
    await build.sign_in()
    asks = await build.asks(case)
    command = [spy, "record", "--rate", "250", "--format", "flamegraph" if to.suffix == ".svg" else "raw"]
    command += ["--duration", str(SECONDS), "--pid", str(build.server.process.pid), "--output", str(to)]
    recording = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    done = asyncio.create_task(recording.wait())
    while not done.done():
        await asyncio.gather(*(repeat(ask, 2) for ask in asks))
    if done.result():
        raise SystemExit(f"py-spy failed with {done.result()}: it may need the right to look into other processes")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.flames")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--revision", default="", metavar="REV", help="instead of the files as they are now")
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--into", type=Path, default=environment.ROOT / "var" / "flames", metavar="FOLDER")
    parser.add_argument("--raw", action="store_true", help="stacks as text, one a line with its number of samples")
    options = parser.parse_args()
    spy = shutil.which("py-spy")
    if spy is None:
        sys.exit("bench.flames: py-spy is not installed: pip install py-spy")
    options.into.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=environment.SCRATCH)))
        source = unpacked(options.revision, scratch / "source") if options.revision else environment.ROOT
        build = serve(source, options.database, scratch, stack)
        for name in options.cases or HOTTEST:
            file = options.into / f"{name.replace(', ', '-')}{'.txt' if options.raw else '.svg'}"
            asyncio.run(draw(build, CASES[name], spy, file))
            print(os.path.relpath(file))


if __name__ == "__main__":
    main()
