"""Cost of reading the features of one feed by each way that Feast has, against ours, on Valkey and on Redis 7.

Feast's documentation recommends three ways for low latency: asynchronous reads, vectors that are computed beforehand
(`precompute_online`), and `feast serve`. A vector belongs to one entity, therefore a feed reads one precomputed service
per entity: user, post, creator and pair. `feast serve` runs in a process of its own with one worker; its time includes
HTTP and the decoding of its JSON. The contenders take turns, and each returns the same values, which is checked first.
Prints a table per server.
"""

import asyncio
import gc
import http.client
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from feast import FeatureService, FeatureStore
from features_online import CANDIDATES, FEATURES, VALKEY, VIEWS, Entities, Scale, Testbed, check, testbed
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

ALL = "all"  # the feature service of all views
TITLES = {
    "references": "get_online_features of a list of features",
    "service": "get_online_features of a feature service",
    "asynchronous": "get_online_features_async",
    "precomputed": "precompute_online, one service per entity",
    "serve": "feast serve, one worker, HTTP",
    "plugin": "get_online_features, our plug-in",
    "reader": "PackedReader.read",
}
FEASTS = ("references", "service", "asynchronous", "precomputed", "serve")
START_SECONDS = 60.0

Values = dict[str, NDArray[np.float32]]


