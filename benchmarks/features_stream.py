"""From the events API to features online: what the intake takes, what a core of the features worker does, how fresh.

Everything runs as users run it: the embedded servers, one API process, the features worker as a process of its own. The
topic is filled before the worker starts, so that it works as fast as it can; what it costs is its own processor time,
start-up left out, which other load on the machine does not change much. Prints a table, then one line of JSON.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx2
import numpy as np
import psutil
import typer
from rich.console import Console
from rich.table import Table

from ingestion.engagement.counted_events import counted_key
from photofeed import database
from photofeed.embedded.stack import WITHOUT_MLFLOW, EmbeddedStack
from photofeed.event_log import KafkaPublisher, KafkaReader
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope, engagement_payloads, event_id
from photofeed.feature_store import load_manifest
from photofeed.ids import encode_id, topic_id
from photofeed.object_store import S3ObjectStore
from photofeed.online_store.reader import PackedReader
from photofeed.settings import Settings
from photofeed.timelines import connect_redis
from photofeed.tokens import mint_token
from photofeed.topics import ENGAGEMENT

PHOTOFEED = str(Path(sys.executable).with_name("photofeed"))
PEOPLE, CREATORS, POSTS, TOPICS = 20_000, 2_000, 50_000, 50
EVENTS_A_MESSAGE = 10
KINDS = {
    Action.IMPRESSION: 60,
    Action.DWELL: 25,
    Action.OPEN: 8,
    Action.LIKE: 4,
    Action.SAVE: 1,
    Action.COMMENT: 1,
    Action.PROFILE_VISIT: 1,
}
TYPICAL_RATE = 1_000
BATCH = 100
CONNECTIONS = 8
PATIENCE_SECONDS = 180.0
TICK_SECONDS, WARM_UP_SECONDS, LOOK_SECONDS = 0.05, 3.0, 0.005
NEWCOMERS = 3 * 10**15
SENDERS = 8


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything."""

    backlog: int  # events in the topic before the worker starts
    fresh_seconds: float  # how long events come at TYPICAL_RATE
    intake_batches: int
    messages: tuple[int, ...]  # events a message, each measured

    @staticmethod
    def of(*, small: bool) -> "Scale":
        """A run of a minute or two, or one to quote."""
        sizes = (1, EVENTS_A_MESSAGE, BATCH)
        return Scale(30_000, 5, 80, (EVENTS_A_MESSAGE,)) if small else Scale(300_000, 30, 600, sizes)


@dataclass(slots=True)
class Clients:
    """People who look at posts, some of which are far more popular than others."""

    rng: random.Random

    def message(self, events: int, *, user: int | None = None) -> Envelope:
        """What one person did in the last second."""
        who = user or 10**15 + self.rng.randrange(PEOPLE)
        return engagement_envelope(who, [self._event(who) for _ in range(events)])

    def _event(self, user: int) -> EngagementEvent:
        post = int(self.rng.paretovariate(1.1)) % POSTS + 1
        (action,) = self.rng.choices(list(KINDS), list(KINDS.values()))
        on_post = action is not Action.PROFILE_VISIT
        return EngagementEvent(
            id=str(uuid.uuid4()),
            action=action,
            user_id=user,
            creator_id=2 * 10**15 + post % CREATORS,
            occurred_at=datetime.now(UTC),
            post_id=post if on_post else None,
            topic_id=topic_id(f"topic {post % TOPICS}") if on_post else None,
            content_type=("photo", "reel")[post % 2] if on_post else None,
            slate_id="0198a000-0000-7000-8000-000000000000",
            position=post % 30,
            dwell_ms=1500 if action is Action.DWELL else None,
        )


@dataclass(frozen=True, slots=True)
class Lab:
    """The embedded stack, set up."""

    settings: Settings
    environment: dict[str, str]

    @contextmanager
    def process(self, *arguments: str) -> Iterator[psutil.Process]:
        """A photofeed process, ended with the block."""
        command = (PHOTOFEED, *arguments)
        running = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            yield psutil.Process(running.pid)
        finally:
            running.terminate()
            running.wait(60)


@contextmanager
def lab() -> Iterator[Lab]:
    """A stack of its own, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedStack(Path(folder)) as stack:
        stack.start(servers=WITHOUT_MLFLOW)
        environment = {**os.environ, "PHOTOFEED_STATE_DIR": folder, "PHOTOFEED_LOG_LEVEL": "WARNING"}
        subprocess.run((PHOTOFEED, "setup"), env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        yield Lab(stack.settings(), environment)


def fill(publisher: KafkaPublisher, clients: Clients, events: int, a_message: int) -> None:
    """Put events into the topic, as the API puts them there."""
    for start in range(0, events, 10_000):
        count = min(10_000, events - start) // a_message
        publisher.publish(ENGAGEMENT.name, [clients.message(a_message) for _ in range(count)])


def counted(settings: Settings) -> int:
    """How many event ids of today and yesterday the worker remembers."""
    today = datetime.now(UTC)
    with connect_redis(settings) as client:
        return sum(int(client.scard(counted_key(day))) for day in (today, today - timedelta(days=1)))


def wait_until_counted(settings: Settings, events: int) -> int:
    """Until the worker has counted so many events; returns how many they are by then.

    Raises:
        TimeoutError: it does not get there.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (now := counted(settings)) < events:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the worker has counted {now} of {events} events")
        time.sleep(0.05)
    return now


