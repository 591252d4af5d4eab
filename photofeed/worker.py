"""The loop of every Kafka worker: poll, handle, commit; retry what may pass, put aside what never will."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import psycopg
import structlog
from prometheus_client import Counter

from photofeed.dead_letters import DeadLetter
from photofeed.errors import PermanentError, PoisonError, RetryableError
from photofeed.event_log import EventConsumer, EventPublisher, Message
from photofeed.events import Envelope
from photofeed.topics import dead_letters

log = structlog.get_logger(__name__)

HANDLED = Counter("photofeed_worker_messages", "Messages by what became of them", ["group", "outcome"])
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 10.0

Result = TypeVar("Result")
Handler = Callable[[Sequence[Envelope]], None]


@dataclass(slots=True)
class Worker:
    """Runs one handler over one group's messages, batch by batch.

    The group commits only after the handler has returned, and where that leaves something for later, after that is done
    too: a crash repeats work but loses none, so handlers must be idempotent. A RetryableError, or a server that is
    away, is retried with growing pauses, `max_attempts` times or for ever if None; a batch with a message that can
    never succeed is halved until that message is alone, which then goes to the dead letters with its reason and trace.
    """

    group: str
    consumer: EventConsumer
    publisher: EventPublisher
    handler: Handler
    stop: threading.Event
    batch_size: int = 100
    max_attempts: int | None = None
    poll_seconds: float = 0.5
    linger_seconds: float = 0.0  # how long to gather a larger batch once the first message is there
    idle: Callable[[], None] | None = None  # called whenever no messages came, and before the group is left
    settled: Callable[[], bool] | None = None  # whether nothing of what was handled is left for later
    _handled: dict[tuple[str, int], int] = field(default_factory=dict)  # offsets not committed yet

    def run(self) -> None:
        """Work until `stop` is set, then leave the group; the batch in hand is finished first."""
        try:
            while not self.stop.is_set():
                self.step()
            self._rest()
        finally:
            self.consumer.close()

    def step(self) -> int:
        """Handle and commit one batch; returns how many messages it had."""
        messages = self._gather()
        if not messages:
            self._rest()
            return 0
        if not self._aside(lambda: self._handle(messages)):
            return 0
        # in order per partition, so the last one counts
        self._handled |= {(message.topic, message.partition): message.offset + 1 for message in messages}
        self._commit()
        return len(messages)

    def _commit(self) -> None:
        if self._handled and (self.settled is None or self.settled()):
            try:
                self.consumer.commit(self._handled)
            except RetryableError as error:
                log.warning("commit refused; the messages will come again", group=self.group, error=str(error))
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
                self._aside(self.idle)
            except away() as error:
                log.warning("what was left for later is left for later still", group=self.group, error=str(error))
            self._commit()

    def _aside(self, work: Callable[[], Result]) -> Result:
        """Work in another thread, so that this one remains a member of the group however long it takes."""
        with ThreadPoolExecutor(1, thread_name_prefix=self.group) as hands:
            result = hands.submit(work)
            self.consumer.stay(result)
            return result.result()

    def _handle(self, messages: Sequence[Message]) -> bool:
        """True once every message is done or put aside; False if told to stop before that."""
        readable: list[tuple[Message, Envelope]] = []
        for message in messages:
            try:
                readable.append((message, Envelope.decode(message.value)))
            except PoisonError as error:
                self._put_aside(message, error)
        return not readable or self._attempt(readable)

    def _attempt(self, batch: Sequence[tuple[Message, Envelope]]) -> bool:
        pause, attempt = _FIRST_PAUSE_SECONDS, 0
        while True:
            attempt += 1
            try:
                self.handler([envelope for _, envelope in batch])
            except away() as error:
                if self.max_attempts is not None and attempt >= self.max_attempts:
                    return self._give_up(batch, error)
                log.warning("trying again", group=self.group, attempt=attempt, error=str(error))
                if self.stop.wait(pause):
                    return False
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            except Exception as error:  # noqa: BLE001  one bad message must not stop the others
                return self._give_up(batch, error)
            else:
                HANDLED.labels(self.group, "done").inc(len(batch))
                return True

    def _give_up(self, batch: Sequence[tuple[Message, Envelope]], error: Exception) -> bool:
        if len(batch) > 1:
            half = len(batch) // 2
            return self._attempt(batch[:half]) and self._attempt(batch[half:])
        self._put_aside(batch[0][0], error)
        return True

    def _put_aside(self, message: Message, error: Exception) -> None:
        expected = isinstance(error, PermanentError | PoisonError)
        log.error("dead letter", group=self.group, topic=message.topic, offset=message.offset, exc_info=not expected)
        letter = DeadLetter.about(message, self.group, error)
        self.publisher.publish(dead_letters(message.topic, self.group), [letter.to_envelope()])
        HANDLED.labels(self.group, "dead").inc()


def away() -> tuple[type[Exception], ...]:
    """How clients say that a server is away; it will be back, and the work waits for it in the log.

    Redis's client speaks only where it was imported: workers that hold pixels leave out its 7 MB.
    """
    redis = sys.modules.get("redis")
    return RetryableError, psycopg.OperationalError, *((redis.ConnectionError, redis.TimeoutError) if redis else ())


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set: a worker drains and ends."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
