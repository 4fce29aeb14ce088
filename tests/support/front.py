"""The proxies of deploy/ in front of real servers, as Debian has their programs: TLS with a certificate of our own.

What a person changes in the files is changed here too: the name, the ports, the certificate, the processes.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support import postgres
from tests.support.environment import ROOT
from tests.support.ports import free_port
from tests.support.programs import folder_for_programs, needed, started
from tests.support.proxy import CADDYFILE, Proxy, certified, proxying
from tests.support.relay import far_away
from tests.support.server import Server, running

# Around a file for /etc/nginx/conf.d; the rest is what Debian's own nginx.conf says of it.
NGINX = """\
daemon off;
pid {folder}/pid;
events {{}}
http {{
    access_log off;
    gzip on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/lanyard.conf;
}}
"""
IDLE = {  # how long the proxy keeps an idle connection to the application, in the file of deploy/
    "caddy": "keepalive 60s",
    "nginx": "keepalive_timeout 60s",
    "haproxy": "pool-purge-delay 30s",
}
AS_IT_IS: Mapping[str, str] = {}


def changed(name: str, changes: Mapping[str, str]) -> str:
    """The file of deploy/ with each of these replaced. Errors: AssertionError if one is not there."""
    text = (ROOT / "deploy" / name).read_text()
    for before, after in changes.items():
        assert before in text, f"deploy/{name} has no {before}"
        text = text.replace(before, after)
    return text


@contextmanager
def caddy(origin: str, *upstreams: str, changes: Mapping[str, str] = AS_IT_IS) -> Iterator[Proxy]:
    with folder_for_programs() as folder:
        file = folder / "Caddyfile"
        file.write_text(changed(CADDYFILE.name, changes))
        with proxying(origin, *upstreams, plain_port=free_port(), caddyfile=file) as proxy:
            yield proxy


@contextmanager
def nginx(origin: str, *upstreams: str, changes: Mapping[str, str] = AS_IT_IS) -> Iterator[Proxy]:
    with folder_for_programs() as folder:
        proxy, chain, key = made(origin, folder)
        own = {
            "/etc/letsencrypt/live/app.example.com/fullchain.pem": str(chain),
            "/etc/letsencrypt/live/app.example.com/privkey.pem": str(key),
            **addresses(origin, *upstreams),
            "app.example.com": "localhost",
            "listen 80;": f"listen 127.0.0.1:{proxy.plain_port};",
            "listen 443 ": f"listen 127.0.0.1:{proxy.port} ",
        }
        (folder / "lanyard.conf").write_text(changed("nginx.conf", {**own, **changes}))
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
        command = [needed("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
        with started(command, proxy.port, folder):
            yield proxy


@contextmanager
def haproxy(origin: str, *upstreams: str, changes: Mapping[str, str] = AS_IT_IS) -> Iterator[Proxy]:
    with folder_for_programs() as folder:
        proxy, chain, key = made(origin, folder)
        both = folder / "both.pem"
        both.write_bytes(chain.read_bytes() + key.read_bytes())
        own = {
            "/etc/haproxy/app.example.com.pem": str(both),
            **addresses(origin, *upstreams),
            "bind :80\n": f"bind 127.0.0.1:{proxy.plain_port}\n",
            "bind :443 ": f"bind 127.0.0.1:{proxy.port} ",
        }
        (folder / "haproxy.cfg").write_text(changed("haproxy.cfg", {**own, **changes}))
        with started([needed("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")], proxy.port, folder):
            yield proxy


PROXIES: dict[str, Callable[..., AbstractContextManager[Proxy]]] = {"caddy": caddy, "nginx": nginx, "haproxy": haproxy}


def addresses(origin: str, *upstreams: str) -> dict[str, str]:
    """The addresses in the files of nginx and HAProxy -> those of this test."""
    return {"https://app.example.com": origin, "127.0.0.1:8000": upstreams[0], "127.0.0.1:8001": upstreams[-1]}


def made(origin: str, folder: Path) -> tuple[Proxy, Path, Path]:
    """What a proxy there will be, its certificate and its key."""
    key = certified(folder)
    proxy = Proxy(origin, int(origin.rpartition(":")[2]), free_port(), folder / "authority.pem", folder / "log", key)
    return proxy, folder / "chain.pem", folder / "key.pem"


class Site:
    """A proxy, and two processes behind it, on PostgreSQL. `changes`: of the proxy's file; `source`: of `running`."""

    def __init__(
        self,
        stack: ExitStack,
        name: str,
        changes: Mapping[str, str] = AS_IT_IS,
        *,
        source: Path = ROOT,
        distance: float = 0,
        **variables: str,
    ) -> None:
        """`distance`: seconds from the proxy to a process: when one hangs up, the other learns of it later."""
        self.name, self.origin = name, f"https://localhost:{free_port()}"
        self.url = postgres.fresh_for_the_site()
        common: Any = {
            "APP_ENV": "production",
            "APP_ARGON2_MEMORY_KIB": "19456",
            "PUBLIC_ORIGIN": self.origin,
            "APP_ISSUER": "",
            "APP_AUDIENCE": "",
            "DATABASE_URL": self.url,
        }
        believed = ["--forwarded-allow-ips", "127.0.0.1"]
        start = [running(arguments=believed, source=source, **common | variables) for _ in range(2)]
        self.stacks = [stack.enter_context(ExitStack()) for _ in start]
        self.servers: list[Server] = [own.enter_context(each) for own, each in zip(self.stacks, start, strict=True)]
        away = [
            own.enter_context(far_away(server.port, distance)) if distance else server.port
            for own, server in zip(self.stacks, self.servers, strict=True)
        ]
        upstreams = [f"127.0.0.1:{port}" for port in away]
        self.proxy: Proxy = stack.enter_context(PROXIES[name](self.origin, *upstreams, changes=changes))

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.proxy.authority)

    def client(self, source: str = "127.0.0.1", **options: Any) -> httpx.Client:
        transport = httpx.HTTPTransport(verify=self.tls(), local_address=source)
        return httpx.Client(transport=transport, base_url=self.origin, timeout=30, **options)