class FeatureServer:
    """`feast serve` on a free port, and a connection to it."""

    def __init__(self, folder: Path, store: FeatureStore) -> None:
        online: Any = store.config.online_store
        config = {
            "project": store.project,
            "provider": "local",
            "registry": store.config.registry if isinstance(store.config.registry, str) else store.config.registry.path,
            "online_store": {"type": "redis", "connection_string": online.connection_string},
            "offline_store": {"type": "dask"},
            "entity_key_serialization_version": 3,
        }
        (folder / "feature_store.yaml").write_text(yaml.safe_dump(config))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        program = str(Path(sys.executable).with_name("feast"))
        options = ("--host", "127.0.0.1", "--port", str(self._port), "--workers", "1", "--no-access-log")
        limits = ("--max-requests", "1000000", "--registry_ttl_sec", "3600")
        command = [program, "--chdir", str(folder), "serve", *options, *limits]
        log = (folder / "serve.log").open("wb")
        self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603  our own
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=START_SECONDS)
        log.close()

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            TimeoutError: it did not answer.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                self._connection.request("GET", "/health")
                self._connection.getresponse().read()
            except OSError:
                self._connection.close()
                time.sleep(0.2)
            else:
                return
        raise TimeoutError(f"feast serve did not answer within {START_SECONDS:.0f} s")

    def read(self, columns: dict[str, list[int]]) -> dict[str, list[Any]]:
        """The values of all features, one per candidate."""
        body = json.dumps({"feature_service": ALL, "entities": columns})
        self._connection.request("POST", "/get-online-features", body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        if response.status != http.client.OK:
            raise RuntimeError(f"feast serve answered {response.status}: {answer}")
        names = answer["metadata"]["feature_names"]
        return dict(zip(names, (result["values"] for result in answer["results"]), strict=True))

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.terminate()
        self._process.wait()


@dataclass(frozen=True, slots=True)
class Ways:
    """All ways to read the features of one feed."""

    bed: Testbed
    server: FeatureServer
    services: dict[str, FeatureService]

    def of(self) -> dict[str, Callable[[Entities], Awaitable[Any]]]:
        """The ways by name."""
        return {name: getattr(self, name) for name in TITLES}

    async def references(self, entities: Entities) -> Any:
        """Feast's Redis store, a list of features."""
        return self.bed.feast(self.bed.stock, entities).to_dict()

    async def service(self, entities: Entities) -> Any:
        """Feast's Redis store, a feature service."""
        return self.bed.stock.get_online_features(self.services[ALL], _columns(entities)).to_dict()

    async def asynchronous(self, entities: Entities) -> Any:
        """Feast's Redis store, asynchronously."""
        answer = await self.bed.stock.get_online_features_async(self.services[ALL], _columns(entities))
        return answer.to_dict()

    async def precomputed(self, entities: Entities) -> Any:
        """Vectors that were computed beforehand, in one read per view. User and creators are read once each."""
        columns = _columns(entities)
        values: dict[str, list[Any]] = {}
        for view, (keys, _) in VIEWS.items():
            chosen = {key: columns[key] for key in keys}
            # vectors are stored under full names, and read only by them
            read = self.bed.stock.get_online_features(self.services[view], chosen, full_feature_names=True).to_dict()
            values |= {name.removeprefix(f"{view}__"): column for name, column in read.items()}
        return values

    async def serve(self, entities: Entities) -> Any:
        """Feast's own server."""
        return self.server.read(_columns(entities))

    async def plugin(self, entities: Entities) -> Any:
        """Our plug-in for Feast."""
        return self.bed.feast(self.bed.ours, entities).to_dict()

    async def reader(self, entities: Entities) -> Any:
        """Our reader."""
        rows = self.bed.reader.read(entities)
        return {name: rows[view].values[name] for view, _, name in (one.partition(":") for one in FEATURES)}


def _columns(entities: Entities) -> dict[str, list[int]]:
    return {name: np.broadcast_to(column, CANDIDATES).tolist() for name, column in entities.items()}


@contextmanager
def ways(scale: Scale, server: Path) -> Iterator[Ways]:
    """The stores on a server, with services applied and vectors computed."""
    with ExitStack() as owned:
        bed = owned.enter_context(testbed(scale, server))
        views = {view: bed.stock.get_feature_view(view) for view in VIEWS}
        services = {view: FeatureService(name=view, features=[views[view]], precompute_online=True) for view in VIEWS}
        bed.stock.apply([*services.values(), FeatureService(name=ALL, features=list(views.values()))])
        for view in VIEWS:
            bed.stock.precompute_feature_service(view)
        applied = {name: bed.stock.get_feature_service(name) for name in (*VIEWS, ALL)}
        folder = Path(owned.enter_context(tempfile.TemporaryDirectory()))
        feast_serve = FeatureServer(folder, bed.stock)
        owned.callback(feast_serve.close)
        feast_serve.wait()
        yield Ways(bed, feast_serve, applied)


async def check_ways(read: Ways) -> None:
    """Compare the values of all ways.

    Raises:
        RuntimeError: they differ.
    """
    entities = read.bed.world.request()
    expected = await read.reader(entities)
    for name, way in read.of().items():
        values = await way(entities)
        for feature, column in expected.items():
            theirs = np.broadcast_to(np.array(values[feature], np.float32), CANDIDATES)
            if not np.array_equal(np.broadcast_to(column, CANDIDATES), theirs):
                raise RuntimeError(f"{feature} of {name} differs")


async def milliseconds(read: Ways) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of each request by way, in turns."""
    await check_ways(read)
    gc.collect()
    gc.freeze()
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(read.bed.scale.rounds * read.bed.scale.feast_reads_per_round):
        for name, way in read.of().items():
            entities = read.bed.world.request()
            began = time.perf_counter()
            await way(entities)
            times[name].append((time.perf_counter() - began) * 1e3)
    return {name: np.array(one) for name, one in times.items()}


def servers() -> dict[str, Path]:
    """The servers that are installed: Valkey, and Redis where Debian's `redis-server` is."""
    redis = shutil.which("redis-server")
    return {"Valkey": VALKEY} | ({"Redis": Path(redis)} if redis else {})


def run(small: bool) -> dict[str, float]:
    """Measure all ways on each server, and print the tables."""
    console, figures = Console(width=120), dict[str, float]()
    for name, binary in servers().items():
        with ways(Scale.of(small=small), binary) as read:
            check(read.bed)
            times = asyncio.run(milliseconds(read))
            told: Any = read.bed.client.info("server")
        p50 = {way: float(np.median(one)) for way, one in times.items()}
        table = Table(
            "read", "p50 ms", "p99 ms", "best ms", title=f"{CANDIDATES} candidates on {name} ({told['redis_version']})"
        )
        for way, one in times.items():
            figures_of_way = (p50[way], float(np.percentile(one, 99)), float(one.min()))
            table.add_row(TITLES[way], *(f"{figure:.3f}" for figure in figures_of_way))
        console.print(table)
        best = min(p50[way] for way in FEASTS)
        suffix = f"On{name}"
        figures |= {f"feastBestP50Ms{suffix}": best, f"feastBestRatio{suffix}": best / p50["reader"]}
        figures |= {f"{way}P50Ms{suffix}": p50[way] for way in TITLES}
    if "Redis" not in servers():
        console.print("redis-server is not installed: measured on Valkey only")
    return figures
