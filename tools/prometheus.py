"""Prometheus with the recording rules of deploy/prometheus, on the processes of a stack of this machine."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from simulation.running import RunningPhotofeed
from tools.listening import free_port, running_server

PROMETHEUS = shutil.which("prometheus")
SCRAPE_SECONDS = 5
_RULES = Path(__file__).parents[1] / "deploy" / "prometheus" / "rules"
_PORT = re.compile(r"management port\s.*\bport=(\d+)")
_OUR_PROCESSES = re.compile(r"^(relay|photos-\d+|zoom|features|fanout|archive|purge|removal|sweeper|pools)$")


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a graph: its labels, moments in seconds since 1970, and values."""

    labels: Mapping[str, str]
    times: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def range(self, expression: str, start: float, end: float) -> list[Series]:
        """What an expression was in a stretch of time, every SCRAPE_SECONDS.

        Raises:
            httpx.HTTPStatusError: Prometheus refuses the expression.
        """
        asked = {"query": expression, "start": str(start), "end": str(end), "step": str(SCRAPE_SECONDS)}
        reply = httpx.get(f"{self.url}/api/v1/query_range", params=asked).raise_for_status()
        return [
            Series(
                {name: value for name, value in one["metric"].items() if name != "__name__"},
                tuple(float(moment) for moment, _ in one["values"]),
                tuple(float(value) for _, value in one["values"]),
            )
            for one in reply.json()["data"]["result"]
        ]


def workers(logs: Path) -> dict[str, int]:
    """Name -> management port of every worker, as it logged it when it started last, in the folder of its log."""
    found = {}
    for file in logs.glob("*.log"):
        ports = _PORT.findall(file.read_text(errors="replace"))
        if _OUR_PROCESSES.fullmatch(file.stem) and ports:
            found[file.stem] = int(ports[-1])
    return found


@contextmanager
def running_prometheus(folder: Path, running: RunningPhotofeed) -> Iterator[Prometheus]:
    """A Prometheus that reads API and workers while the context is open. Its data is in the folder.

    Raises:
        RuntimeError: it is not installed, or does not start.
    """
    if PROMETHEUS is None:
        raise RuntimeError("prometheus is missing: apt-get install prometheus")
    folder.mkdir(parents=True)
    (folder / "prometheus.yml").write_text(json.dumps(_configuration(running)))
    port = free_port()
    command = [
        PROMETHEUS,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running_server(command, port, folder / "prometheus.log") as url:
        yield Prometheus(url)


def _configuration(running: RunningPhotofeed) -> dict[str, Any]:
    """The jobs of deploy/prometheus/prometheus.yml with the addresses of this machine; JSON is YAML."""
    read = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"worker": name, "instance": name}}
        for name, port in sorted(workers(running.logs).items())
    ]
    api = {"targets": [urlsplit(running.settings.public_url).netloc], "labels": {"instance": "api"}}
    every = f"{SCRAPE_SECONDS}s"
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": [str(_RULES / "*.yml")],
        "scrape_configs": [
            {"job_name": "photofeed-api", "static_configs": [api]},
            {"job_name": "photofeed-workers", "static_configs": read},
        ],
    }
