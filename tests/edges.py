"""The edges of deploy/edge that tests start: which are installed, and how to wait for what they learn."""

import httpx
import pytest

from tools import nginx, varnish

NEEDS_VARNISH = pytest.mark.skipif(not varnish.IS_INSTALLED, reason="install varnishd: apt-get install varnish")
NEEDS_NGINX = pytest.mark.skipif(not nginx.IS_INSTALLED, reason="install nginx: apt-get install nginx")


def until(client: httpx.Client, path: str, status: int) -> httpx.Response:
    """The first reply with a status, which comes within seconds."""
    for _ in range(100_000):
        reply = client.get(path)
        if reply.status_code == status:
            return reply
    raise AssertionError(f"{path} never answered {status}")
