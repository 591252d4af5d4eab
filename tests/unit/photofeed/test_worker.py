import os
import signal
import threading
from collections.abc import Iterator, Sequence

import psycopg
import pytest
import redis

from photofeed.errors import PermanentError, RetryableError
from photofeed.event_log import InMemoryConsumer, InMemoryEventLog, Message
from photofeed.events import Envelope
from photofeed.topics import Topic, dead_letters
from photofeed.worker import Worker, stop_on_signals

TOPIC = Topic("things", key="id")
DEAD = Topic(dead_letters("things", "g"), key="id")


class Recorder:
    """A handler that notes what it did, and fails as told."""

    def __init__(self, failures: dict[str, list[Exception]] | None = None) -> None:
        self.done: list[str] = []
        self.calls = 0
        self._failures = failures or {}

    def __call__(self, envelopes: Sequence[Envelope]) -> None:
        self.calls += 1
        for envelope in envelopes:
            waiting = self._failures.get(envelope.key)
            if waiting:
                raise waiting.pop(0)
        self.done += [envelope.key for envelope in envelopes]


def _worker(log: InMemoryEventLog, handler: Recorder, *, max_attempts: int | None = None) -> Worker:
    stop = threading.Event()
    return Worker("g", log.consumer("g", [TOPIC]), log, handler, stop, max_attempts=max_attempts)


def _log(*keys: str) -> InMemoryEventLog:
    log = InMemoryEventLog(partitions=1)
    log.publish("things", [Envelope("thing", key, {}) for key in keys])
    return log


def _letters(log: InMemoryEventLog) -> list[Envelope]:
    return [Envelope.decode(message.value) for message in log.consumer("reader", [DEAD]).poll(100, 0)]


def test_a_batch_is_done_once_and_not_again_by_the_next_member() -> None:
    log, handler = _log("a", "b"), Recorder()
    assert _worker(log, handler).step() == 2
    assert _worker(log, handler).step() == 0
    assert handler.done == ["a", "b"]


def test_one_hopeless_message_goes_to_the_dead_letters_and_the_others_are_done() -> None:
    log = _log("a", "bad", "c")
    handler = Recorder({"bad": [PermanentError("cannot be", code="nope")] * 3})
    _worker(log, handler).step()
    assert handler.done == ["a", "c"]
    (letter,) = _letters(log)
    assert letter.payload["code"] == "nope"
    assert letter.payload["reason"] == "cannot be"
    assert "PermanentError" in letter.payload["trace"]
    assert Envelope.decode(letter.payload["value"].encode()).key == "bad"


def test_a_bug_in_a_handler_does_not_stop_the_worker() -> None:
    log = _log("a", "bad")
    handler = Recorder({"bad": [ZeroDivisionError("bug")] * 2})
    _worker(log, handler).step()
    assert handler.done == ["a"]
    assert [letter.payload["code"] for letter in _letters(log)] == ["ZeroDivisionError"]


def test_bytes_nobody_can_read_are_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    log, handler = _log("a"), Recorder()
    worker = _worker(log, handler)
    real = worker.consumer.poll
    bad = Message("things", 0, 99, "k", b"\xff not json")
    monkeypatch.setattr(worker.consumer, "poll", lambda most, wait: [bad, *real(most, wait)])
    worker.step()
    assert handler.done == ["a"]
    assert [letter.payload["code"] for letter in _letters(log)] == ["poison"]


def test_what_may_pass_is_tried_again_and_not_lost() -> None:
    log = _log("a")
    handler = Recorder({"a": [RetryableError("away")]})
    _worker(log, handler).step()
    assert handler.done == ["a"]
    assert handler.calls == 2
    assert _letters(log) == []


def test_one_hopeless_message_among_many_does_not_cost_a_call_for_each_of_them() -> None:
    log = _log(*map(str, range(100)), "bad")
    handler = Recorder({"bad": [PermanentError("cannot be")] * 99})
    _worker(log, handler).step()
    _worker(log, handler).step()
    assert sorted(handler.done, key=int) == list(map(str, range(100)))
    assert handler.calls < 20