def throughput(lab: Lab, publisher: KafkaPublisher, scale: Scale, a_message: int) -> tuple[float, float]:
    """Events per second of the worker's own processor time, and by the clock, on a topic that is full already."""
    before = counted(lab.settings)
    fill(publisher, Clients(random.Random(a_message)), scale.backlog, a_message)
    with lab.process("work", "features") as worker:
        first = wait_until_counted(lab.settings, before + 1)  # what it took to start is behind it
        cpu, began = _processor_seconds(worker), time.monotonic()
        wait_until_counted(lab.settings, before + scale.backlog)
        seconds = time.monotonic() - began
        events = before + scale.backlog - first
        return events / (_processor_seconds(worker) - cpu), events / seconds


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def freshness(lab: Lab, publisher: KafkaPublisher, seconds: float) -> list[float]:
    """Milliseconds from an event's occurrence until a reader sees it, while TYPICAL_RATE events come every second.

    One event of every TICK_SECONDS is somebody's first, so that a row appears for it. Events come when they are due,
    however long those before them take; those of the first WARM_UP_SECONDS, when the worker does things for the first
    time, are not counted.
    """
    manifest = load_manifest(lab.settings, S3ObjectStore.connect(lab.settings))
    clients, ticks = Clients(random.Random(3)), round((WARM_UP_SECONDS + seconds) / TICK_SECONDS)
    messages = round(TYPICAL_RATE * TICK_SECONDS) // EVENTS_A_MESSAGE
    with (
        lab.process("work", "features"),
        connect_redis(lab.settings) as client,
        ThreadPoolExecutor(SENDERS) as senders,
    ):
        reader = PackedReader([manifest.view("user_activity").schema], client=client)
        began: dict[int, float] = {}
        seen: dict[int, float] = {}

        def send(newcomer: int) -> Future[None]:
            sent = [clients.message(EVENTS_A_MESSAGE) for _ in range(messages - 1)]
            sent.append(clients.message(EVENTS_A_MESSAGE, user=newcomer))
            began[newcomer] = time.perf_counter()
            return senders.submit(publisher.publish, ENGAGEMENT.name, sent)

        def look() -> None:
            waiting = np.array([user for user in began if user not in seen], np.int64)
            found = reader.read({"user_id": waiting})["user_activity"].found if len(waiting) else []
            seen.update(dict.fromkeys(waiting[found].tolist(), time.perf_counter()))

        def look_until(due: float, *, all_seen: bool = False) -> None:
            while time.perf_counter() < due and not (all_seen and len(seen) == len(began)):
                look()
                time.sleep(LOOK_SECONDS)

        send(NEWCOMERS).result()
        look_until(time.perf_counter() + PATIENCE_SECONDS, all_seen=True)  # the worker has started
        start = time.perf_counter()
        sent = []
        for tick in range(ticks):
            look_until(start + tick * TICK_SECONDS)
            sent.append(send(NEWCOMERS + 1 + tick))
        for future in sent:
            future.result()
        look_until(time.perf_counter() + PATIENCE_SECONDS, all_seen=True)
    if len(seen) < len(began):
        raise TimeoutError(f"{len(began) - len(seen)} events never became visible")
    warm = NEWCOMERS + 1 + round(WARM_UP_SECONDS / TICK_SECONDS)
    return [(moment - began[user]) * 1e3 for user, moment in seen.items() if user >= warm]


_PEOPLE = """
insert into users (id, handle, display_name, created_at)
select n, 'bench' || n, 'Bench ' || n, now() from generate_series(1, 1000) n
"""
_PHOTOS = """
insert into photos (id, owner_id, status, original_key, created_at)
select n, n % 1000 + 1, 'ready', 'bench/' || n, now() from generate_series(1, 5000) n
"""
_POSTS = """
insert into posts (id, author_id, topic_id, content_type, posted_at, visible)
select n, n % 1000 + 1, n % 50 + 1, 'photo', now(), true from generate_series(1, 5000) n
"""


def acknowledgement(publisher: KafkaPublisher, messages: int) -> float:
    """Milliseconds that the log takes to acknowledge a message of BATCH events, the median: what a 202 waits for."""
    clients, times = Clients(random.Random(7)), list[float]()
    for _ in range(messages):
        message = clients.message(BATCH)
        began = time.perf_counter()
        publisher.publish(ENGAGEMENT.name, [message])
        times.append((time.perf_counter() - began) * 1e3)
    return float(np.median(times))


