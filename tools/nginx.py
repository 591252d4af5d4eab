"""nginx with the configuration of deploy/edge, in front of an origin on this machine."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.listening import free_port, running_server
from tools.varnish import EDGE

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
IS_INSTALLED = Path(NGINX).exists()
KEPT_SECONDS = 60  # until nginx asks the origin again; as in nginx-images.conf
_MAIN = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include nginx.conf;
}
"""


@contextmanager
def running_nginx(folder: Path, origin_port: int, kept_seconds: int = KEPT_SECONDS) -> Iterator[str]:
    """Its address. The port and the origin take the place of those deployed; the rest is as deployed.

    Raises:
        RuntimeError: it does not start; the message is its log.
    """
    port = free_port()
    (folder / "cache").mkdir(parents=True, exist_ok=True)
    replaced = {
        "nginx.conf": ("listen 8080;", f"listen 127.0.0.1:{port};"),
        "nginx-images.conf": (f"200 {KEPT_SECONDS}s;", f"200 {kept_seconds}s;"),
    }
    for name, (deployed, here) in replaced.items():
        text = (EDGE / name).read_text()
        if deployed not in text:
            raise RuntimeError(f"{name} has no {deployed!r}")
        (folder / name).write_text(text.replace(deployed, here))
    (folder / "nginx-backends.conf").write_text(f"upstream photofeed_api {{ server 127.0.0.1:{origin_port}; }}")
    (folder / "main.conf").write_text(_MAIN)
    command = (NGINX, "-p", str(folder), "-c", str(folder / "main.conf"), "-e", "stderr")
    with running_server(command, port, folder / "nginx.log") as url:
        yield url
