"""`/metrics` of a server with several processes tells of all of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROCESS = """
import sys
from serving.api.request_metrics import REQUESTS
from serving.model_slot import LIVE_VERSION, POLLED
from serving.streams import OPEN
REQUESTS.labels("GET", "/v1/feed", "200").inc(int(sys.argv[1]))
LIVE_VERSION.set(int(sys.argv[2]))
OPEN.inc(2)
print("ready", flush=True)
sys.stdin.readline()
"""
_READ = "from serving.exposition import exposition; print(exposition().decode())"


def _start(folder: Path, requests: int, version: int) -> "subprocess.Popen[str]":
    started = subprocess.Popen(  # noqa: S603  our own code
        [sys.executable, "-c", _PROCESS, str(requests), str(version)],
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def _read(folder: Path) -> dict[str, float]:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", _READ]
    text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    lines = [line.rpartition(" ") for line in text.stdout.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_counters_are_sums_and_gauges_are_of_processes_that_run(tmp_path: Path) -> None:
    one, two = _start(tmp_path, 3, 7), _start(tmp_path, 4, 6)
    with one, two:
        requests = 'photofeed_http_requests_total{method="GET",route="/v1/feed",status="200"}'
        both = _read(tmp_path)
        assert both[requests] == 7
        assert both["photofeed_open_streams"] == 4
        assert both["photofeed_model_version"] == 6  # of the process that is behind
        two.kill()
        two.wait()
        left = _read(tmp_path)
        assert left[requests] == 7
        assert left["photofeed_open_streams"] == 2
        assert left["photofeed_model_version"] == 7
        one.kill()


_SERVE = """
import os, sys
import granian

class Server:
    def __init__(self, *_, **options):
        self.workers = options["workers"]

    def serve(self):
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        print(self.workers, folder is not None and os.path.isdir(folder), "prometheus_client" in sys.modules)

granian.Granian = Server
from serving.commands import serve
serve()
print(os.path.exists(os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")))
"""


@pytest.mark.parametrize(("workers", "has_folder"), [(1, False), (2, True)])
def test_processes_find_the_folder_before_they_have_metrics(tmp_path: Path, workers: int, *, has_folder: bool) -> None:
    variables = {"PHOTOFEED_API_WORKERS": str(workers), "PHOTOFEED_ENV": "dev", "PHOTOFEED_STATE_DIR": str(tmp_path)}
    secrets = dict.fromkeys(("PHOTOFEED_JWT_SECRET", "PHOTOFEED_CURSOR_SECRET", "PHOTOFEED_S3_SECRET_KEY"), "s" * 32)
    environment = os.environ | variables | secrets
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)  # Feast sets it where a test has imported it
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _SERVE], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [f"{workers} {has_folder} False", "False"]


@pytest.mark.parametrize("is_set_later", [False, True])
def test_the_only_process_tells_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_set_later: bool
) -> None:
    from serving.exposition import exposition
    from serving.metrics_folder import FOLDER_VARIABLE

    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    if is_set_later:  # as Feast does
        monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert b"process_cpu_seconds_total" in exposition()