@pytest.mark.parametrize("away", [redis.ConnectionError, redis.TimeoutError, psycopg.OperationalError])
def test_a_server_that_is_away_makes_the_work_wait_and_no_dead_letters(away: type[Exception]) -> None:
    log = _log("a")
    handler = Recorder({"a": [away("connection refused")]})
    _worker(log, handler).step()
    assert handler.done == ["a"]
    assert _letters(log) == []


def test_what_was_left_for_later_is_done_when_nothing_comes_and_at_the_end() -> None:
    calls = list[str]()
    worker = _worker(_log("a"), Recorder())
    worker.idle = lambda: calls.append("idle")
    worker.step()
    assert calls == []
    worker.step()
    assert calls == ["idle"]
    worker.stop.set()
    worker.run()
    assert calls == ["idle", "idle"]


def test_nothing_is_committed_before_what_was_left_for_later_is_done() -> None:
    log, left = _log("a", "b"), list[str]()
    worker = _worker(log, Recorder())
    worker.batch_size, worker.idle, worker.settled = 1, left.clear, lambda: not left
    left.append("a")
    assert worker.step() == 1
    killed = Recorder()
    _worker(log, killed).step()
    assert killed.done == ["a", "b"]


def test_what_failed_at_the_end_is_not_committed_with_what_was_done_before_it() -> None:
    log, left = _log("a", "b"), ["a"]
    worker = _worker(log, Recorder({"b": [RetryableError("away")]}))
    worker.batch_size, worker.idle, worker.settled = 1, left.clear, lambda: not left
    assert worker.step() == 1
    worker.stop.set()
    assert worker.step() == 0
    worker.run()
    again = Recorder()
    _worker(log, again).step()
    assert again.done == ["b"]


def test_patience_ends_where_it_is_bounded() -> None:
    log = _log("a")
    handler = Recorder({"a": [RetryableError("away")] * 9})
    _worker(log, handler, max_attempts=2).step()
    assert handler.calls == 2
    assert [letter.payload["code"] for letter in _letters(log)] == ["try_again"]


def test_told_to_stop_while_waiting_it_commits_nothing() -> None:
    log = _log("a")
    worker = _worker(log, Recorder({"a": [RetryableError("away")] * 9}))
    worker.stop.set()
    assert worker.step() == 0
    again = Recorder()
    _worker(log, again).step()
    assert again.done == ["a"]


def test_a_refused_commit_means_the_batch_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    log, handler = _log("a"), Recorder()

    def refuse(*_: object) -> None:
        raise RetryableError("rebalanced")

    with monkeypatch.context() as patched:
        patched.setattr(InMemoryConsumer, "commit", refuse)
        _worker(log, handler).step()
    _worker(log, handler).step()
    assert handler.done == ["a", "a"]


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Set by SIGTERM, as in a worker's process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield stop_on_signals()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_sigterm_ends_a_worker_after_the_batch_in_hand(stop: threading.Event) -> None:
    log, done = _log("a", "b", "c"), list[str]()

    def interrupted(envelopes: Sequence[Envelope]) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        stop.wait(30)
        done.extend(envelope.key for envelope in envelopes)

    Worker("g", log.consumer("g", [TOPIC]), log, interrupted, stop, batch_size=2).run()
    assert done == ["a", "b"]
    rest = Recorder()
    _worker(log, rest).step()
    assert rest.done == ["c"]


def test_an_error_outside_the_handler_is_not_swallowed_and_nothing_is_committed() -> None:
    class Full(InMemoryEventLog):
        def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
            if topic == DEAD.name:
                raise RetryableError("no room for letters")
            super().publish(topic, envelopes)

    log = Full(partitions=1)
    log.publish("things", [Envelope("thing", "bad", {})])
    with pytest.raises(RetryableError):
        _worker(log, Recorder({"bad": [PermanentError("cannot be")]})).step()
    again = Recorder()
    _worker(log, again).step()
    assert again.done == ["bad"]
