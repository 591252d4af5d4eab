"""Cost of a feed. Prints tables, then one line of JSON.

A world of users, heavy-tailed follows and posts is loaded into an embedded stack. The stack is kept in the state
folder, so only the first run builds it. One server process with one worker has its own core; the client and the stack
use the other cores. A second server builds the same feeds from stock libraries (feed_stock.py), in turns with ours.

    p50Ms, p99Ms          latency of a request over HTTP: p50 unloaded, p99 at half of the saturation rate
    clientLateMs          how late the client sent a request at most, at half of the saturation rate; tens of ms mean
                          that the machine stalled and p99Ms is not reliable
    stockP50Ms            p50 of the stock server, unloaded
    stockRatio            stockP50Ms over our p50 in the same turns
    feedsPerCoreSecond    feeds per second of the server's processor time, saturated
    redisMs               processor time of Redis per feed, saturated
    hotHitShare           share of the rows of posts and authors that were in the process
    stalenessP99Ms        upper bound of the time from the publication of a row until the server had applied it
    slateBytes            median size of a stored slate
    plainCpuMs, gzipCpuMs processor time of the server per feed without and with gzip, in turns; plainBytes, gzipBytes
                          likewise the size of a page
    ...Ms                 mean of each stage, from the server's histograms, unloaded
    abRatio               p50 of a server with half of the people on a challenger of other features, abP50Ms, over that
                          of one with the champion alone, in the same turns
    pgbouncerRatio        p50 of a server behind a PgBouncer in transaction mode, pgbouncerP50Ms, over that of one with
                          PostgreSQL alone, in the same turns; left out where PgBouncer is not installed
    processesRatio        feeds per second of two API processes over those of one, saturated, in turns on two cores,
                          of which client and stack use the second
    rank100Ms, rank500Ms  p50 of POST /v1/rank with so many candidates, unloaded
    scoreRatio            processor time of Booster.predict with one thread over that of our scorer, on the same rows
    onnxMs                processor time of a small neural network by ONNX Runtime with one thread, on the same rows
    rssMb                 memory of the serving process at the end
    fanoutPerCoreSecond   timeline entries per second of the fan-out worker's processor time
"""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import psycopg
import typer
from feed_client import Requests, at_rate, in_turns, one, saturate
from feed_fanout import FanoutCost, fanout_cost
from feed_hot_rows import hit_share, staleness_p99_ms
from feed_load import load_database, load_redis
from feed_model import MODEL_FOLDER, PROGRAMS, folder_of, registry, train
from feed_world import World, draw_world
from numpy.typing import NDArray
from readiness import wait_until_ready
from resource_usage import processor_seconds, redis_processor_seconds
from rich.console import Console
from rich.table import Table
from skl2onnx import to_onnx
from sklearn.neural_network import MLPRegressor

from photofeed import database
from photofeed.embedded import http_probe
from photofeed.embedded.stack import EmbeddedStack
from photofeed.feature_store import load_manifest
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import FEATURE_NAMES, PROGRAM
from photofeed.features.stored import StoredFeatures
from photofeed.ids import encode_id
from photofeed.models.onnx_scorer import OnnxScorer, output_columns
from photofeed.models.registry import CHALLENGER, CHAMPION, MODEL_FILE, TABLES_FILE
from photofeed.models.scorer import BitslicedScorer, BoosterScorer, Scorer, ScoringTables
from photofeed.object_store import S3ObjectStore
from photofeed.online_store.reader import PackedReader
from photofeed.posts import POST_DTYPE, decode_members
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.timelines import FRESH_POOL, timeline_key
from simulation.running import PHOTOFEED
from tools.pgbouncer import IS_INSTALLED as HAS_PGBOUNCER
from tools.pgbouncer import running_pgbouncer

