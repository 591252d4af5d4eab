"""The loop of every Kafka worker: poll, handle, commit. Failures are retried or become dead letters."""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from prometheus_client import Counter

from ingestion.progress import Progress
from photofeed.dead_letters import DeadLetter
from photofeed.errors import PermanentError, PoisonError, RetryableError, UnavailableError
from photofeed.event_log import EventConsumer, EventPublisher, Message
from photofeed.events import Envelope
from photofeed.topics import dead_letters
from photofeed.unavailable import is_unavailable, may_pass

log = structlog.get_logger(__name__)

HANDLED = Counter("photofeed_worker_messages", "Messages by outcome", ["group", "outcome"])
RETRIES = Counter("photofeed_worker_retries", "Batches tried again, by reason", ["group", "reason"])
_AWAY_PAUSE_SECONDS = 1.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 10.0

Result = TypeVar("Result")
Handler = Callable[[Sequence[Envelope]], None]


@dataclass(slots=True)
class Worker:
    """Runs one handler over the messages of one group, batch by batch.

    Offsets are committed after the handler has returned and `may_commit` allows it. A crash repeats work and loses
    none, so handlers must be idempotent. Work is retried with growing pauses: as long as a server is unavailable, and
    after any other RetryableError `max_attempts` times, or without limit if that is None. A batch with a message that
    can never succeed is halved until that message is alone; it then becomes a dead letter with its reason and trace.
    """

    group: str
    consumer: EventConsumer
    publisher: EventPublisher
    handler: Handler
    stop: threading.Event
    batch_size: int = 100
    max_attempts: int | None = None
    poll_seconds: float = 0.5
    linger_seconds: float = 0.0  # how long to wait for a larger batch after its first message
    idle: Callable[[], None] | None = None  # called when no messages came, and before the group is left
    may_commit: Callable[[], bool] | None = None  # whether all effects of handled messages are durable
    progress: Progress = field(default_factory=Progress)
    _handled: dict[tuple[str, int], int] = field(default_factory=dict)  # (topic, partition) -> offset not committed yet

    def __post_init__(self) -> None:
        # From zero on: Prometheus takes no increase from the first sample of a series, so an alert would miss it.
        for outcome in ("done", "dead"):
            HANDLED.labels(self.group, outcome)
        for reason in ("unavailable", "failed"):
            RETRIES.labels(self.group, reason)

    def run(self) -> None:
        """Work until `stop` is set, then leave the group. The current batch is finished first."""
        log_is_away = False
        try:
            while not self.stop.is_set():
                try:
                    self.step()
                    if log_is_away:
                        self.progress.waiting(None)
                        log_is_away = False
                except UnavailableError as error:
                    log_is_away = True
                    self.progress.waiting(str(error))
                    log.warning("the event log is unavailable", group=self.group, error=str(error))
                    self.stop.wait(_AWAY_PAUSE_SECONDS)
            self._rest()
        finally:
            self.consumer.close()

    def step(self) -> int:
        """Handle and commit one batch; returns its number of messages."""
        messages = self._gather()
        if not messages:
            self._rest()
            return 0
        if not self._in_thread(lambda: self._handle(messages)):
            return 0
        # messages are in order within a partition, so the last offset wins
        self._handled |= {(message.topic, message.partition): message.offset + 1 for message in messages}
        self._commit()
        return len(messages)

    def _commit(self) -> None:
        if self._handled and (self.may_commit is None or self.may_commit()):
            try:
                self.consumer.commit(self._handled)
                self.progress.committed()
            except RetryableError as error:
                log.warning("commit refused: messages will be delivered again", group=self.group, error=str(error))
            self._handled = {}

    def _gather(self) -> list[Message]:
        messages = self.consumer.poll(self.batch_size, self.poll_seconds)
        until = time.monotonic() + self.linger_seconds
        while messages and len(messages) < self.batch_size and not self.stop.is_set():
            remaining = until - time.monotonic()
            if remaining <= 0:
                break
            messages += self.consumer.poll(self.batch_size - len(messages), remaining)
        return messages

    def _rest(self) -> None:
        if self.idle is not None:
            try:
                self._in_thread(self._idle)
            except Exception as error:
                if not may_pass(error):
                    raise
                self.progress.waiting(str(error))
                log.warning("idle work failed: it will be retried", group=self.group, error=str(error))
            else:
                self.progress.waiting(None)
            self._commit()

    def _idle(self) -> None:
        if self.idle is not None:
            with self.progress.working(takes_messages=False):
                self.idle()

    def _in_thread(self, work: Callable[[], Result]) -> Result:
        """Run `work` in another thread, while this one keeps the membership in the group."""
        with ThreadPoolExecutor(1, thread_name_prefix=self.group) as executor:
            result = executor.submit(work)
            self.consumer.stay(result)
            return result.result()

    def _handle(self, messages: Sequence[Message]) -> bool:
        """True once every message is handled or a dead letter; False if the worker is stopped before that."""
        readable: list[tuple[Message, Envelope]] = []
        for message in messages:
            if message.group not in (None, self.group):  # a dead letter of another group
                continue
            try:
                envelope = Envelope.decode(message.value, message.partition, message.traceparent, message.offset)
            except PoisonError as error:
                if not self._dead_letter(message, error):
                    return False
            else:
                readable.append((message, envelope))
        return not readable or self._attempt(readable)

    def _attempt(self, batch: Sequence[tuple[Message, Envelope]]) -> bool:
        try:
            done = self._patiently(lambda: self.handler([envelope for _, envelope in batch]))
        except Exception as error:  # noqa: BLE001  one bad message must not block the others
            return self._give_up(batch, error)
        if done:
            HANDLED.labels(self.group, "done").inc(len(batch))
        return done

    def _patiently(self, work: Callable[[], None]) -> bool:
        """Run `work` until it succeeds; False if the worker is stopped before that.

        Raises:
            Exception: what `work` raised, if waiting does not help or `max_attempts` are used up.
        """
        pause, failures = _FIRST_PAUSE_SECONDS, 0
        while True:
            try:
                with self.progress.working():
                    work()
            except Exception as error:
                if not may_pass(error):
                    raise
                away = is_unavailable(error)
                failures += not away
                if self.max_attempts is not None and failures >= self.max_attempts:
                    raise
                self.progress.waiting(str(error) if away else None)
                RETRIES.labels(self.group, "unavailable" if away else "failed").inc()
                log.warning("batch failed: retrying", group=self.group, unavailable=away, error=str(error))
            else:
                self.progress.waiting(None)
                return True
            if self.stop.wait(pause):
                return False
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _give_up(self, batch: Sequence[tuple[Message, Envelope]], error: Exception) -> bool:
        if len(batch) > 1:
            half = len(batch) // 2
            return self._attempt(batch[:half]) and self._attempt(batch[half:])
        return self._dead_letter(batch[0][0], error)

    def _dead_letter(self, message: Message, error: Exception) -> bool:
        """Put a message aside. It waits while the log takes no letters; False if the worker is stopped before that."""
        expected = isinstance(error, PermanentError | PoisonError)
        log.error("dead letter", group=self.group, topic=message.topic, offset=message.offset, exc_info=not expected)
        letter = DeadLetter.about(message, self.group, error).to_envelope()
        if not self._patiently(lambda: self.publisher.publish(dead_letters(message.topic, self.group), [letter])):
            return False
        HANDLED.labels(self.group, "dead").inc()
        return True


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set: a worker then finishes its batch and exits."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
