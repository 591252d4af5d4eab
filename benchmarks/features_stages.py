"""The cost of counting features in two stages: processor time per event of one worker, and of two that share the work.

The same recorded log is counted from its start, on a fresh stack each time. Start-up is not measured: the workers are
running before they may count. Prints a table with the share of each worker, then one line of JSON.
"""

import json
import os
import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import psutil
import typer
from features_stream import EVENTS_PER_MESSAGE, Clients, Testbed, counted, testbed
from resource_usage import processor_seconds
from rich.console import Console
from rich.table import Table

from photofeed import database
from photofeed.events import Envelope
from photofeed.feature_store import load_manifest
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.object_store import S3ObjectStore
from photofeed.online_store.reader import PackedReader
from photofeed.redis_client import connect_redis
from photofeed.settings import TWO_STAGES
from photofeed.topics import ENGAGEMENT

CREATORS = range(2 * 10**15, 2 * 10**15 + 2_000)
QUIET_SECONDS, POLL_SECONDS, TIMEOUT_SECONDS = 4.0, 0.2, 600.0
MESSAGES_AT_ONCE = 1_000
IDLE_SHARE = 0.05  # of a core, of a worker that waits


@dataclass(frozen=True, slots=True)
class Run:
    """Processor seconds of each worker for a log, and the seconds that it took."""

    workers: list[float]
    seconds: float
    impressions: float  # of all creators, to see that both count the same

    def per_event(self, events: int) -> float:
        """Microseconds of processor time per event."""
        return sum(self.workers) / events * 1e6


def recorded(events: int) -> list[Envelope]:
    """A log that is the same in every run."""
    clients = Clients(random.Random(5))
    return [clients.message(EVENTS_PER_MESSAGE) for _ in range(events // EVENTS_PER_MESSAGE)]


def run(log: list[Envelope], stages: int, workers: int) -> Run:
    """Count the log on a fresh stack."""
    os.environ["PHOTOFEED_FEATURES_STAGES"] = str(stages)
    with testbed() as plain, ExitStack() as owned:
        settings = plain.settings.model_copy(update={"features_stages": stages})
        publisher = KafkaPublisher(settings)
        owned.callback(publisher.close)
        bed = Testbed(settings, plain.environment)
        for start in range(0, len(log), MESSAGES_AT_ONCE):
            publisher.publish(ENGAGEMENT.name, log[start : start + MESSAGES_AT_ONCE])
        with database.connect(settings) as held:  # workers wait until it is released, after they have started
            database.try_leadership(held, database.FEATURES_LEADER)
            running = [owned.enter_context(bed.process("work", "features")) for _ in range(workers)]
            _wait_until_idle(running)
            before = [processor_seconds(worker) for worker in running]
        began = time.monotonic()
        ended, impressions = _wait_until_counted(bed, running, len(log) * EVENTS_PER_MESSAGE)
        return Run(
            [end - start for start, end in zip(before, ended.workers, strict=True)], ended.at - began, impressions
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment, and the processor seconds of each worker until then."""

    at: float
    workers: list[float]

    @staticmethod
    def now(running: Sequence[psutil.Popen]) -> "Moment":
        """This moment."""
        return Moment(time.monotonic(), [processor_seconds(worker) for worker in running])


def _wait_until_idle(running: Sequence[psutil.Popen]) -> None:
    """Wait until the workers have started: they use next to no processor time."""
    last = Moment.now(running)
    while True:
        time.sleep(QUIET_SECONDS)
        now = Moment.now(running)
        used = max(end - start for start, end in zip(last.workers, now.workers, strict=True))
        if min(now.workers) > 1.0 and used < IDLE_SHARE * QUIET_SECONDS:
            return
        last = now


def _wait_until_counted(bed: Testbed, running: Sequence[psutil.Popen], events: int) -> tuple[Moment, float]:
    """Wait until all events are counted and counters no longer change; returns when that was, and all impressions.

    Raises:
        TimeoutError: it takes longer than TIMEOUT_SECONDS.
    """
    manifest = load_manifest(bed.settings, S3ObjectStore.connect(bed.settings))
    deadline, last, since = time.monotonic() + TIMEOUT_SECONDS, -1.0, Moment.now(running)
    with connect_redis(bed.settings) as client:
        reader = PackedReader([manifest.view("creator_engagement").schema], client=client)
        while time.monotonic() < deadline:
            rows = reader.read({"creator_id": np.array(CREATORS)})["creator_engagement"]
            now = float(rows.values["impressions_7d"].sum())
            if now != last or counted(bed.settings) < events:
                last, since = now, Moment.now(running)
            elif time.monotonic() - since.at > QUIET_SECONDS:
                return since, now
            time.sleep(POLL_SECONDS)
    raise TimeoutError(f"{counted(bed.settings)} of {events} events are counted")


def main(events: Annotated[int, typer.Option(min=1_000, help="Events of the recorded log.")] = 200_000) -> None:
    """Compare one worker in one stage with two workers in two stages."""
    log = recorded(events)
    one, two = run(log, 1, 1), run(log, TWO_STAGES, 2)
    ratio = two.per_event(events) / one.per_event(events)
    table = Table("", "µs of processor time per event", "seconds", "impressions", "split")
    for name, made in (("one worker, one stage", one), ("two workers, two stages", two)):
        split = " : ".join(f"{used / sum(made.workers):.0%}" for used in made.workers)
        table.add_row(name, f"{made.per_event(events):.1f}", f"{made.seconds:.1f}", f"{made.impressions:,.0f}", split)
    console = Console()
    console.print(table)
    console.print(f"two workers take {ratio:.2f} times the processor time of one per event")
    shares = [round(used / sum(two.workers), 3) for used in two.workers]
    print(json.dumps({"events": events, "cpuRatio": round(ratio, 3), "split": shares}))


if __name__ == "__main__":
    typer.run(main)
