"""The files of deploy/ say what their programs understand, and name settings and files that there are."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from tests.support import proxy
from tests.support.environment import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SETTINGS = {str(field.validation_alias or f"APP_{name.upper()}") for name, field in Settings.model_fields.items()}
OUTSIDE = {"APP_ENV_FILE", "APP_SECRETS_DIR", "PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}


def program(name: str) -> str:
    """Out of a wheel, or the system's own."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    return found or pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", "deploy/Dockerfile"],
        ["shellcheck", "deploy/postgres-init.sh", ".ci/run"],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml"],
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", "deploy/ci/github.yml"],
        ["zizmor", "--offline", "--no-progress", "deploy/ci/github.yml"],
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "deploy/lanyard.service"],
    ],
    ids=lambda command: f"{command[0]} {command[-1]}",
)
def test_file_is_well_formed(command: list[str]) -> None:
    done = subprocess.run([program(command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


def test_caddy_understands_its_file_and_finds_it_formatted(tmp_path: Path) -> None:
    given = proxy.environment_of("https://app.example.com", "app-1:8000", plain_port=80)
    homes = {"XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    file = str(DEPLOY / "Caddyfile")

    adapted = subprocess.run(
        [proxy.binary(), "adapt", "--config", file, "--adapter", "caddyfile"],
        env=os.environ | homes | given, capture_output=True, text=True,
    )  # fmt: skip
    formatted = subprocess.run([proxy.binary(), "fmt", "--diff", file], capture_output=True, text=True)

    assert adapted.returncode == 0, adapted.stderr
    assert formatted.returncode == 0, formatted.stdout


def test_units_and_image_name_settings_that_there_are() -> None:
    named = set()
    for file in ("lanyard.service", "lanyard-migrate.service"):
        text = (DEPLOY / file).read_text()
        named |= set(re.findall(r"^LoadCredential=(\w+):", text, re.MULTILINE))
        for line in re.findall(r"^Environment=(.+)$", text, re.MULTILINE):
            named |= {pair.partition("=")[0] for pair in line.split()}
    named |= set(re.findall(r"^(?:ENV|   ) ([A-Z_]+)=", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))

    assert {"APP_SECRET_KEY", "APP_VERIFYING_SECRET_KEYS", "APP_SECRETS_DIR", "HOST"} <= named <= SETTINGS | OUTSIDE


# v5.0.0-13.3.1, v5.0.0-13.2.3
def test_compose_gives_the_application_settings_that_there_are_and_no_secret_in_its_environment() -> None:
    for name in ("app-1", "app-2", "app-3", "migrate"):
        service = COMPOSE["services"][name]
        given = {each["target"] if isinstance(each, dict) else each for each in service["secrets"]}

        assert set(service["environment"]) <= SETTINGS | OUTSIDE
        assert not {"APP_SECRET_KEY", "DATABASE_URL", "MAIL_URL", "APP_METRICS_TOKEN"} & set(service["environment"])
        assert {"APP_SECRET_KEY", "DATABASE_URL"} <= given <= SETTINGS
        assert name == "migrate" or "APP_VERIFYING_SECRET_KEYS" in given, "or a change of secret signs people out"


def test_only_the_proxy_is_reached_from_outside_and_believed() -> None:
    services = COMPOSE["services"]
    address = services["caddy"]["networks"]["front"]["ipv4_address"]

    assert [name for name, service in services.items() if "ports" in service] == ["caddy"]
    assert services["app-1"]["command"] == ["serve", "--forwarded-allow-ips", address]
    assert COMPOSE["networks"]["back"]["internal"] is True


# v5.0.0-13.2.2
def test_every_container_is_read_only_and_without_privileges() -> None:
    for service in COMPOSE["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]


def test_processes_that_migrate_and_that_serve_have_addresses_of_their_own() -> None:
    def address(name: str) -> Any:
        return next(each["source"] for each in COMPOSE["services"][name]["secrets"] if isinstance(each, dict))

    assert (address("migrate"), address("app-1")) == ("database_url_owner", "database_url_app")
    assert COMPOSE["services"]["app-1"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_files_that_compose_mounts_are_there() -> None:
    mounts = [str(each) for service in COMPOSE["services"].values() for each in service.get("volumes", ())]
    files = [mount.partition(":")[0] for mount in mounts if mount.startswith("./")]

    assert len(files) >= 3
    assert all((DEPLOY / file).is_file() for file in files)


def test_images_are_pinned_by_version() -> None:
    images = [service["image"] for service in COMPOSE["services"].values() if "build" not in service]
    images += re.findall(r"^ARG BASE=(\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)

    assert images
    assert all(re.search(r":\d+\.\d+(\.\d+)?(-\w+)?$", image) for image in images)


def test_image_holds_what_the_application_reads_and_nothing_else() -> None:
    """What .dockerignore lets in, against the top of the repository."""
    let_in = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE))

    assert {"app", "templates", "static", "requirements.lock"} <= let_in
    assert not {".env", "var", "tests", "e2e", ".git", "deploy"} & let_in


# v5.0.0-15.2.4
def test_actions_are_pinned_by_the_hash_of_their_commit() -> None:
    used = re.findall(r"uses: (\S+)", (DEPLOY / "ci" / "github.yml").read_text())

    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action in used)


# v5.0.0-15.1.2
def test_list_of_licences_names_every_package_that_runs() -> None:
    """`make licences` writes it again."""
    locked = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    listed = re.findall(
        r"^\| *([\w.-]+) *\| *(\S+) *\| *(.+?) *\|$", (DEPLOY / "licences.md").read_text(), re.MULTILINE
    )
    versions = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version, _ in listed}

    # What another system alone needs is not installed here, and so not listed.
    missing = set(locked) - set(versions)
    assert missing <= {"colorama", "tzdata", "winloop", "exceptiongroup", "async-timeout"}, "run make licences"
    assert {name: locked[name] for name in versions if name in locked} == {
        name: version for name, version in versions.items() if name in locked
    }
    assert not [name for name, _, licence in listed if licence in ("", "UNKNOWN")]


def test_locks_name_no_registry() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text()
