"""Waits until a server that a benchmark started answers."""

import time

import psutil

from photofeed.embedded import http_probe
from photofeed.embedded.errors import NotReadyError

ATTEMPTS, PAUSE_SECONDS = 600, 0.2


def wait_until_ready(url: str, process: psutil.Popen) -> None:
    """Wait until a GET of `url` returns 200.

    Raises:
        SystemExit: the process ended, or nothing answered within two minutes.
    """
    for _ in range(ATTEMPTS):
        try:
            http_probe.get(url)
        except NotReadyError:
            if process.poll() is not None:
                raise SystemExit(f"the server of {url} exited with code {process.returncode}") from None
            time.sleep(PAUSE_SECONDS)
        else:
            return
    raise SystemExit(f"no answer from {url}")
