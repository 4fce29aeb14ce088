"""A new virtual environment with the packages of a requirements file, and no other, without a network.

The packages are those that are installed here, in the versions of requirements.lock; they are linked, not copied. A
requirement of another version is an error, so the course cannot name packages that this project does not test.
"""

import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

SCRIPT = "#!{python}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"


def make(folder: Path, requirements: str) -> Path:
    """Its folder of programs. Errors: ValueError for a version that is not ours, PackageNotFoundError."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    wanted = [Requirement(line) for line in requirements.splitlines() if line]
    for found in _with_dependencies(wanted):
        for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            target = Path(str(found.locate_file(top)))
            if target.exists() and not (site / top).exists():
                (site / top).symlink_to(target)
        for entry in found.entry_points.select(group="console_scripts"):
            script = folder / "bin" / entry.name
            script.write_text(SCRIPT.format(python=folder / "bin" / "python", module=entry.module, function=entry.attr))
            script.chmod(0o755)
    return folder / "bin"


def _with_dependencies(wanted: list[Requirement]) -> list[Distribution]:
    found: dict[tuple[str, frozenset[str]], Distribution] = {}
    left = list(wanted)
    while left:
        each = left.pop()
        key = (each.name.lower(), frozenset(each.extras))
        if key in found:
            continue
        package = found[key] = distribution(each.name)
        if package.version not in each.specifier:
            raise ValueError(f"{each} is wanted, and {package.version} is installed")
        for line in package.requires or ():
            needed = Requirement(line)
            extras = each.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                left.append(needed)
    return list(found.values())
