"""From the events API to online features: intake of the API, throughput of the features worker, and freshness.

The processes are those of a real deployment: embedded servers, one API process, one features worker. For throughput,
the topic is filled before the worker starts. The cost is the worker's processor time without start-up, which depends
little on other load of the machine. Prints a table, then one line of JSON.
"""

import asyncio
import json
import os
import random
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx2
import numpy as np
import psutil
import typer
from readiness import wait_until_ready
from resource_usage import processor_seconds
from rich.console import Console
from rich.table import Table

from photofeed import database
from photofeed.counted_ids import counted_keys
from photofeed.embedded.stack import WITHOUT_MLFLOW, EmbeddedStack
from photofeed.event_log import KafkaReader
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope, engagement_payloads, event_id
from photofeed.feature_store import load_manifest
from photofeed.ids import encode_id, topic_id
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.object_store import S3ObjectStore
from photofeed.online_store.reader import PackedReader
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.tokens import mint_token
from photofeed.topics import ENGAGEMENT
from serving.receipts import ReceiptSealer
from simulation.running import PHOTOFEED

PEOPLE, CREATORS, POSTS, TOPICS = 20_000, 2_000, 50_000, 50
SLATE_ID = "0198a000-0000-7000-8000-000000000000"
EVENTS_PER_MESSAGE = 10
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
TIMEOUT_SECONDS = 180.0
TICK_SECONDS, WARM_UP_SECONDS, POLL_SECONDS = 0.05, 3.0, 0.005
FIRST_NEW_USER = 3 * 10**15
SENDERS = 8


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers of events and batches."""

    backlog: int  # events in the topic before the worker starts
    fresh_seconds: float  # duration of TYPICAL_RATE events per second
    intake_batches: int
    messages: tuple[int, ...]  # numbers of events per message to measure

    @staticmethod
    def of(*, small: bool) -> "Scale":
        """A run of one or two minutes, or a full one."""
        sizes = (1, EVENTS_PER_MESSAGE, BATCH)
        return Scale(30_000, 5, 80, (EVENTS_PER_MESSAGE,)) if small else Scale(300_000, 30, 600, sizes)


@dataclass(slots=True)
class Clients:
    """Clients of many users. The popularity of posts is heavy-tailed."""

    rng: random.Random

    def message(self, events: int, *, user: int | None = None) -> Envelope:
        """A message with events of one user."""
        user_id = user or 10**15 + self.rng.randrange(PEOPLE)
        return engagement_envelope(user_id, [self._event(user_id) for _ in range(events)])

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
            slate_id=SLATE_ID,
            position=post % 30,
            dwell_ms=1500 if action is Action.DWELL else None,
        )


@dataclass(frozen=True, slots=True)
class Testbed:
    """A running embedded stack after `photofeed setup`."""

    settings: Settings
    environment: dict[str, str]

    @contextmanager
    def process(self, *arguments: str) -> Iterator[psutil.Popen]:
        """A photofeed process, terminated when the block ends."""
        command = (PHOTOFEED, *arguments)
        process = psutil.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def testbed() -> Iterator[Testbed]:
    """A temporary stack."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedStack(Path(folder)) as stack:
        stack.start(servers=WITHOUT_MLFLOW)
        environment = {**os.environ, "PHOTOFEED_STATE_DIR": folder, "PHOTOFEED_LOG_LEVEL": "WARNING"}
        environment |= {f"PHOTOFEED_RATE_{calls}": "99999999/minute" for calls in ("EVENTS", "SIGN_IN")}
        subprocess.run((PHOTOFEED, "setup"), env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        yield Testbed(stack.settings(), environment)


def fill(publisher: KafkaPublisher, clients: Clients, events: int, per_message: int) -> None:
    """Publish events to the topic as the API does."""
    for start in range(0, events, 10_000):
        count = min(10_000, events - start) // per_message
        publisher.publish(ENGAGEMENT.name, [clients.message(per_message) for _ in range(count)])


def counted(settings: Settings) -> int:
    """The number of counted event ids of today and yesterday."""
    today = datetime.now(UTC)
    keys = [key for day in (today, today - timedelta(days=1)) for key in counted_keys(settings, day)]
    with connect_redis(settings) as client:
        return sum(int(client.scard(key)) for key in keys)


def wait_until_counted(settings: Settings, events: int) -> int:
    """Wait until the worker has counted `events` events, and return the number counted by then.

    Raises:
        TimeoutError: it did not within TIMEOUT_SECONDS.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (now := counted(settings)) < events:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the worker counted only {now} of {events} events")
        time.sleep(0.05)
    return now


def throughput(bed: Testbed, publisher: KafkaPublisher, scale: Scale, per_message: int) -> tuple[float, float]:
    """Events per second of the worker's processor time and of wall time, on a topic filled beforehand."""
    before = counted(bed.settings)
    fill(publisher, Clients(random.Random(per_message)), scale.backlog, per_message)
    with bed.process("work", "features") as worker:
        first = wait_until_counted(bed.settings, before + 1)  # the worker has started
        cpu, began = processor_seconds(worker), time.monotonic()
        wait_until_counted(bed.settings, before + scale.backlog)
        seconds = time.monotonic() - began
        events = before + scale.backlog - first
        return events / (processor_seconds(worker) - cpu), events / seconds


def freshness(bed: Testbed, publisher: KafkaPublisher, seconds: float) -> list[float]:
    """Milliseconds from an event to its feature row, at TYPICAL_RATE events per second.

    One message every TICK_SECONDS is by a new user, whose row does not exist before. Messages are sent at fixed times,
    independent of how long earlier ones take. Those of the first WARM_UP_SECONDS are not measured.
    """
    manifest = load_manifest(bed.settings, S3ObjectStore.connect(bed.settings))
    clients, ticks = Clients(random.Random(3)), round((WARM_UP_SECONDS + seconds) / TICK_SECONDS)
    messages = round(TYPICAL_RATE * TICK_SECONDS) // EVENTS_PER_MESSAGE
    with (
        bed.process("work", "features"),
        connect_redis(bed.settings) as client,
        ThreadPoolExecutor(SENDERS) as senders,
    ):
        reader = PackedReader([manifest.view("user_activity").schema], client=client)
        sent_at: dict[int, float] = {}
        visible_at: dict[int, float] = {}

        def send(new_user: int) -> Future[None]:
            batch = [clients.message(EVENTS_PER_MESSAGE) for _ in range(messages - 1)]
            batch.append(clients.message(EVENTS_PER_MESSAGE, user=new_user))
            sent_at[new_user] = time.perf_counter()
            return senders.submit(publisher.publish, ENGAGEMENT.name, batch)

        def poll() -> None:
            waiting = np.array([user for user in sent_at if user not in visible_at], np.int64)
            if len(waiting):
                found = reader.read({"user_id": waiting})["user_activity"].found
                visible_at.update(dict.fromkeys(waiting[found].tolist(), time.perf_counter()))

        def poll_until(deadline: float, *, all_visible: bool = False) -> None:
            while time.perf_counter() < deadline and not (all_visible and len(visible_at) == len(sent_at)):
                poll()
                time.sleep(POLL_SECONDS)

        send(FIRST_NEW_USER).result()
        poll_until(time.perf_counter() + TIMEOUT_SECONDS, all_visible=True)  # the worker has started
        start = time.perf_counter()
        futures = []
        for tick in range(ticks):
            poll_until(start + tick * TICK_SECONDS)
            futures.append(send(FIRST_NEW_USER + 1 + tick))
        for future in futures:
            future.result()
        poll_until(time.perf_counter() + TIMEOUT_SECONDS, all_visible=True)
    if len(visible_at) < len(sent_at):
        raise TimeoutError(f"{len(sent_at) - len(visible_at)} events did not become visible")
    warm = FIRST_NEW_USER + 1 + round(WARM_UP_SECONDS / TICK_SECONDS)
    return [(moment - sent_at[user]) * 1e3 for user, moment in visible_at.items() if user >= warm]


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
    """Median milliseconds until the log acknowledges a message of BATCH events. A 202 reply waits for that."""
    clients, times = Clients(random.Random(7)), list[float]()
    for _ in range(messages):
        message = clients.message(BATCH)
        began = time.perf_counter()
        publisher.publish(ENGAGEMENT.name, [message])
        times.append((time.perf_counter() - began) * 1e3)
    return float(np.median(times))


async def intake(bed: Testbed, scale: Scale) -> tuple[float, float, float]:
    """Accepted events per second of one API process, and milliseconds per batch of BATCH events: p50 and p99.

    Raises:
        RuntimeError: an accepted event is missing from the topic.
    """
    with database.connect(bed.settings) as connection:
        for statement in (_PEOPLE, _PHOTOS, _POSTS):
            connection.execute(statement)
    rng, sent, times = random.Random(9), set[str](), list[float]()
    actions = [action for action in KINDS if action not in {Action.LIKE, Action.SAVE, Action.PROFILE_VISIT}]
    weights = [KINDS[action] for action in actions]

    receipts = ReceiptSealer(bed.settings)

    def batch(user: int) -> dict[str, Any]:
        posts = [rng.randrange(5000) + 1 for _ in range(BATCH)]
        events = [
            {
                "id": str(uuid.uuid4()),
                "type": action.value,
                "postId": encode_id(post),
                "receipt": receipt,
                "occurredAt": datetime.now(UTC).isoformat(),
            }
            | ({"dwellMs": 1500} if action is Action.DWELL else {})
            for action, post, receipt in zip(
                rng.choices(actions, weights, k=BATCH),
                posts,
                receipts.seal_page(user, SLATE_ID, 0, posts),
                strict=True,
            )
        ]
        return {"events": events}

    async def client(http: httpx2.AsyncClient, bodies: Sequence[tuple[int, dict[str, Any]]]) -> None:
        for user, body in bodies:
            token = mint_token(bed.settings, user)
            began = time.perf_counter()
            reply = await http.post("/v1/events", json=body, headers={"Authorization": f"Bearer {token}"})
            times.append((time.perf_counter() - began) * 1e3)
            reply.raise_for_status()
            sent.update(event_id(user, event["id"]) for event in body["events"])
            if reply.json()["accepted"] != BATCH:
                raise RuntimeError(f"events were refused: {reply.text[:500]}")

    with bed.process("serve") as server:
        wait_until_ready(f"{bed.settings.public_url}/healthz", server)
        async with httpx2.AsyncClient(base_url=bed.settings.public_url, timeout=30) as http:
            users = [rng.randrange(1000) + 1 for _ in range(scale.intake_batches + CONNECTIONS)]
            bodies = [(user, batch(user)) for user in users]
            await client(http, bodies[:CONNECTIONS])
            times.clear()
            began = time.perf_counter()
            await asyncio.gather(*(client(http, bodies[CONNECTIONS + n :: CONNECTIONS]) for n in range(CONNECTIONS)))
            seconds = time.perf_counter() - began
    stored = {
        event["id"]
        for message in KafkaReader(bed.settings).read(ENGAGEMENT.name)
        for event in engagement_payloads(Envelope.decode(message.value))
    }
    if lost := len(sent - stored):
        raise RuntimeError(f"{lost} accepted events are missing from the topic")
    median, slow = np.percentile(times, [50, 99])
    return scale.intake_batches * BATCH / seconds, float(median), float(slow)


def run(small: bool) -> dict[str, float]:
    """Measure intake, throughput and freshness on a temporary stack, and print the table."""
    scale = Scale.of(small=small)
    with ExitStack() as owned:
        bed = owned.enter_context(testbed())
        publisher = KafkaPublisher(bed.settings)
        owned.callback(publisher.close)
        rates = {count: throughput(bed, publisher, scale, count) for count in scale.messages}
        probes = freshness(bed, publisher, scale.fresh_seconds)
        log_ms = acknowledgement(publisher, scale.intake_batches)
        intake_rate, median, slow = asyncio.run(intake(bed, scale))
    fresh = np.percentile(probes, [50, 99])
    table = Table("measurement", "result")
    for count, (per_core, per_second) in rates.items():
        title = f"worker, {count} events per message: events per core second (per second)"
        table.add_row(title, f"{per_core:,.0f} ({per_second:,.0f})")
    table.add_row(
        f"freshness at {TYPICAL_RATE:,} events/s, {len(probes)} probes: p50, p99", f"{fresh[0]:.0f}, {fresh[1]:.0f} ms"
    )
    table.add_row(
        f"API, batches of {BATCH}, {CONNECTIONS} connections: events/s (p50, p99 per batch)",
        f"{intake_rate:,.0f} ({median:.0f}, {slow:.0f} ms)",
    )
    table.add_row(f"acknowledgement of a batch of {BATCH} by the log, unloaded: p50", f"{log_ms:.0f} ms")
    Console(width=120).print(table)
    return {
        "freshnessP50Ms": round(float(fresh[0]), 1),
        "freshnessP99Ms": round(float(fresh[1]), 1),
        "eventsPerCoreSecond": round(rates[EVENTS_PER_MESSAGE][0]),
        "intakeEventsPerSecond": round(intake_rate),
    }


def main(small: Annotated[bool, typer.Option(help="A small run of about a minute.")] = False) -> None:
    """Measure the path from event to online feature."""
    print(json.dumps(run(small)))


if __name__ == "__main__":
    typer.run(main)
