"""The proxies of deploy/ in front of real servers, as Debian has their programs: TLS with a certificate of our own.

What a person changes in the files is changed here too: the name, the ports, the certificate, the processes.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.support.environment import ROOT
from tests.support.ports import free_port
from tests.support.programs import folder_for_programs, needed, started
from tests.support.proxy import CADDYFILE, Proxy, certified, proxying

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
IDLE = {  # how long the proxy keeps an idle connection to the application: in the file -> as `changes` for a test
    "caddy": "keepalive 60s",
    "nginx": "keepalive_timeout 60s",
    "haproxy": "pool-purge-delay 30s",
}


def changed(name: str, changes: Mapping[str, str]) -> str:
    """The file of deploy/ with each of these replaced. Errors: AssertionError if one is not there."""
    text = (ROOT / "deploy" / name).read_text()
    for before, after in changes.items():
        assert before in text, f"deploy/{name} has no {before}"
        text = text.replace(before, after)
    return text


@contextmanager
def caddy(origin: str, *upstreams: str, idle: str = "") -> Iterator[Proxy]:
    with folder_for_programs() as folder:
        file = folder / "Caddyfile"
        file.write_text(changed(CADDYFILE.name, {IDLE["caddy"]: idle or IDLE["caddy"]}))
        with proxying(origin, *upstreams, plain_port=free_port(), caddyfile=file) as proxy:
            yield proxy


@contextmanager
def nginx(origin: str, *upstreams: str, idle: str = "") -> Iterator[Proxy]:
    with folder_for_programs() as folder:
        proxy, chain, key = made(origin, folder)
        changes = {
            "/etc/letsencrypt/live/app.example.com/fullchain.pem": str(chain),
            "/etc/letsencrypt/live/app.example.com/privkey.pem": str(key),
            **addresses(origin, *upstreams),
            "app.example.com": "localhost",
            "listen 80;": f"listen 127.0.0.1:{proxy.plain_port};",
            "listen 443 ": f"listen 127.0.0.1:{proxy.port} ",
            IDLE["nginx"]: idle or IDLE["nginx"],
        }
        (folder / "lanyard.conf").write_text(changed("nginx.conf", changes))
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
        command = [needed("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
        with started(command, proxy.port, folder):
            yield proxy


@contextmanager
def haproxy(origin: str, *upstreams: str, idle: str = "") -> Iterator[Proxy]:
    with folder_for_programs() as folder:
        proxy, chain, key = made(origin, folder)
        both = folder / "both.pem"
        both.write_bytes(chain.read_bytes() + key.read_bytes())
        changes = {
            "/etc/haproxy/app.example.com.pem": str(both),
            **addresses(origin, *upstreams),
            "bind :80\n": f"bind 127.0.0.1:{proxy.plain_port}\n",
            "bind :443 ": f"bind 127.0.0.1:{proxy.port} ",
            IDLE["haproxy"]: idle or IDLE["haproxy"],
        }
        (folder / "haproxy.cfg").write_text(changed("haproxy.cfg", changes))
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