STAGES = ("query", "candidates", "filters", "features", "score", "rerank", "slate", "page", "serialize")
STOCK = Path(__file__).with_name("feed_stock.py")
STATE = Path(".photofeed-bench")
WORLD_FILES = [Path(__file__).with_name(name) for name in ("feed_world.py", "feed_load.py", "feed_model.py")]
MIGRATIONS = Path(database.__file__).parent / "migrations" / "versions"
STOCK_VIEWERS = 10
TRAINING_VIEWERS = 30
LANES = 8
RANKED = (100, 500)
HIDDEN_UNITS = (64, 32)
PROCESS_ROUNDS = 3
SESSIONS = 10  # of PostgreSQL behind PgBouncer; a server opens as many connections at most
GZIP = "Accept-Encoding: gzip\r\n"
COMPRESSION_ROUNDS = 4
HALVES = """
[[experiments]]
name = "halves"
salt = "halves"
arms = [
    { name = "control", ranker = "champion", share = 0.5 },
    { name = "treatment", ranker = "challenger", share = 0.5 },
]
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """A world on a running stack."""

    settings: Settings
    folder: Path
    world: World

    @property
    def viewer_ids(self) -> list[int]:
        """Ids of the users whose feeds are requested."""
        ids: list[int] = self.world.people[self.world.viewers].tolist()
        return ids


@contextmanager
def open_bench(state: Path, people: int, posts: int) -> Iterator[Bench]:
    """Open the world of this size, and build it if the state folder has none that this code can read."""
    with EmbeddedStack(state / f"{people}x{posts}") as stack:
        settings, folder = stack.settings(), state / f"{people}x{posts}" / "benchmark"
        marker = folder / "world.json"
        stored = json.loads(marker.read_text()) if marker.is_file() else {}
        current = {"nowMs": stored.get("nowMs", int(time.time() * 1000)), "features": len(FEATURE_NAMES)}
        migrations = sorted(path.stem for path in MIGRATIONS.glob("0*.py"))
        current |= {"postBytes": POST_DTYPE.itemsize, "schema": migrations[-1], "loader": _digest(WORLD_FILES)}
        bench = Bench(settings, folder, draw_world(people, posts, current["nowMs"]))
        if stored != current:
            folder.mkdir(exist_ok=True)
            _build(bench)
            marker.write_text(json.dumps(current))
        yield bench


def _digest(paths: list[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]


def _build(bench: Bench) -> None:
    settings = bench.settings
    _run([PHOTOFEED, "setup"], _environment(settings))
    _progress("load PostgreSQL")
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        load_database(bench.world, connection, settings.celebrity_followers)
    _progress("load Redis")
    manifest = load_manifest(settings, S3ObjectStore.connect(settings))
    with connect_redis(settings) as redis:
        load_redis(bench.world, redis, manifest, settings.celebrity_followers, settings.timeline_length)
        _progress("train the models")
        for alias, program in PROGRAMS.items():
            viewers = bench.viewer_ids[:TRAINING_VIEWERS]
            rows = [feature_rows(settings, redis, viewer, program) for viewer in viewers]
            train(np.concatenate(rows), folder_of(alias, bench.folder), manifest, settings.model_name, program)
    _progress("write features to Feast's Redis store")
    stock_viewers = [encode_id(viewer) for viewer in bench.viewer_ids[:STOCK_VIEWERS]]
    _run([sys.executable, "-W", "ignore", STOCK, *stock_viewers], _environment(settings, bench.folder))


def feature_rows(
    settings: Settings, redis: Any, user_id: int, program: FeatureProgram = PROGRAM
) -> NDArray[np.float32]:
    """The input of a model of `program` for one user's current candidates, float32 (candidates, features)."""
    manifest = load_manifest(settings, S3ObjectStore.connect(settings))
    keys = (timeline_key(user_id), FRESH_POOL)
    members = [member for key in keys for member in redis.zrange(key, 0, settings.candidates - 1, desc=True)]
    posts = decode_members(members[: settings.candidates])
    names = ("post_id", "author_id", "topic_id")
    post_ids, author_ids, topic_ids = (posts[name].astype(np.int64) for name in names)
    entities = {"user_id": np.array([user_id]), "post_id": post_ids, "creator_id": author_ids, "topic_id": topic_ids}
    rows = PackedReader([view.schema for view in manifest.views], client=redis).read(entities)
    columns = {
        f"{view}__{field}": read.values[field] for view, read in rows.items() for field in read.values.dtype.names or ()
    }
    return program.matrix(StoredFeatures(columns, manifest, time.time()), len(posts))


