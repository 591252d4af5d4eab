import os
import signal
import threading
from collections.abc import Iterator, Sequence

import psycopg
import pytest
import redis

from ingestion.consumer.worker import Worker, stop_on_signals
from photofeed.errors import PermanentError, RetryableError, UnavailableError
from photofeed.event_log import Message
from photofeed.events import Envelope
from photofeed.topics import Topic, dead_letters
from tests.doubles.event_log import InMemoryConsumer, InMemoryEventLog
from tests.doubles.turns import Turns
from tests.metric_values import metric

TOPIC = Topic("things", key="id")
DEAD = Topic(dead_letters("things", "g"), key="id")


class Recorder:
    """A handler that records its calls, and fails as configured."""

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


def test_a_committed_batch_is_not_repeated_by_the_next_member() -> None:
    log, handler = _log("a", "b"), Recorder()
    assert _worker(log, handler).step() == 2
    assert _worker(log, handler).step() == 0
    assert handler.done == ["a", "b"]


def test_a_message_that_cannot_succeed_is_a_dead_letter_and_the_others_are_handled() -> None:
    log = _log("a", "bad", "c")
    handler = Recorder({"bad": [PermanentError("cannot be", code="nope")] * 3})
    _worker(log, handler).step()
    assert handler.done == ["a", "c"]
    (letter,) = _letters(log)
    assert letter.payload["code"] == "nope"
    assert letter.payload["reason"] == "cannot be"
    assert "PermanentError" in letter.payload["trace"]
    assert Envelope.decode(letter.payload["value"].encode()).key == "bad"


def _metrics(group: str) -> dict[str, float]:
    """The counters of a group: messages by outcome, and retries by reason."""
    return {
        **{one: metric("photofeed_worker_messages_total", group=group, outcome=one) for one in ("done", "dead")},
        **{one: metric("photofeed_worker_retries_total", group=group, reason=one) for one in ("unavailable", "failed")},
    }


def test_outcomes_and_retries_are_counted() -> None:
    before, log = _metrics("g"), _log("a", "bad", "c", "d")
    failures: list[Exception] = [UnavailableError("away"), RetryableError("locked"), UnavailableError("away")]
    handler = Recorder({"a": failures, "bad": [PermanentError("cannot be")] * 9})
    _worker(log, handler).step()
    counted = {name: value - before[name] for name, value in _metrics("g").items()}
    assert counted == {"done": 3, "dead": 1, "unavailable": 2, "failed": 1}


def test_a_dead_letter_stays_in_the_trace_of_its_message() -> None:
    log, trace = InMemoryEventLog(partitions=1), f"00-{'a' * 32}-{'b' * 16}-01"
    log.publish("things", [Envelope("thing", "bad", {}, traceparent=trace)])
    _worker(log, Recorder({"bad": [PermanentError("cannot be")]})).step()
    assert [message.traceparent for message in log.read(DEAD.name)] == [trace]


def test_a_bug_in_a_handler_does_not_stop_the_worker() -> None:
    log = _log("a", "bad")
    handler = Recorder({"bad": [ZeroDivisionError("bug")] * 2})
    _worker(log, handler).step()
    assert handler.done == ["a"]
    assert [letter.payload["code"] for letter in _letters(log)] == ["ZeroDivisionError"]


def test_unreadable_bytes_become_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    log, handler = _log("a"), Recorder()
    worker = _worker(log, handler)
    real = worker.consumer.poll
    bad = Message("things", 0, 99, "k", b"\xff not json")
    monkeypatch.setattr(worker.consumer, "poll", lambda most, wait: [bad, *real(most, wait)])
    worker.step()
    assert handler.done == ["a"]
    assert [letter.payload["code"] for letter in _letters(log)] == ["poison"]


def test_a_retryable_failure_is_retried_until_it_succeeds() -> None:
    log = _log("a")
    handler = Recorder({"a": [RetryableError("away")]})
    _worker(log, handler).step()
    assert handler.done == ["a"]
    assert handler.calls == 2
    assert _letters(log) == []


def test_a_bad_message_among_many_is_isolated_in_few_calls() -> None:
    log = _log(*map(str, range(100)), "bad")
    handler = Recorder({"bad": [PermanentError("cannot be")] * 99})
    _worker(log, handler).step()
    _worker(log, handler).step()
    assert sorted(handler.done, key=int) == list(map(str, range(100)))
    assert handler.calls < 20


@pytest.mark.parametrize(
    "away",
    [
        redis.ConnectionError("refused"),
        redis.ResponseError("MISCONF Errors writing to the AOF file"),
        psycopg.errors.ReadOnlySqlTransaction("cannot execute UPDATE in a read-only transaction"),
        UnavailableError("SlowDown"),
    ],
    ids=repr,
)
def test_work_waits_for_an_unavailable_server_whatever_the_number_of_attempts(away: Exception) -> None:
    log = _log("a")
    handler = Recorder({"a": [away] * 3})
    _worker(log, handler, max_attempts=2).step()
    assert handler.done == ["a"]
    assert _letters(log) == []


def test_idle_work_that_fails_while_a_server_is_away_is_repeated() -> None:
    failures = [redis.ResponseError("READONLY You can't write against a read only replica.")]
    worker = _worker(_log(), Recorder())
    worker.idle = lambda: (_ for _ in ()).throw(failures.pop()) if failures else None
    worker.step()
    worker.step()
    assert failures == []


