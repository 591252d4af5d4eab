"""Loops of workers: they go on after what may pass, end with what may not, and stop when they are told to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from prometheus_client import REGISTRY

from ingestion.erasure import eraser as eraser_module
from ingestion.erasure.eraser import Eraser
from ingestion.outbox_relay import OutboxRelay
from ingestion.pools import worker as pools_worker
from ingestion.pools.worker import PoolsWorker
from ingestion.progress import Progress
from ingestion.sweeper import SweepCounts, Sweeper
from ingestion.webhooks.sender import WebhookSender
from photofeed.errors import UnavailableError
from photofeed.settings import Settings
from tests.doubles.clock import Clock
from tests.doubles.module_time import patch_time
from tests.doubles.turns import Turns

NOTHING: Any = None
AWAY = UnavailableError("SlowDown")


@pytest.fixture
def settings() -> Settings:
    return Settings()


def _in_turn(*outcomes: Any) -> Callable[..., Any]:
    """A function that returns or raises one outcome after the other."""
    left = list(outcomes)

    def work(*_: object) -> Any:
        outcome = left.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return work


def test_the_sweeper_goes_on_after_an_outage(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    counts, progress, waited = SweepCounts(0, 0, 0, 0, 0, 0), Progress(), list[str | None]()
    monkeypatch.setattr(Sweeper, "sweep", _in_turn(AWAY, counts))
    sweeper = Sweeper(settings, NOTHING, NOTHING, NOTHING)

    class Looking(Turns):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(progress.waits_for)
            return super().wait(timeout)

    stop = Looking(2)
    sweeper.run(stop, progress)
    assert stop.pauses == [settings.sweep_seconds] * 2
    assert waited == ["SlowDown", None]
    assert progress.report()["lastCommitSeconds"] is not None


def test_the_sweeper_ends_with_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(Sweeper, "sweep", _in_turn(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        Sweeper(settings, NOTHING, NOTHING, NOTHING).run(Turns(1), Progress())


def test_webhooks_are_sent_without_a_pause_while_batches_are_full(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """No error ends the loop: other deliveries must not wait for the one that fails."""
    monkeypatch.setattr(WebhookSender, "send_due", _in_turn(32, AWAY, 32, ZeroDivisionError(), 31, 0))
    stop = Turns(4)
    WebhookSender(settings, NOTHING).run(stop)
    assert stop.pauses == [1.0] * 4


class Connection:
    """A connection to PostgreSQL that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def execute(self, statement: bytes) -> None:
        self.asked.append(statement.decode())

    def notifies(self, *, timeout: float, stop_after: int) -> Iterator[object]:
        self.asked.append(f"wait {timeout} {stop_after}")
        yield object()


def test_people_are_erased_by_the_leader_alone(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    connection, stop = Connection(), Turns(5)

    @contextmanager
    def connected() -> Iterator[Connection]:
        yield connection

    def last(*_: object) -> int:
        connection.asked.append("last pass")
        stop.set()
        return 1

    passes: list[Callable[..., Any]] = [_in_turn(2), _in_turn(0), _in_turn(AWAY), _in_turn(ZeroDivisionError()), last]
    leads = _in_turn(False, True, True, True)  # it leads again after each error

    def lead(*_: object) -> object:
        connection.asked.append("lead?")
        return leads()

    monkeypatch.setattr(eraser_module, "try_leadership", lead)
    monkeypatch.setattr(Eraser, "pass_over", lambda *_: passes.pop(0)())
    connects: list[Callable[..., Any]] = [_in_turn(psycopg.OperationalError()), connected, connected, connected]

    def connect() -> Any:
        return connects.pop(0)()

    before = REGISTRY.get_sample_value("photofeed_erasure_failures_total") or 0.0
    Eraser(settings, NOTHING, []).run(connect, stop)
    assert REGISTRY.get_sample_value("photofeed_erasure_failures_total") == before + 3
    listen = ["lead?", "listen erasures"]
    assert connection.asked == ["lead?", *listen, "wait 5.0 1", *listen, *listen, "last pass"]
    assert stop.pauses == [5.0] * 4


def test_the_relay_ends_with_an_error_of_its_own() -> None:
    stop = Turns(1)
    with pytest.raises(ZeroDivisionError):
        OutboxRelay(_in_turn(psycopg.OperationalError(), ZeroDivisionError()), NOTHING, Turns(2)).run()
    OutboxRelay(_in_turn(psycopg.OperationalError()), NOTHING, stop).run()
    assert stop.pauses == [1.0]


class Builder:
    """Builds no pools in some seconds, or fails, and remembers when."""

    def __init__(self, clock: Clock, name: str, every_seconds: float, takes: float, *outcomes: Any) -> None:
        self.name, self.every_seconds = name, every_seconds
        self.built_at: list[float] = []
        self._clock, self._takes, self._outcome = clock, takes, _in_turn(*outcomes)

    def build(self, _: object) -> dict[str, bytes]:
        self.built_at.append(self._clock.now - 100)
        self._clock.now += self._takes
        built: dict[str, bytes] = self._outcome()
        return built


def test_pools_are_built_when_they_are_due_and_in_spite_of_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    patch_time(monkeypatch, pools_worker, monotonic=clock)

    class Ticking(Turns):
        def wait(self, timeout: float | None = None) -> bool:
            clock.now += timeout or 0.0
            return super().wait(timeout)

    rare = Builder(clock, "rare", 3600.0, 0.0, {})
    often = Builder(clock, "often", 3.0, 0.0, AWAY, {}, {}, {})
    slow = Builder(clock, "slow", 3.0, 0.5, {}, {})  # rests ten times as long as it works
    stop = Ticking(8)
    PoolsWorker([rare, often, slow], NOTHING).run(stop, Progress())
    assert stop.pauses == [1.0] * 8
    assert (rare.built_at, often.built_at, slow.built_at) == ([0.0], [0.0, 3.5, 7.0], [0.0, 5.5])


def test_a_builder_that_is_broken_ends_the_pools_worker() -> None:
    broken = Builder(Clock(), "broken", 0.0, 0.0, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        PoolsWorker([broken], NOTHING).run(Turns(1), Progress())
    away = Builder(Clock(), "away", 3600.0, 0.0, AWAY)
    progress = Progress()
    PoolsWorker([away], NOTHING).run(Turns(1), progress)
    assert progress.waits_for == "no away: PostgreSQL or Redis is unavailable"
