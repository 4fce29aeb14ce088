"""What the printed forms did on earlier versions of the framework: recorded in app/learn/versions.json.

    python -m tests.patterns.versions 0.4.0 0.4.2     installs each in an environment of its own (needs a network)

Everything else in those environments has the version that is installed here.
"""

import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from app.learn.code_blocks import VERSIONS
from tests.patterns import printed

OTHERS = ("lilya", "edgy", "pyjwt", "pydantic", "aiosqlite", "argon2-cffi", "libpass", "cryptography", "httpx")


def main(wanted: list[str]) -> None:
    recorded = {each: _on(each) for each in wanted} | {version("ravyn"): printed.outputs()}
    VERSIONS.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"{VERSIONS.name}: {', '.join(recorded)}")


def _on(ravyn: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pins = [f"{name}=={version(name)}" for name in OTHERS]
        subprocess.run([python, "-m", "pip", "install", "-q", f"ravyn[jwt]=={ravyn}", *pins], check=True)
        return printed.outputs("forms", str(python))


if __name__ == "__main__":
    main(sys.argv[1:])
