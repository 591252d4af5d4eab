"""Varnish with the configuration of deploy/edge, in front of an origin on this machine."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.listening import free_port, running_server

EDGE = Path(__file__).parents[1] / "deploy" / "edge"

ZOOM_SHARE = 0.3  # of the memory, for images of the zoom size; as in deploy/compose.yaml
VARNISHD = shutil.which("varnishd") or "/usr/sbin/varnishd"
IS_INSTALLED = Path(VARNISHD).exists()
_BACKENDS = """
backend api {{ .host = "127.0.0.1"; .port = "{port}"; }}
sub vcl_init {{ new origin = directors.round_robin(); origin.add_backend(api); }}
acl purgers {{ {purgers} }}
"""


@contextmanager
def running_varnish(
    folder: Path, origin_port: int, purgers: str = '"127.0.0.1";', megabytes: int = 64
) -> Iterator[str]:
    """Its address. The origin and who may purge take the place of backends.vcl; the rest is as deployed.

    Raises:
        RuntimeError: it does not start; the message is its log.
    """
    folder.mkdir(exist_ok=True)
    (folder / "backends.vcl").write_text(_BACKENDS.format(port=origin_port, purgers=purgers))
    port = free_port()
    kilobytes = megabytes * 1024
    zoom = round(kilobytes * ZOOM_SHARE)
    command = (
        *(VARNISHD, "-F", "-j", "none", "-n", str(folder / "varnish"), "-a", f"127.0.0.1:{port}"),
        *("-s", f"feed=malloc,{kilobytes - zoom}k", "-s", f"zoom=malloc,{zoom}k", "-T", "none"),
        *("-f", str(EDGE / "varnish.vcl")),
        *("-p", f"vcl_path={folder}", "-p", "auto_restart=off"),
    )
    with running_server(command, port, folder / "varnish.log") as url:
        yield url
