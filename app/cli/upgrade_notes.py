"""The command `upgrade-notes`: what changed in the starter since this project was made from it.

Reads the CHANGELOG.md of newer code that is on this machine already, a fetched branch or a folder, and asks git which
commit wrote each entry and which files it changed. It contacts nobody and changes nothing.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.settings import ROOT

CHANGELOG = "CHANGELOG.md"
KINDS = ("Security", "Removed", "Changed", "Deprecated", "Fixed", "Added")  # in the order of the list
HASH = re.compile(r"\b[0-9a-f]{7,40}\b")
LINKED = re.compile(r"\s*\(((?:[0-9a-f]{7,40}(?:, )?)+)\)\s*$")
SHOWN = 12  # files of an entry


class Unreadable(ValueError):
    """Why there is nothing to list, in one line."""


@dataclass(frozen=True)
class Source:
    """Newer code: `folder` has a git repository or only files, `revision` is "" for the files as they lie there."""

    folder: Path
    revision: str = ""

    def git(self, *arguments: str) -> str:
        """What git prints; "" where it fails or there is no repository."""
        try:
            done = subprocess.run(["git", *arguments], cwd=self.folder, capture_output=True, text=True)  # noqa: S603, S607
        except FileNotFoundError:
            return ""
        return done.stdout if done.returncode == 0 else ""

    def changelog(self) -> str:
        if self.revision:
            text = self.git("show", f"{self.revision}:{CHANGELOG}")
        else:
            path = self.folder / CHANGELOG
            text = path.read_text("utf-8") if path.is_file() else ""
        if "\n## [" not in text:
            raise Unreadable(f"no {CHANGELOG} of the starter there: {self.revision or self.folder}")
        return text


@dataclass
class Entry:
    """`version`: "" for what is not released. `commits`: those the entry names, or the one that wrote it."""

    version: str
    kind: str
    text: str
    lines: range
    commits: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def upgrade_notes(newer: str) -> int:
    """Print what changed; `newer` is a branch or tag that was fetched, or a folder. Returns the exit code."""
    try:
        start = started_from()
        source = _source(newer)
        entries = changes(source, start)
    except Unreadable as error:
        print(f"upgrade-notes: {error}", file=sys.stderr)
        return 1
    print("\n".join(_listed(entries, start["version"])))
    return 0


def started_from() -> dict[str, str | list[str]]:
    """`version`, and `gone`: the parts that were ejected."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    try:
        return dict(project["tool"]["starter"])
    except KeyError:
        raise Unreadable("pyproject.toml has no [tool.starter] that says from which version it was made") from None


def changes(source: Source, start: dict[str, str | list[str]]) -> list[Entry]:
    """Those that are newer than this project and not about what it ejected; security first."""
    gone = [str(name) for name in start["gone"]]
    entries = parsed(source.changelog(), gone)
    written = _written_by(source)
    known = _known(source)
    newer = []
    for entry in entries:
        wrote = list(dict.fromkeys(written[at] for at in entry.lines if at in written))
        if entry.version and _number(entry.version) <= _number(str(start["version"])):
            continue
        if any(group and all(map(known, group)) for group in (entry.commits, wrote)):
            continue
        entry.commits = entry.commits or wrote
        entry.files = list(dict.fromkeys(path for commit in entry.commits for path in _files(source, commit)))
        newer.append(entry)
    return sorted(newer, key=lambda entry: KINDS.index(entry.kind))


def parsed(text: str, gone: list[str]) -> list[Entry]:
    """Every entry with its lines, counted from 1; what stands between the marks of a part that is gone left out."""
    for name in gone:
        text = re.sub(
            rf"<!-- {name} -->.*?<!-- /{name} -->", lambda found: "\n" * found[0].count("\n"), text, flags=re.DOTALL
        )
    text = re.sub(r"<!-- /?\w+ -->", "", text)
    entries: list[Entry] = []
    version = kind = ""
    for at, line in enumerate(text.splitlines(), 1):
        if found := re.match(r"## \[(.+?)\]", line):
            version, kind = "" if found[1] == "Unreleased" else found[1], ""
        elif found := re.match(r"### (\w+)", line):
            kind = found[1]
        elif line.startswith("- ") and kind:
            entries.append(Entry(version, kind, line[2:], range(at, at + 1)))
        elif line.startswith("  ") and entries and entries[-1].lines.stop == at:
            entries[-1].text += " " + line.strip()
            entries[-1].lines = range(entries[-1].lines.start, at + 1)
    for entry in entries:
        if named := LINKED.search(entry.text):
            entry.text = entry.text[: named.start()]
            entry.commits = HASH.findall(named[1])
    return entries


def _source(newer: str) -> Source:
    if Path(newer).is_dir():
        return Source(Path(newer).resolve())
    here = Source(ROOT, newer)
    if newer.startswith("-") or not here.git("rev-parse", "--verify", "--quiet", f"{newer}^{{commit}}"):
        raise Unreadable(f"neither a folder nor a fetched branch or tag: {newer}")
    return here


def _known(source: Source) -> Callable[[str], bool]:
    """Whether this project has that commit in its history; none where it began a history of its own."""
    ours = Source(ROOT).git("rev-list", "HEAD").split()
    theirs = set(source.git("rev-list", source.revision or "HEAD").split())
    shared = {commit[:7] for commit in ours if commit in theirs}
    return lambda commit: commit[:7] in shared


def _written_by(source: Source) -> dict[int, str]:
    """Line of the changelog -> the commit that wrote it."""
    revision = [source.revision] if source.revision else []
    said = source.git("blame", "--line-porcelain", *revision, "--", CHANGELOG)
    found = re.findall(r"^([0-9a-f]{40}) \d+ (\d+)", said, re.MULTILINE)
    return {int(line): commit[:7] for commit, line in found if set(commit) != {"0"}}


def _files(source: Source, commit: str) -> list[str]:
    """What it changed, without what this project does not have: files that were there before and are ejected here."""
    said = source.git("show", "--name-status", "--format=", "--no-renames", commit)
    changed = [line.split("\t") for line in said.splitlines() if "\t" in line]
    return [path for status, path in changed if path != CHANGELOG and (status == "A" or (ROOT / path).exists())]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _listed(entries: list[Entry], since: str | list[str]) -> list[str]:
    if not entries:
        return [f"Nothing has changed since {since}."]
    lines = [f"Since {since}: {len(entries)} changes, security first."]
    kind = ""
    for entry in entries:
        if entry.kind != kind:
            kind = entry.kind
            lines += ["", kind]
        lines.append(f"- {entry.text}" + (f" ({', '.join(entry.commits)})" if entry.commits else ""))
        lines += [f"    {path}" for path in entry.files[:SHOWN]]
        if len(entry.files) > SHOWN:
            lines.append(f"    and {len(entry.files) - SHOWN} more: git show --stat {' '.join(entry.commits)}")
    return lines
