"""What does a feed cost? Prints a table, then one line of JSON.

A world of people, heavy-tailed follows and posts is loaded into a real embedded stack (kept in the state folder, so
that only the first run builds it). One server process, one worker, has a core to itself; the client, the stack and
everything else have the others. The same feeds are made the stock way by a second server (feed_stock.py), in turns.

    p50Ms, p99Ms          of the whole request over HTTP: alone on the server; at half of the saturating rate
    clientLateMs          at most, in the latter: where it is tens of ms, the machine stood still
    stockP50Ms, stockRatio  the stock way, and ours in the same turns
    feedsPerCoreSecond    feeds a second of the server's processor time, saturated
    ...Ms                 mean of each stage, from the server's own histograms, unloaded
    scoreRatio            Booster.predict with one thread against our scorer on the same rows, processor time
    rssMb                 of the serving process after all of that
    fanoutPerCoreSecond   timeline entries a second of the fan-out worker's processor time (Redis' own is in the table)
"""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import psutil
import psycopg
import typer
from feed_client import Requests, at_rate, in_turns, one, saturate
from feed_fanout import FanoutCost, fanout_cost
from feed_load import load_database, load_redis
from feed_model import registry, train
from feed_world import World, draw_world
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from photofeed import database
from photofeed.embedded.stack import EmbeddedStack
from photofeed.feature_store import load_manifest
from photofeed.features.ranking import FEATURE_NAMES, StoredFeatures, ranking_matrix
from photofeed.ids import encode_id
from photofeed.model_contract import MODEL_FILE, TABLES_FILE
from photofeed.object_store import S3ObjectStore
from photofeed.online_store.reader import PackedReader
from photofeed.posts import POST_DTYPE, decode_members
from photofeed.scorer import BitslicedScorer, BoosterScorer, ScoringTables
from photofeed.settings import Settings
from photofeed.timelines import FRESH_POOL, connect_redis, timeline_key

STAGES = ("query", "candidates", "filters", "features", "score", "rerank", "slate", "page", "serialize")
PHOTOFEED, STOCK = Path(sys.executable).with_name("photofeed"), Path(__file__).with_name("feed_stock.py")
WORLD_FILES = [Path(__file__).with_name(name) for name in ("feed_world.py", "feed_load.py")]
MIGRATIONS = Path(database.__file__).parent / "migrations" / "versions"
STOCK_VIEWERS = 10
TRAINING_VIEWERS = 30
LANES = 8


@dataclass(frozen=True, slots=True)
class Bench:
    """A world on a running stack, ready to be asked for feeds."""

    settings: Settings
    folder: Path
    world: World

    @property
    def viewer_ids(self) -> list[int]:
        """Whose feeds are asked for."""
        ids: list[int] = self.world.people[self.world.viewers].tolist()
        return ids


@contextmanager
def bench(state: Path, people: int, posts: int) -> Iterator[Bench]:
    """The world of that size, built if the state folder has none."""
    with EmbeddedStack(state / f"{people}x{posts}") as stack:
        settings, folder = stack.settings(), state / f"{people}x{posts}" / "benchmark"
        marker = folder / "world.json"
        kept = json.loads(marker.read_text()) if marker.is_file() else {}
        known = {"nowMs": kept.get("nowMs", int(time.time() * 1000)), "features": len(FEATURE_NAMES)}
        migrations = sorted(path.stem for path in MIGRATIONS.glob("0*.py"))
        known |= {"postBytes": POST_DTYPE.itemsize, "schema": migrations[-1], "loader": _digest(WORLD_FILES)}
        ready = Bench(settings, folder, draw_world(people, posts, known["nowMs"]))
        if known != kept:  # none yet, or one that this code could not read
            folder.mkdir(exist_ok=True)
            _build(ready)
            marker.write_text(json.dumps(known))
        yield ready


