"""Signals between API processes that somebody has new notifications, through Redis.

A signal names a person and nothing else: streams read what is new from PostgreSQL. So a lost signal delays a
notification until the stream looks by itself, and a stream that is slow holds one flag, never a queue.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from redis.exceptions import RedisError

from photofeed.redis_client import publish, subscription
from serving.stop_signal import StopSignal

log = structlog.get_logger(__name__)

MOST_STREAMS = 10  # of one person on one server; a further one ends the oldest
_CHANNEL = "notifications"
_AGAIN_SECONDS = 1.0
_POLL_SECONDS = 5.0


class Watch:
    """One stream that waits for a person's signals."""

    def __init__(self, *, is_ended: bool) -> None:
        self._signal = asyncio.Event()
        self.is_ended = is_ended

    def end(self) -> None:
        """End the stream: there are too many, or the server stops."""
        self.is_ended = True
        self.wake()

    def wake(self) -> None:
        """Let the stream look for news."""
        self._signal.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for a signal, at most this long; returns whether there was one."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._signal.wait(), seconds)
        woken = self._signal.is_set()
        self._signal.clear()
        return woken


class NotificationSignals:
    """Publishes signals, and passes those of all processes to the streams of this one."""

    def __init__(self, redis: Any, stop: StopSignal) -> None:
        self._redis, self._stop = redis, stop
        stop.call(self._end_streams)
        self._watches: dict[int, list[Watch]] = defaultdict(list)
        self._listener: asyncio.Task[None] | None = None

    async def publish(self, people: Iterable[int]) -> None:
        """Signal that these people have new notifications. Without Redis their streams notice later."""
        named = ",".join(map(str, sorted(set(people))))
        if not named:
            return
        try:
            await publish(self._redis, _CHANNEL, named)
        except RedisError as error:
            log.warning("notifications not signalled", error=str(error))

    @asynccontextmanager
    async def watching(self, person: int) -> AsyncIterator[Watch]:
        """A watch of one person's signals while the context is open."""
        self._stop.listen()
        watch = Watch(is_ended=self._stop.is_set())
        watches = self._watches[person]
        watches.append(watch)
        for oldest in watches[:-MOST_STREAMS]:
            oldest.end()
        try:
            yield watch
        finally:
            watches.remove(watch)
            if not watches:
                self._watches.pop(person, None)

    def start(self) -> None:
        """Listen from now on."""
        self._listener = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener

    async def _listen(self) -> None:
        while True:
            try:
                async with subscription(self._redis, _CHANNEL) as messages:
                    while True:
                        message = await messages.get_message(timeout=_POLL_SECONDS)
                        if message is not None:
                            self._pass_on(message["data"])
            except (RedisError, OSError) as error:
                log.warning("signals of notifications interrupted", error=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)

    def _end_streams(self) -> None:
        for watches in self._watches.values():
            for watch in watches:
                watch.end()

    def _pass_on(self, named: bytes) -> None:
        for person in map(int, named.split(b",")):
            for watch in self._watches.get(person, ()):
                watch.wake()