def test_idle_work_runs_when_no_messages_come_and_before_the_worker_ends() -> None:
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


def test_nothing_is_committed_before_all_effects_are_durable() -> None:
    log, left = _log("a", "b"), list[str]()
    worker = _worker(log, Recorder())
    worker.batch_size, worker.idle, worker.may_commit = 1, left.clear, lambda: not left
    left.append("a")
    assert worker.step() == 1
    killed = Recorder()
    _worker(log, killed).step()
    assert killed.done == ["a", "b"]


def test_a_failed_last_batch_is_not_committed_with_earlier_ones() -> None:
    log, left = _log("a", "b"), ["a"]
    worker = _worker(log, Recorder({"b": [RetryableError("away")]}))
    worker.batch_size, worker.idle, worker.may_commit = 1, left.clear, lambda: not left
    assert worker.step() == 1
    worker.stop.set()
    assert worker.step() == 0
    worker.run()
    again = Recorder()
    _worker(log, again).step()
    assert again.done == ["b"]


def test_a_bounded_number_of_attempts_ends_in_a_dead_letter() -> None:
    log = _log("a")
    handler = Recorder({"a": [RetryableError("away")] * 9})
    _worker(log, handler, max_attempts=2).step()
    assert handler.calls == 2
    assert [letter.payload["code"] for letter in _letters(log)] == ["try_again"]


def test_pauses_between_attempts_grow_up_to_ten_seconds_and_begin_anew_with_the_next_batch() -> None:
    log = _log("a")
    worker = _worker(log, Recorder({"a": [RetryableError("away")] * 8, "b": [RetryableError("away")]}))
    worker.stop = stop = Turns(99)
    worker.step()
    assert stop.pauses == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0])
    log.publish("things", [Envelope("thing", "b", {})])
    worker.step()
    assert stop.pauses[8:] == [0.2]


def test_a_worker_stopped_during_a_retry_commits_nothing() -> None:
    log = _log("a")
    worker = _worker(log, Recorder({"a": [RetryableError("away")] * 9}))
    worker.stop.set()
    assert worker.step() == 0
    again = Recorder()
    _worker(log, again).step()
    assert again.done == ["a"]


def test_a_batch_is_delivered_again_after_a_refused_commit(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_sigterm_ends_a_worker_after_the_current_batch(stop: threading.Event) -> None:
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


class FullForLetters(InMemoryEventLog):
    """A log that refuses the given number of dead letters."""

    def __init__(self, refusals: int) -> None:
        super().__init__(partitions=1)
        self.refusals = refusals

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        if topic == DEAD.name and self.refusals:
            self.refusals -= 1
            raise UnavailableError("no room for letters")
        super().publish(topic, envelopes)


def test_a_dead_letter_waits_for_the_log() -> None:
    log = FullForLetters(2)
    log.publish("things", [Envelope("thing", "bad", {})])
    assert _worker(log, Recorder({"bad": [PermanentError("cannot be")]})).step() == 1
    assert [letter.payload["reason"] for letter in _letters(log)] == ["cannot be"]


def test_a_worker_stopped_before_its_letter_is_written_commits_nothing() -> None:
    log = FullForLetters(9)
    log.publish("things", [Envelope("thing", "bad", {})])
    worker = _worker(log, Recorder({"bad": [PermanentError("cannot be")]}))
    worker.stop.set()
    assert worker.step() == 0
    again = Recorder()
    _worker(log, again).step()
    assert again.done == ["bad"]


def test_a_worker_waits_while_the_log_gives_no_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    log, handler = _log("a"), Recorder()
    worker = _worker(log, handler)
    real, said = worker.consumer.poll, list[str | None]()

    def poll(most: int, wait: float) -> list[Message]:
        if not said:
            said.append(None)
            raise UnavailableError("coordinator moves")
        said.append(worker.progress.waits_for)
        if len(said) > 2:
            worker.stop.set()
        return [] if len(said) == 2 else real(most, wait)

    monkeypatch.setattr(worker.consumer, "poll", poll)
    monkeypatch.setattr("ingestion.consumer.worker._AWAY_PAUSE_SECONDS", 0.0)
    worker.run()
    assert handler.done == ["a"]
    assert said == [None, "coordinator moves", None]  # an idle worker waits for nothing
    assert worker.progress.waits_for is None


def test_a_worker_says_what_it_waits_for_until_it_is_there() -> None:
    log, seen = _log("a"), list[str | None]()
    worker = _worker(log, Recorder())

    def handler(_: Sequence[Envelope]) -> None:
        seen.append(worker.progress.waits_for)
        if len(seen) == 1:
            raise UnavailableError("SlowDown")

    worker.handler = handler
    worker.step()
    assert seen == [None, "SlowDown"]
    assert worker.progress.waits_for is None


def test_a_worker_whose_own_work_fails_waits_for_no_server() -> None:
    seen = list[str | None]()
    worker = _worker(_log("a"), Recorder())
    failures = [UnavailableError("SlowDown"), RetryableError("the row is locked")]

    def handler(_: Sequence[Envelope]) -> None:
        seen.append(worker.progress.waits_for)
        if failures:
            raise failures.pop(0)

    worker.handler = handler
    worker.step()
    assert seen == [None, "SlowDown", None]