def _digest(paths: list[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]


def _build(made: Bench) -> None:
    settings = made.settings
    _run([PHOTOFEED, "setup"], _environment(settings))
    _say("loading PostgreSQL")
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        load_database(made.world, connection, settings.celebrity_followers)
    _say("loading Redis")
    manifest = load_manifest(settings, S3ObjectStore.connect(settings))
    with connect_redis(settings) as redis:
        load_redis(made.world, redis, manifest, settings.celebrity_followers, settings.timeline_length)
        _say("training")
        rows = [feature_rows(settings, redis, viewer) for viewer in made.viewer_ids[:TRAINING_VIEWERS]]
    train(np.concatenate(rows), made.folder, manifest, settings.model_name)
    _say("writing the stock way's values by Feast")
    viewers = [encode_id(viewer) for viewer in made.viewer_ids[:STOCK_VIEWERS]]
    _run([sys.executable, "-W", "ignore", STOCK, *viewers], _environment(settings, made.folder))


def feature_rows(settings: Settings, redis: Any, user_id: int) -> NDArray[np.float32]:
    """The model's input for one person's candidates as they are now."""
    manifest = load_manifest(settings, S3ObjectStore.connect(settings))
    keys = (timeline_key(user_id), FRESH_POOL)
    members = [member for key in keys for member in redis.zrange(key, 0, settings.candidates - 1, desc=True)]
    posts = decode_members(members[: settings.candidates])
    names = ("post_id", "author_id", "topic_id")
    post_ids, author_ids, topic_ids = (posts[name].astype(np.int64) for name in names)
    entities = {"user_id": np.array([user_id]), "post_id": post_ids, "creator_id": author_ids, "topic_id": topic_ids}
    rows = PackedReader([view.schema for view in manifest.views], client=redis).read(entities)
    columns = {
        f"{view}__{field}": read.values[field] for view, read in rows.items() for field in read.values.dtype.names
    }
    return ranking_matrix(StoredFeatures(columns, manifest, time.time()), len(posts))


def _environment(settings: Settings, folder: Path | None = None, registry_url: str = "") -> dict[str, str]:
    ours = {"PHOTOFEED_STATE_DIR": str(settings.state_dir), "PHOTOFEED_LOG_LEVEL": "WARNING"}
    ours |= {"BENCH_MODEL_FOLDER": str(folder)} if folder else {}
    ours |= {"PHOTOFEED_MLFLOW_TRACKING_URI": registry_url} if registry_url else {}
    return os.environ | ours


def _run(command: list[str | Path], environment: dict[str, str]) -> None:
    subprocess.run(command, env=environment, check=True)  # noqa: S603  our own command


def _say(what: str) -> None:
    print(f"building the world: {what}", file=sys.stderr)


@contextmanager
def server(
    command: list[str | Path], environment: dict[str, str], ready_url: str, core: int
) -> Iterator[psutil.Process]:
    """A server on a core of its own; gives the process that answers."""
    process = subprocess.Popen(command, env=environment)  # noqa: S603  our own command
    os.sched_setaffinity(process.pid, {core})
    try:
        _wait_until_ready(ready_url, process)
        family = psutil.Process(process.pid).children(recursive=True)
        yield max(family, key=lambda one: one.memory_info().rss)
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            httpx.get(url).raise_for_status()
        except (httpx.TransportError, httpx.HTTPStatusError):
            if process.poll() is not None:
                raise SystemExit(f"the server ended with code {process.returncode}") from None
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"nothing answers at {url}")


def stages(url: str) -> dict[str, tuple[float, float]]:
    """Seconds and calls of each stage so far."""
    text = httpx.get(f"{url}/metrics").text
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        name, _, rest = line.partition('{stage="')
        kind = name.removeprefix("photofeed_feed_stage_seconds_")
        if kind in {"sum", "count"} and rest:
            stage, _, value = rest.partition('"} ')
            found.setdefault(stage, {})[kind] = float(value)
    return {stage: (each["sum"], each["count"]) for stage, each in found.items()}


