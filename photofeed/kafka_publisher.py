"""Publishes to Kafka, and replaces a producer that does not recover by itself.

The producer is not idempotent (ADR 41). The embedded broker, killed between taking an offset and writing the batch,
answers to the resent batch that it has it, so acknowledged messages were lost. Messages have ids, so one that is in the
log twice counts once.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import structlog
from prometheus_client import Counter

from photofeed.errors import UnavailableError
from photofeed.events import Envelope
from photofeed.kafka_client import GROUP_HEADER, connection_options
from photofeed.settings import Settings
from photofeed.tracing import TRACEPARENT_HEADER, sending

log = structlog.get_logger(__name__)

RESTARTS = Counter("photofeed_producer_restarts", "Kafka producers that were closed and made again after an error")

# Large, because a log on object storage keeps each batch as an object, and lists all of them at every fetch. Below the
# 1 MiB that Kafka accepts.
_BATCH_BYTES = 512 * 1024
_LINGER_MS = 5
_REQUEST_MS, _DELIVERY_MS = 15_000, 30_000  # longer than some callers wait: a slow broker still gets the messages
_SILENT_SECONDS = 5.0
_BETWEEN_CONNECTS_SECONDS = 0.5
_CLOSE_SECONDS = 5.0

_Header: TypeAlias = tuple[str, bytes]
_Record: TypeAlias = tuple[str, bytes, list[_Header]]  # key, value and headers


class KafkaPublisher:
    """Publishes and waits for all replicas. Threads may share it.

    A producer is closed and made again after an error that is not retriable, and when calls have failed for 5 s without
    any that succeeded. The messages that it did not acknowledge are sent again as they are, so some may be
    in the log twice, under one id.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        seconds: float = _DELIVERY_MS / 1000,
        connect: Callable[[Settings, float], Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect, if the broker answers now; else the first message does.

        Args:
            settings: where the broker is.
            seconds: how long a call waits for the broker before it fails.
            connect: makes a kafka-python producer that waits so many seconds for the broker's metadata.
            clock: seconds that only grow.
        """
        self._settings, self._seconds, self._clock = settings, seconds, clock
        self._connect = connect or _connect
        self._lock = threading.Lock()
        self._producer: Any = None
        self._silent_since: float | None = None
        self._connect_again_at = clock()
        try:
            self._current(clock() + seconds)
        except UnavailableError as error:
            log.warning("the event log does not answer yet", error=str(error))

    @property
    def answers(self) -> bool:
        """Whether there is a producer, and the broker acknowledged its last messages."""
        return self._producer is not None and self._silent_since is None

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        """Write envelopes; returns when the broker has acknowledged all."""
        with sending(topic, envelopes) as sent:
            self._publish(
                topic, [(one.key, one.encode(), _headers(TRACEPARENT_HEADER, one.traceparent)) for one in sent]
            )

    def publish_encoded(self, topic: str, records: Sequence[tuple[str, bytes]], *, group: str | None = None) -> None:
        """Write keys and values as they are; returns when the broker has acknowledged all."""
        headers = _headers(GROUP_HEADER, group)
        self._publish(topic, [(key, value, headers) for key, value in records])

    def _publish(self, topic: str, records: Sequence[_Record]) -> None:
        began = self._clock()
        until, replaced = began + self._seconds, False
        while True:
            producer = self._current(until)
            records, error = self._send(producer, topic, records, until)
            if error is None:
                self._silent_since = None
                return
            broken = self._is_broken(error, began)
            if broken:
                self._replace(producer, error)
            if replaced or not broken or self._clock() >= until:
                raise UnavailableError(f"the event log did not accept messages for {topic}: {error}") from error
            replaced = True

    def close(self) -> None:
        """Flush and disconnect."""
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            _close(producer)

    def _send(
        self, producer: Any, topic: str, records: Sequence[_Record], until: float
    ) -> tuple[list[_Record], Exception | None]:
        """Send records; returns those that were not acknowledged until the moment, in order, and an error of them."""
        from kafka.errors import KafkaError, LeaderNotAvailableError

        failed: list[_Record] = []
        reason: Exception | None = None
        sent = []
        try:
            for key, value, headers in records:
                sent.append(producer.send(topic, key=key.encode(), value=value, headers=headers))
        except KafkaError as error:
            reason = error
        except (TypeError, ValueError) as error:
            # kafka-python reads the topic's partitions twice, and while brokers are away they may go in between
            reason = LeaderNotAvailableError(str(error))
        for record, future in zip(records, sent, strict=False):
            try:
                future.get(timeout=max(0.0, until - self._clock()))
            except KafkaError as error:
                failed.append(record)
                reason = error
        return [*failed, *records[len(sent) :]], reason

    def _is_broken(self, error: Exception, began: float) -> bool:
        """Whether the producer of a call that began at a moment will not recover by itself."""
        from kafka.errors import MessageSizeTooLargeError, RetriableError

        if isinstance(error, MessageSizeTooLargeError):  # the client's own limit: nothing was sent
            return False
        if not isinstance(error, RetriableError):
            return True
        if self._silent_since is None:
            self._silent_since = began
        return self._clock() - self._silent_since >= _SILENT_SECONDS

    def _current(self, until: float) -> Any:
        """The producer; a new one if there is none.

        Raises:
            UnavailableError: the broker did not answer in time, or did not a moment ago.
        """
        from kafka.errors import KafkaError

        if not self._lock.acquire(timeout=max(0.0, until - self._clock())):
            raise UnavailableError("the event log does not answer: another call is connecting")
        try:
            if self._producer is None:
                if self._clock() < self._connect_again_at:
                    raise UnavailableError("the event log does not answer")
                try:
                    self._producer = self._connect(self._settings, self._seconds)
                except KafkaError as error:
                    raise UnavailableError(f"the event log does not answer: {error}") from error
                finally:
                    self._connect_again_at = self._clock() + _BETWEEN_CONNECTS_SECONDS
            return self._producer
        finally:
            self._lock.release()

    def _replace(self, producer: Any, error: Exception) -> None:
        """Close a broken producer, unless another thread has; the next message makes a new one."""
        with self._lock:
            if self._producer is not producer:
                return
            self._producer, self._silent_since = None, None
        RESTARTS.inc()
        log.error("producer is made again", error=repr(error))
        # in another thread: a broken producer may take seconds to close, and a request is waiting
        threading.Thread(target=_close, args=(producer,), name="close-producer", daemon=True).start()


def _headers(name: str, value: str | None) -> list[_Header]:
    return [] if value is None else [(name, value.encode())]


def _connect(settings: Settings, seconds: float) -> Any:
    from kafka import KafkaProducer

    from photofeed.kafka_network import ProducerNetClient

    milliseconds = int(seconds * 1000)
    return KafkaProducer(
        **connection_options(settings),
        kafka_client=ProducerNetClient,
        acks="all",
        enable_idempotence=False,
        max_in_flight_requests_per_connection=1,  # a batch that is sent again keeps its place
        linger_ms=_LINGER_MS,
        batch_size=_BATCH_BYTES,
        bootstrap_timeout_ms=milliseconds,
        max_block_ms=milliseconds,
        request_timeout_ms=_REQUEST_MS,
        delivery_timeout_ms=_DELIVERY_MS,
    )


def _close(producer: Any) -> None:
    """Close a producer. One that does not finish its messages in time is closed without them."""
    from kafka.errors import KafkaError

    for timeout in (_CLOSE_SECONDS, 0):
        try:
            producer.close(timeout=timeout)
        except KafkaError as error:
            log.warning("producer closes without all of its messages", error=str(error))
        else:
            return
