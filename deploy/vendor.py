#!/usr/bin/env python3
"""Fetch the files of others that the site serves: `python3 deploy/vendor.py`. They are committed, with their licence.

A package of the npm registry, by version, and only if its content has the hash below (the registry's own `integrity`).
"""

import base64
import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "swagger-ui-dist@5.35.0"
SHA512 = "U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ=="
FILES = ("swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt", "swagger-ui.css", "LICENSE", "NOTICE")
TARGET = Path(__file__).resolve().parents[1] / "static" / "swagger"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", PACKAGE]
        name = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.split()[-1]
        archive = Path(folder, name)
        found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != SHA512:
            raise SystemExit(f"vendor: {PACKAGE} is not what it was: sha512-{found}")
        with tarfile.open(archive) as packed:
            for file in FILES:
                member = packed.extractfile(f"package/{file}")
                assert member, file
                content = member.read().replace(b"\n//# sourceMappingURL=swagger-ui-bundle.js.map", b"")
                content = content.replace(b"\n/*# sourceMappingURL=swagger-ui.css.map*/", b"")
                (TARGET / (file if "." in file else f"{file}.txt")).write_bytes(content)


if __name__ == "__main__":
    main()