async def intake(lab: Lab, scale: Scale) -> tuple[float, float, float]:
    """Accepted events per second of one API process, and milliseconds of a batch of BATCH events: median, 99th.

    Raises:
        RuntimeError: an event that was accepted is not in the topic.
    """
    with database.connect(lab.settings) as connection:
        for statement in (_PEOPLE, _PHOTOS, _POSTS):
            connection.execute(statement)
    rng, sent, times = random.Random(9), set[str](), list[float]()
    behaviour = [action for action in KINDS if action not in {Action.LIKE, Action.SAVE, Action.PROFILE_VISIT}]
    weights = [KINDS[action] for action in behaviour]

    def batch() -> dict[str, Any]:
        events = [
            {
                "id": str(uuid.uuid4()),
                "type": action.value,
                "postId": encode_id(rng.randrange(5000) + 1),
                "slateId": "0198a000-0000-7000-8000-000000000000",
                "position": place % 30,
                "occurredAt": datetime.now(UTC).isoformat(),
            }
            | ({"dwellMs": 1500} if action is Action.DWELL else {})
            for place, action in enumerate(rng.choices(behaviour, weights, k=BATCH))
        ]
        return {"events": events}

    async def client(http: httpx2.AsyncClient, bodies: Sequence[dict[str, Any]]) -> None:
        for body in bodies:
            user = rng.randrange(1000) + 1
            token = mint_token(lab.settings, user)
            began = time.perf_counter()
            reply = await http.post("/v1/events", json=body, headers={"Authorization": f"Bearer {token}"})
            times.append((time.perf_counter() - began) * 1e3)
            reply.raise_for_status()
            sent.update(event_id(user, event["id"]) for event in body["events"])
            if reply.json()["accepted"] != BATCH:
                raise RuntimeError(f"refused: {reply.text[:500]}")

    with lab.process("serve"):
        async with httpx2.AsyncClient(base_url=lab.settings.public_url, timeout=30) as http:
            for _ in range(600):
                with suppress(httpx2.TransportError):
                    if (await http.get("/healthz")).is_success:
                        break
                await asyncio.sleep(0.1)
            bodies = [batch() for _ in range(scale.intake_batches + CONNECTIONS)]
            await client(http, bodies[:CONNECTIONS])
            times.clear()
            began = time.perf_counter()
            await asyncio.gather(*(client(http, bodies[CONNECTIONS + n :: CONNECTIONS]) for n in range(CONNECTIONS)))
            seconds = time.perf_counter() - began
    kept = {
        event["id"]
        for message in KafkaReader(lab.settings).read(ENGAGEMENT.name)
        for event in engagement_payloads(Envelope.decode(message.value))
    }
    if lost := len(sent - kept):
        raise RuntimeError(f"{lost} events were accepted and are not in the topic")
    median, slow = np.percentile(times, [50, 99])
    return scale.intake_batches * BATCH / seconds, float(median), float(slow)


def run(small: bool) -> dict[str, float]:
    """Measure intake, throughput and freshness on a stack of its own; prints the table."""
    scale = Scale.of(small=small)
    with ExitStack() as owned:
        running = owned.enter_context(lab())
        publisher = KafkaPublisher(running.settings)
        owned.callback(publisher.close)
        rates = {count: throughput(running, publisher, scale, count) for count in scale.messages}
        probes = freshness(running, publisher, scale.fresh_seconds)
        waited = acknowledgement(publisher, scale.intake_batches)
        taken, median, slow = asyncio.run(intake(running, scale))
    fresh = np.percentile(probes, [50, 99])
    table = Table("what", "figure")
    for count, (per_core, by_clock) in rates.items():
        what = f"worker, {count} events a message: events per core second (by the clock)"
        table.add_row(what, f"{per_core:,.0f} ({by_clock:,.0f})")
    table.add_row(
        f"freshness at {TYPICAL_RATE:,} events/s, {len(probes)} probes: p50, p99", f"{fresh[0]:.0f}, {fresh[1]:.0f} ms"
    )
    table.add_row(
        f"API, batches of {BATCH} by {CONNECTIONS} at once: events/s (p50, p99 of a batch)",
        f"{taken:,.0f} ({median:.0f}, {slow:.0f} ms)",
    )
    table.add_row("of which, were it alone, it waits for the log to have the events", f"{waited:.0f} ms")
    Console(width=120).print(table)
    return {
        "freshnessP50Ms": round(float(fresh[0]), 1),
        "freshnessP99Ms": round(float(fresh[1]), 1),
        "eventsPerCoreSecond": round(rates[EVENTS_A_MESSAGE][0]),
        "intakeEventsPerSecond": round(taken),
    }


def main(small: Annotated[bool, typer.Option(help="A run of a minute.")] = False) -> None:
    """Measure the stream half of the features."""
    print(json.dumps(run(small)))


if __name__ == "__main__":
    typer.run(main)