def _environment(settings: Settings, folder: Path | None = None, registry_url: str = "") -> dict[str, str]:
    variables = {"PHOTOFEED_STATE_DIR": str(settings.state_dir), "PHOTOFEED_LOG_LEVEL": "WARNING"}
    variables |= {f"PHOTOFEED_RATE_{calls}": "99999999/minute" for calls in ("READS", "SIGN_IN")}
    variables |= {MODEL_FOLDER: str(folder)} if folder else {}
    variables |= {"PHOTOFEED_MLFLOW_TRACKING_URI": registry_url} if registry_url else {}
    return os.environ | variables


def _run(command: list[str | Path], environment: dict[str, str]) -> None:
    subprocess.run(command, env=environment, check=True)  # noqa: S603  our own command


def _progress(step: str) -> None:
    print(f"building the world: {step}", file=sys.stderr)


@contextmanager
def server(
    command: list[str | Path], environment: dict[str, str], ready_url: str, *cores: int
) -> Iterator[psutil.Process]:
    """Run a server on these cores. Yields the worker process with the most memory."""
    process = psutil.Popen(command, env=environment)
    process.cpu_affinity(list(cores))
    try:
        wait_until_ready(ready_url, process)
        yield max(process.children(recursive=True), key=lambda child: int(child.memory_info().rss))
    finally:
        process.terminate()
        process.wait(30)


def stages(url: str) -> dict[str, tuple[float, float]]:
    """Total seconds and calls of each stage since the server's start."""
    totals: dict[str, dict[str, float]] = {}
    for line in http_probe.get(f"{url}/metrics").decode().splitlines():
        name, _, rest = line.partition('{stage="')
        kind = name.removeprefix("photofeed_feed_stage_seconds_")
        if kind in {"sum", "count"} and rest:
            stage, _, value = rest.partition('"} ')
            totals.setdefault(stage, {})[kind] = float(value)
    return {stage: (total["sum"], total["count"]) for stage, total in totals.items()}