def stage_means(before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Milliseconds a call of each stage between two looks."""
    means = {}
    for stage, (total, calls) in after.items():
        total_before, calls_before = before.get(stage, (0.0, 0.0))
        means[stage] = (total - total_before) / max(calls - calls_before, 1) * 1e3
    return means


def score_ratio(made: Bench, turns: int) -> tuple[float, float]:
    """Milliseconds of Booster.predict and of our scorer on one person's rows, one thread, processor time, in turns."""
    with connect_redis(made.settings) as redis:
        matrix = feature_rows(made.settings, redis, made.viewer_ids[0])
    booster = BoosterScorer((made.folder / MODEL_FILE).read_text())
    ours = BitslicedScorer(ScoringTables.load(made.folder / TABLES_FILE))
    ours.warm_up()
    times = np.empty((turns, 2))
    for turn in range(turns):
        for column, scorer in enumerate((booster, ours)):
            started = time.thread_time()
            scorer.score(matrix)
            times[turn, column] = time.thread_time() - started
    booster_ms, ours_ms = (np.median(times, axis=0) * 1e3).tolist()
    return booster_ms, ours_ms


@contextmanager
def our_server(
    made: Bench, core: int, candidates: int | None = None
) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """Photofeed's server with the benchmark's model live; gives its process and its environment."""
    settings = made.settings
    with registry(made.folder) as registry_url:
        environment = _environment(settings, made.folder, registry_url)
        environment |= {"PHOTOFEED_CANDIDATES": str(candidates)} if candidates else {}
        with server([PHOTOFEED, "serve"], environment, f"{settings.public_url}/readyz", core) as process:
            _wait_for_model(Requests.of(settings, settings.public_url, made.viewer_ids[:1]))
            yield process, environment


def measure(made: Bench, turns: int, seconds: float, core: int) -> tuple[dict[str, float], dict[str, float]]:
    """Everything about requests: figures by their JSON names, and means of the stages."""
    settings = made.settings
    with ExitStack() as owned:
        ours, environment = owned.enter_context(our_server(made, core))
        stock_url = f"http://127.0.0.1:{settings.port + 1}"
        granian = [Path(sys.executable).with_name("granian"), "--interface", "asgi", "--factory", "--port"]
        stock = [*granian, str(settings.port + 1), "--working-dir", STOCK.parent, "feed_stock:make_app"]
        feeds = Requests.of(settings, settings.public_url, made.viewer_ids)
        asyncio.run(in_turns([feeds], turns))  # warm
        before = stages(settings.public_url)
        alone = asyncio.run(in_turns([feeds], 10 * turns))[:, 0]
        means = stage_means(before, stages(settings.public_url))
        started = sum(ours.cpu_times()[:2])
        answered, took = asyncio.run(saturate(feeds, seconds, LANES))
        cpu = sum(ours.cpu_times()[:2]) - started
        half, late = asyncio.run(at_rate(feeds, answered / took / 2, seconds, 4 * LANES))
        rss = ours.memory_info().rss / 2**20
        with server(stock, environment, f"{stock_url}/openapi.json", core):
            same = [
                Requests.of(settings, url, made.viewer_ids[:STOCK_VIEWERS]) for url in (settings.public_url, stock_url)
            ]
            asyncio.run(in_turns(same, 3))
            both = np.median(asyncio.run(in_turns(same, turns)), axis=0)
    figures = {
        "p50Ms": float(np.median(alone)),
        "p99Ms": float(np.quantile(half, 0.99)),
        "halfP50Ms": float(np.median(half)),
        "clientLateMs": float(late.max()),
        "stockP50Ms": float(both[1]),
        "stockRatio": float(both[1] / both[0]),
        "feedsPerCoreSecond": answered / cpu,
        "feedsPerSecond": answered / took,
        "rssMb": rss,
    }
    return figures, means


def _wait_for_model(feeds: Requests) -> None:
    for _ in range(100):
        if json.loads(asyncio.run(one(feeds)))["ranking"] == "model":
            return
        time.sleep(0.2)
    raise SystemExit("the server ranks without the model")


def print_tables(
    figures: dict[str, float], means: dict[str, float], scores: tuple[float, float], fanout: FanoutCost
) -> None:
    """Figures for people."""
    table = Table("the whole request over HTTP", "")
    table.add_row("alone, p50", f"{figures['p50Ms']:.2f} ms")
    table.add_row("at half of saturation, p50", f"{figures['halfP50Ms']:.2f} ms")
    table.add_row("at half of saturation, p99", f"{figures['p99Ms']:.2f} ms")
    table.add_row("the client itself was late by at most", f"{figures['clientLateMs']:.2f} ms")
    table.add_row(
        "the stock way, alone, p50", f"{figures['stockP50Ms']:.1f} ms, {figures['stockRatio']:.1f} times ours"
    )
    table.add_row("feeds a second of the server's processor time", f"{figures['feedsPerCoreSecond']:.0f}")
    table.add_row("feeds a second by the clock, saturated", f"{figures['feedsPerSecond']:.0f}")
    table.add_row("memory of the serving process", f"{figures['rssMb']:.0f} MB")
    Console().print(table)
    table = Table("stage", "mean ms, alone")
    for stage in STAGES:
        table.add_row(stage, f"{means.get(stage, 0.0):.2f}")
    table.add_row("all stages", f"{sum(means.values()):.2f}")
    table.add_row("Booster.predict, one thread, processor time", f"{scores[0]:.2f}")
    table.add_row("our scorer, the same rows", f"{scores[1]:.2f}")
    Console().print(table)
    table = Table(f"fan-out to {fanout.followers:,} followers", "deliveries a second")
    table.add_row("of the worker's processor time", f"{fanout.per_core_second:,.0f}")
    table.add_row("of Redis' processor time", f"{fanout.per_redis_core_second:,.0f}")
    table.add_row("by the clock", f"{fanout.per_second:,.0f}")
    Console().print(table)


def pin_to_other_cores() -> int:
    """Keep this process and those it starts off one core, which is the server's; gives its number."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[1:] or cores)
    return cores[0]


def main(
    people: Annotated[int, typer.Option(min=1_000, help="People in the world.")] = 100_000,
    posts: Annotated[int, typer.Option(min=5_000, help="Posts of the last 30 days.")] = 500_000,
    state: Annotated[Path, typer.Option(help="Where worlds are kept.")] = Path(".photofeed-bench"),
    turns: Annotated[int, typer.Option(min=5, help="Requests to the stock way; ten times as many to ours.")] = 40,
    seconds: Annotated[float, typer.Option(min=1, help="Of saturation, and again at half of it.")] = 15,
    fanout_posts: Annotated[int, typer.Option(min=1, help="Posts to deliver.")] = 20,
) -> None:
    """Measure the feed path, the stock way and fan-out."""
    core = pin_to_other_cores()
    with bench(state.absolute(), people, posts) as made:
        fanout = fanout_cost(made.settings, made.world, fanout_posts)
        figures, means = measure(made, turns, seconds, core)
        scores = score_ratio(made, turns)
    print_tables(figures, means, scores, fanout)
    named = {f"{stage}Ms": means.get(stage, 0.0) for stage in STAGES}
    figures |= named | {"scoreRatio": scores[0] / scores[1], "fanoutPerCoreSecond": fanout.per_core_second}
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    typer.run(main)
