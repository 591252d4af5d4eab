"""The management port tells an orchestrator whether a worker works; the watchdog ends one that does not."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from ingestion.management import management_port
from ingestion.progress import TURN_SECONDS, Progress
from ingestion.watchdog import STUCK_EXIT_CODE
from photofeed.errors import InvalidError
from photofeed.settings import Settings
from tests.doubles.clock import Clock

STUCK_WORKER = """
import threading
from ingestion.progress import Progress
from ingestion.watchdog import watch
progress = Progress(iter([0.0, 1000.0, 1000.0, 1000.0]).__next__)
progress.turned()
watch(progress, threading.Event())
"""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    return Progress(clock)


@pytest.fixture
def port(progress: Progress) -> Iterator[httpx.Client]:
    with (
        management_port(Settings(), progress) as number,
        httpx.Client(base_url=f"http://127.0.0.1:{number}", trust_env=False) as client,
    ):
        yield client


def test_a_worker_starts_works_waits_and_is_stuck(port: httpx.Client, progress: Progress, clock: Clock) -> None:
    def states() -> tuple[int, int, str]:
        ready = port.get("/readyz")
        return port.get("/healthz").status_code, ready.status_code, ready.json()["status"]

    assert states() == (200, 503, "starting")
    progress.turned()
    assert states() == (200, 200, "ready")
    progress.waiting("OOM command not allowed")
    assert states() == (200, 503, "waiting")
    assert port.get("/readyz").json()["waitsFor"] == "OOM command not allowed"
    progress.waiting(None)
    clock.now += TURN_SECONDS + 1
    assert states() == (503, 503, "stuck")
    assert "not turned" in port.get("/healthz").json()["reason"]


def test_metrics_and_probes_by_head(port: httpx.Client, progress: Progress) -> None:
    progress.turned()
    assert "photofeed_worker_last_commit_timestamp_seconds" in port.get("/metrics").text
    assert port.head("/healthz").status_code == 200
    assert port.get("/elsewhere").status_code == 404


def test_the_reply_to_head_has_no_body(port: httpx.Client) -> None:
    with socket.create_connection(("127.0.0.1", port.base_url.port or 0)) as connection:
        connection.sendall(b"HEAD /healthz HTTP/1.0\r\n\r\n")
        _, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert body == b""


def test_a_port_that_is_taken_is_named(port: httpx.Client) -> None:
    taken = Settings(management_port=port.base_url.port or 0)
    with (
        pytest.raises(InvalidError, match=r"PHOTOFEED_MANAGEMENT_PORT: 127\.0\.0\.1:\d+ cannot be used"),
        management_port(taken, Progress()),
    ):
        pass


def test_the_watchdog_ends_a_stuck_process_and_shows_where_it_is_stuck() -> None:
    done = subprocess.run(  # noqa: S603  our own command line
        [sys.executable, "-c", STUCK_WORKER], capture_output=True, text=True, check=False
    )
    assert done.returncode == STUCK_EXIT_CODE
    assert "worker is stuck" in done.stdout
    assert "most recent call first" in done.stderr