def stage_means(before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Mean milliseconds per call of each stage between two results of `stages`."""
    means = {}
    for stage, (total, calls) in after.items():
        total_before, calls_before = before.get(stage, (0.0, 0.0))
        means[stage] = (total - total_before) / max(calls - calls_before, 1) * 1e3
    return means


def score_times(bench: Bench, turns: int) -> tuple[float, float, float]:
    """Median processor ms of Booster.predict, of our scorer and of a network in ONNX Runtime for one user's rows.

    One thread each, in turns.
    """
    with connect_redis(bench.settings) as redis:
        matrix = feature_rows(bench.settings, redis, bench.viewer_ids[0])
    booster = BoosterScorer((bench.folder / MODEL_FILE).read_text())
    ours = BitslicedScorer(ScoringTables.load(bench.folder / TABLES_FILE))
    ours.warm_up()
    scorers: tuple[Scorer, ...] = (booster, ours, _network(matrix))
    times = np.empty((turns, len(scorers)))
    for turn in range(turns):
        for column, scorer in enumerate(scorers):
            started = time.thread_time()
            scorer.score(matrix)
            times[turn, column] = time.thread_time() - started
    booster_ms, ours_ms, network_ms = (np.median(times, axis=0) * 1e3).tolist()
    return booster_ms, ours_ms, network_ms


def _network(matrix: NDArray[np.float32]) -> OnnxScorer:
    """A network of HIDDEN_UNITS with the inputs of a matrix. It learns nothing: its cost is that of its size."""
    known = np.nan_to_num(matrix)
    network = MLPRegressor(hidden_layer_sizes=HIDDEN_UNITS, max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one round does not converge
        network.fit(known, known[:, 0])
    content = to_onnx(network, known[:1]).SerializeToString()
    (output,) = output_columns(content)
    return OnnxScorer(content, {output: (1.0,)})


@contextmanager
def our_server(
    bench: Bench, core: int, candidates: int | None = None
) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """Run photofeed's server with the benchmark's model. Yields its worker process and its environment."""
    settings = bench.settings
    with registry(bench.folder) as registry_url:
        environment = _environment(settings, bench.folder, registry_url)
        environment |= {"PHOTOFEED_CANDIDATES": str(candidates)} if candidates else {}
        with server([PHOTOFEED, "serve"], environment, f"{settings.public_url}/readyz", core) as process:
            _wait_for(Requests.of(settings, settings.public_url, bench.viewer_ids), {"model"})
            yield process, environment


@contextmanager
def halves_server(bench: Bench, core: int) -> Iterator[str]:
    """Run a server that ranks for half of the people by a challenger of other features. Yields its address."""
    settings, port = bench.settings, bench.settings.port + 2
    file, url = bench.folder / "experiments.toml", f"http://127.0.0.1:{port}"
    file.write_text(HALVES)
    with registry(bench.folder, (CHAMPION, CHALLENGER)) as registry_url:
        environment = _environment(settings, bench.folder, registry_url)
        environment |= {"PHOTOFEED_EXPERIMENTS_FILE": str(file), "PHOTOFEED_PORT": str(port)}
        with server([PHOTOFEED, "serve"], environment, f"{url}/readyz", core):
            _wait_for(Requests.of(settings, url, bench.viewer_ids), {"model", "challenger"})
            yield url


@contextmanager
def pooled_server(bench: Bench, core: int) -> Iterator[str]:
    """Run a server behind a PgBouncer in transaction mode. Yields its address."""
    url = f"http://127.0.0.1:{bench.settings.port + 4}"
    with (
        tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder,
        running_pgbouncer(bench.settings, Path(folder), SESSIONS) as pooled,
        registry(bench.folder) as registry_url,
    ):
        environment = _environment(pooled, bench.folder, registry_url)
        environment |= {
            "PHOTOFEED_DATABASE_URL": pooled.database_url.get_secret_value(),
            "PHOTOFEED_DATABASE_DIRECT_URL": bench.settings.database_url.get_secret_value(),
            "PHOTOFEED_PORT": str(bench.settings.port + 4),
        }
        with server([PHOTOFEED, "serve"], environment, f"{url}/readyz", core):
            _wait_for(Requests.of(bench.settings, url, bench.viewer_ids), {"model"})
            yield url


def processes_ratio(bench: Bench, seconds: float, cores: list[int]) -> float:
    """Feeds per second of two API processes over those of one, saturated, in turns: the median of PROCESS_ROUNDS."""
    settings = bench.settings
    url, rates = f"http://127.0.0.1:{settings.port + 5}", np.empty((PROCESS_ROUNDS, 2))
    feeds = Requests.of(settings, url, bench.viewer_ids)
    with registry(bench.folder) as registry_url:
        for pair in rates:
            for processes in (1, 2):
                environment = _environment(settings, bench.folder, registry_url)
                environment |= {"PHOTOFEED_API_WORKERS": str(processes), "PHOTOFEED_PORT": str(settings.port + 5)}
                with server([PHOTOFEED, "serve"], environment, f"{url}/readyz", *cores):
                    _wait_for(feeds, {"model"})
                    asyncio.run(saturate(feeds, seconds / 2, 2 * LANES))  # until both keep the rows that are read most
                    replies, took = asyncio.run(saturate(feeds, seconds, 2 * LANES))
                    pair[processes - 1] = replies / took
    return float(np.median(rates[:, 1] / rates[:, 0]))


def beside(bench: Bench, feeds: Requests, url: str, turns: int) -> tuple[float, float]:
    """Median ms of a feed from the server of `feeds`, and from the one at `url`, in turns."""
    both = [feeds, Requests.of(bench.settings, url, bench.viewer_ids)]
    asyncio.run(in_turns(both, turns))  # until both servers keep the rows that are read most
    first, second = np.median(asyncio.run(in_turns(both, turns)), axis=0).tolist()
    return first, second


def compression(bench: Bench, seconds: float, core: int) -> dict[str, float]:
    """Size of a page, and processor ms of the server per feed, without and with gzip, in turns on one server."""
    settings, port = bench.settings, bench.settings.port + 3
    url = f"http://127.0.0.1:{port}"
    with registry(bench.folder) as registry_url:
        environment = _environment(settings, bench.folder, registry_url)
        environment |= {"PHOTOFEED_COMPRESS_REPLIES": "true", "PHOTOFEED_PORT": str(port)}
        with server([PHOTOFEED, "serve"], environment, f"{url}/readyz", core) as process:
            plain = Requests.of(settings, url, bench.viewer_ids)
            _wait_for(plain, {"model"})
            forms = {"plain": plain, "gzip": Requests.of(settings, url, bench.viewer_ids, GZIP)}
            spent: dict[str, list[float]] = {name: [] for name in forms}
            for _ in range(COMPRESSION_ROUNDS):
                for name, feeds in forms.items():
                    before = processor_seconds(process)
                    replies, _ = asyncio.run(saturate(feeds, seconds / COMPRESSION_ROUNDS, LANES))
                    spent[name].append((processor_seconds(process) - before) / replies * 1e3)
            sizes = {name: len(asyncio.run(one(feeds))) for name, feeds in forms.items()}
    return {f"{name}CpuMs": float(np.median(each)) for name, each in spent.items()} | {
        f"{name}Bytes": float(size) for name, size in sizes.items()
    }


def slate_bytes(redis: Any) -> float:
    """Median size of the stored slates."""
    keys = list(redis.scan_iter("slate:*", count=1_000))[:200]
    return float(np.median([redis.strlen(key) for key in keys]))


def measure(bench: Bench, turns: int, seconds: float, core: int) -> tuple[dict[str, float], dict[str, float]]:
    """Measure requests. Returns figures by JSON name, and mean milliseconds by stage."""
    settings = bench.settings
    with ExitStack() as owned:
        ours, environment = owned.enter_context(our_server(bench, core))
        redis = owned.enter_context(connect_redis(settings))
        stock_url = f"http://127.0.0.1:{settings.port + 1}"
        granian = Path(sys.executable).with_name("granian")
        options = ("--interface", "asgi", "--factory", "--port", str(settings.port + 1), "--working-dir", STOCK.parent)
        stock: list[str | Path] = [granian, *options, "feed_stock:make_app"]
        feeds = Requests.of(settings, settings.public_url, bench.viewer_ids)
        asyncio.run(in_turns([feeds], turns))  # warm up
        before = stages(settings.public_url)
        unloaded = asyncio.run(in_turns([feeds], 10 * turns))[:, 0]
        means = stage_means(before, stages(settings.public_url))
        cpu_before, redis_before = processor_seconds(ours), redis_processor_seconds(redis)
        replies, took = asyncio.run(saturate(feeds, seconds, LANES))
        cpu, redis_cpu = processor_seconds(ours) - cpu_before, redis_processor_seconds(redis) - redis_before
        half, late = asyncio.run(at_rate(feeds, replies / took / 2, seconds, 4 * LANES))
        hits, slate_size = hit_share(settings.public_url), slate_bytes(redis)
        manifest = load_manifest(settings, S3ObjectStore.connect(settings))
        staleness = staleness_p99_ms(feeds, replies / took / 4, redis, manifest, bench.world.posts[-2_000:])
        rss = ours.memory_info().rss / 2**20
        newest = bench.world.posts[-max(RANKED) :].tolist()
        ranked = [
            Requests.to_rank(settings, settings.public_url, bench.viewer_ids, newest[-count:]) for count in RANKED
        ]
        asyncio.run(in_turns(ranked, 3))
        ranks = np.median(asyncio.run(in_turns(ranked, turns)), axis=0)
        with halves_server(bench, core) as halves_url:
            champion_ms, halves_ms = beside(bench, feeds, halves_url, 10 * turns)
        pooled: dict[str, float] = {}
        if HAS_PGBOUNCER:
            with pooled_server(bench, core) as pooled_url:
                alone_ms, pooled_ms = beside(bench, feeds, pooled_url, 10 * turns)
            pooled = {"pgbouncerP50Ms": pooled_ms, "pgbouncerRatio": pooled_ms / alone_ms}
        with server(stock, environment, f"{stock_url}/openapi.json", core):
            same = [
                Requests.of(settings, url, bench.viewer_ids[:STOCK_VIEWERS]) for url in (settings.public_url, stock_url)
            ]
            asyncio.run(in_turns(same, 3))
            both = np.median(asyncio.run(in_turns(same, turns)), axis=0)
    figures = {
        "p50Ms": float(np.median(unloaded)),
        "p99Ms": float(np.quantile(half, 0.99)),
        "halfP50Ms": float(np.median(half)),
        "clientLateMs": float(late.max()),
        "stockP50Ms": float(both[1]),
        "stockRatio": float(both[1] / both[0]),
        "abP50Ms": halves_ms,
        "abRatio": halves_ms / champion_ms,
        **pooled,
        "feedsPerCoreSecond": replies / cpu,
        "feedsPerSecond": replies / took,
        "redisMs": redis_cpu / replies * 1e3,
        "hotHitShare": hits,
        "stalenessP99Ms": staleness,
        "slateBytes": slate_size,
        "rssMb": rss,
        **{f"rank{count}Ms": float(took) for count, took in zip(RANKED, ranks, strict=True)},
    }
    return figures, means


def _wait_for(feeds: Requests, rankings: set[str]) -> None:
    """Wait until people get feeds of these rankings, and of no others."""
    found: set[str] = set()
    for _ in range(100):
        found = {json.loads(asyncio.run(one(replace(feeds, heads=[head]))))["ranking"] for head in feeds.heads}
        if found == rankings:
            return
        time.sleep(0.2)
    raise SystemExit(f"the server ranks by {found}, not by {rankings}")


def print_tables(
    figures: dict[str, float], means: dict[str, float], scores: tuple[float, float, float], fanout: FanoutCost
) -> None:
    """Print the figures as tables."""
    table = Table("request over HTTP", "")
    table.add_row("unloaded, p50", f"{figures['p50Ms']:.2f} ms")
    table.add_row("at half of the saturation rate, p50", f"{figures['halfP50Ms']:.2f} ms")
    table.add_row("at half of the saturation rate, p99", f"{figures['p99Ms']:.2f} ms")
    table.add_row("largest delay of the client itself", f"{figures['clientLateMs']:.2f} ms")
    table.add_row(
        "stock server, unloaded, p50", f"{figures['stockP50Ms']:.1f} ms, {figures['stockRatio']:.1f} times ours"
    )
    told = f"{figures['abP50Ms']:.2f} ms, {figures['abRatio']:.3f} times the champion alone"
    table.add_row("half of the people on a challenger of other features, p50", told)
    if "pgbouncerRatio" in figures:
        told = f"{figures['pgbouncerP50Ms']:.2f} ms, {figures['pgbouncerRatio']:.3f} times PostgreSQL alone"
        table.add_row("behind a PgBouncer in transaction mode, p50", told)
    for count in RANKED:
        table.add_row(f"ranking of {count} given candidates, unloaded, p50", f"{figures[f'rank{count}Ms']:.2f} ms")
    table.add_row("feeds per core second, saturated", f"{figures['feedsPerCoreSecond']:.0f}")
    table.add_row("feeds per second, saturated", f"{figures['feedsPerSecond']:.0f}")
    table.add_row("two API processes, beside one", f"{figures['processesRatio']:.2f} times the feeds per second")
    table.add_row("processor time of Redis per feed, saturated", f"{figures['redisMs']:.2f} ms")
    table.add_row("rows of posts and authors that were in the process", f"{figures['hotHitShare']:.1%}")
    table.add_row("rows behind Redis, p99, at most", f"{figures['stalenessP99Ms']:.0f} ms")
    for name, form in (("plain", "without compression"), ("gzip", "with gzip")):
        told = f"{figures[f'{name}Bytes'] / 1000:.1f} kB, {figures[f'{name}CpuMs']:.2f} ms of the server's processor"
        table.add_row(f"page {form}", told)
    table.add_row("stored slate", f"{figures['slateBytes'] / 1000:.1f} kB")
    table.add_row("memory of the serving process", f"{figures['rssMb']:.0f} MB")
    Console().print(table)
    table = Table("stage", "mean ms, unloaded")
    for stage in STAGES:
        table.add_row(stage, f"{means.get(stage, 0.0):.2f}")
    table.add_row("all stages", f"{sum(means.values()):.2f}")
    table.add_row("Booster.predict, one thread, processor time", f"{scores[0]:.2f}")
    table.add_row("our scorer, the same rows", f"{scores[1]:.2f}")
    table.add_row(f"ONNX Runtime, a network of {HIDDEN_UNITS} units, the same rows", f"{scores[2]:.2f}")
    Console().print(table)
    table = Table(f"fan-out to {fanout.followers:,} followers", "deliveries")
    table.add_row("per core second of the worker", f"{fanout.per_core_second:,.0f}")
    table.add_row("per core second of Redis", f"{fanout.per_redis_core_second:,.0f}")
    table.add_row("per second", f"{fanout.per_second:,.0f}")
    Console().print(table)


def pin_to_other_cores() -> list[int]:
    """Reserve the first core for the server: pin this process and its children to the others. Returns all cores."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[1:] or cores)
    return cores


def main(
    people: Annotated[int, typer.Option(min=1_000, help="Users in the world.")] = 100_000,
    posts: Annotated[int, typer.Option(min=5_000, help="Posts of the last 30 days.")] = 500_000,
    state: Annotated[Path, typer.Option(help="Folder that keeps the worlds.")] = STATE,
    turns: Annotated[int, typer.Option(min=5, help="Requests to the stock server; ten times as many to ours.")] = 40,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds at saturation, and again at half its rate.")] = 15,
    fanout_posts: Annotated[int, typer.Option(min=1, help="Posts to fan out.")] = 20,
) -> None:
    """Measure feed requests to photofeed and to the stock server, and fan-out."""
    core, *others = pin_to_other_cores()
    with open_bench(state.absolute(), people, posts) as bench:
        fanout = fanout_cost(bench.settings, bench.world, fanout_posts)
        figures, means = measure(bench, turns, seconds, core)
        figures |= compression(bench, seconds, core)
        figures["processesRatio"] = processes_ratio(bench, seconds, [core, *others[:1]])
        scores = score_times(bench, turns)
    print_tables(figures, means, scores, fanout)
    stage_figures = {f"{stage}Ms": means.get(stage, 0.0) for stage in STAGES}
    figures |= stage_figures | {"scoreRatio": scores[0] / scores[1], "onnxMs": scores[2]}
    figures |= {"fanoutPerCoreSecond": fanout.per_core_second}
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    typer.run(main)
