"""Makes the environment, and runs the site or its tests in it, without `make`: on Windows, or wherever there is none.

    python bootstrap.py run | dev | test | test-all | check    as `make` under these names; more arguments are passed on

Needs Python 3.11 or newer. The Makefile makes its environment with this file, too: `venv`, `install`, `env`.
"""

import os
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PROGRAMS = VENV / ("Scripts" if os.name == "nt" else "bin")
PY = PROGRAMS / ("python.exe" if os.name == "nt" else "python")
LEAST = (3, 11)
LOCKS = {"run": "requirements.lock", "dev": "requirements-dev.lock", "audit": "requirements-audit.lock"}
# Name -> what has to be installed, and its commands: a module, or a program of the environment.
COMMANDS = {
    "run": ("run", [["-m", "app", "serve"]]),
    "dev": ("run", [["-m", "app.cli.reload"]]),
    "test": ("dev", [["-m", "tests"]]),
    "test-all": ("dev", [["-m", "tests"], ["-m", "tests", "--rest"]]),
    "check": ("dev", [["-m", "ruff", "check", "."], ["-m", "ruff", "format", "--check", "."],
                      ["lint-imports", "--no-cache"], ["-m", "mypy"]]),
}  # fmt: skip


def main(arguments):
    name, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    os.chdir(ROOT)
    os.environ |= {"UV_PYTHON_DOWNLOADS": "never", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    try:
        if name == "venv":
            make_environment()
        elif name == "install" and set(rest) <= LOCKS.keys():
            for what in rest:
                install(what)
        elif name == "env":
            write_settings()
        elif name in COMMANDS:
            needs, commands = COMMANDS[name]
            make_environment()
            install(needs)
            if needs == "run":
                write_settings()
                os.environ["APP_ENV"] = "development"
            return run(commands, rest)
        else:
            print(__doc__)
            return 0 if name in ("", "-h", "--help") else 2
    except subprocess.CalledProcessError as error:
        print(f"bootstrap: `{' '.join(map(str, error.cmd))}` failed", file=sys.stderr)
        return 1
    return 0


def make_environment():
    """With the interpreter that runs this file. uv only saves time: without it, pip installs the same lock."""
    made = VENV / ".made"
    if made.exists():
        return
    if sys.version_info < LEAST:
        sys.exit(f"bootstrap: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    lines = (ROOT / LOCKS["dev"]).read_text("utf-8").splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("uv=="))
    last = next(at for at in range(first, len(lines)) if not lines[at].endswith("\\"))
    alone = VENV / "uv.txt"
    alone.write_text("\n".join(lines[first : last + 1]) + "\n", "utf-8")
    with (VENV / "uv.log").open("w") as log:
        pip("--no-deps", "-r", str(alone), stderr=log, check=False)
    made.touch()


def install(what):
    """Unless what is installed is newer than its lock."""
    lock, done = ROOT / LOCKS[what], VENV / f".{what}"
    if done.exists() and done.stat().st_mtime >= max(lock.stat().st_mtime, (VENV / ".made").stat().st_mtime):
        return
    print(f"Installing {lock.name} ...", flush=True)
    uv = PROGRAMS / ("uv.exe" if os.name == "nt" else "uv")
    command = [str(uv), "pip", "install", "--quiet", "--require-hashes", "--python", str(PY), "-r", str(lock)]
    with (VENV / "uv.log").open("w") as log:
        installed = uv.exists() and subprocess.run(command, stderr=log).returncode == 0
    if not installed:
        pip("-r", str(lock))
    done.touch()
    if what == "dev":
        (VENV / ".run").touch()  # it has all of that


def pip(*arguments, check=True, **how):
    command = [str(PY), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*command, *arguments], check=check, **how)


def write_settings():
    """A secret of one's own in `.env`, readable by its owner alone, never committed."""
    path = ROOT / ".env"
    if not path.exists():
        new = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(new, "w", encoding="utf-8") as file:
            file.write(f"APP_SECRET_KEY={secrets.token_urlsafe(48)}\n")
        print("Wrote .env with its own secret key (.env.example lists all settings).")


def run(commands, arguments):
    """One after the other until one fails; the arguments are the last one's. Returns the exit code."""
    os.umask(0o077)
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled modules halve the time of the next start
    for command in commands:
        program = [str(PY), *command] if command[0] == "-m" else [str(PROGRAMS / command[0]), *command[1:]]
        whole = program + (arguments if command is commands[-1] else [])
        if os.name != "nt" and len(commands) == 1:
            os.execve(whole[0], whole, environment)
        try:
            code = subprocess.run(whole, env=environment).returncode
        except KeyboardInterrupt:
            return 130
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
