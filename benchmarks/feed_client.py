"""A small HTTP/1.1 client that asks for feeds: one connection a lane, latencies as a client sees them."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from photofeed.settings import Settings
from photofeed.tokens import mint_token

Times = NDArray[np.float64]


class FailedRequestError(Exception):
    """A reply that is not a feed."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests for the feeds of many people, ready as bytes."""

    base_url: str
    heads: Sequence[bytes]

    @staticmethod
    def of(settings: Settings, base_url: str, user_ids: Sequence[int], path: str = "/v1/feed") -> "Requests":
        """One request a person, each with their own token."""
        host = urlsplit(base_url).netloc
        heads = [
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {mint_token(settings, user_id)}\r\n\r\n"
            for user_id in user_ids
        ]
        return Requests(base_url, [head.encode() for head in heads])


class Lane:
    """One kept connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def get(self, request: bytes) -> bytes:
        """The body of one reply.

        Raises:
            FailedRequestError: the status is not 200.
        """
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        fields = head.lower().split(b"\r\n")
        length = next(int(field.split(b":")[1]) for field in fields if field.startswith(b"content-length:"))
        body = await self._reader.readexactly(length)
        if b" 200 " not in fields[0] + b" ":
            raise FailedRequestError(f"{fields[0].decode()}: {body[:300].decode()}")
        return body


@asynccontextmanager
async def lanes(base_url: str, count: int) -> AsyncIterator[list[Lane]]:
    """Open connections."""
    address = urlsplit(base_url)
    opened = [await asyncio.open_connection(address.hostname, address.port, limit=2**22) for _ in range(count)]
    try:
        yield [Lane(reader, writer) for reader, writer in opened]
    finally:
        for _, writer in opened:
            writer.close()
            await writer.wait_closed()


async def one(requests: Requests) -> bytes:
    """The body of a single reply."""
    async with lanes(requests.base_url, 1) as opened:
        return await opened[0].get(requests.heads[0])


async def in_turns(several: Sequence[Requests], turns: int) -> Times:
    """Milliseconds of requests sent one at a time, each kind in its turn: (turns, kinds)."""
    times = np.empty((turns, len(several)))
    async with AsyncExitStack() as owned:
        opened = [(await owned.enter_async_context(lanes(requests.base_url, 1)))[0] for requests in several]
        for turn in range(turns):
            for kind, (requests, lane) in enumerate(zip(several, opened, strict=True)):
                started = time.perf_counter()
                await lane.get(requests.heads[turn % len(requests.heads)])
                times[turn, kind] = (time.perf_counter() - started) * 1e3
    return times


async def saturate(requests: Requests, seconds: float, lanes_open: int) -> tuple[int, float]:
    """How many requests were answered in how many seconds, every lane asking again at once."""
    answered = 0

    async def ask(lane: Lane, offset: int) -> None:
        nonlocal answered
        turn = offset
        while time.perf_counter() < until:
            await lane.get(requests.heads[turn % len(requests.heads)])
            answered += 1
            turn += lanes_open

    async with lanes(requests.base_url, lanes_open) as opened:
        started = time.perf_counter()
        until = started + seconds
        await asyncio.gather(*(ask(lane, offset) for offset, lane in enumerate(opened)))
        return answered, time.perf_counter() - started


async def at_rate(requests: Requests, rate: float, seconds: float, lanes_open: int) -> tuple[Times, Times]:
    """Requests that arrive at random, `rate` a second on average.

    Returns:
        Milliseconds of each, waiting for a lane included; and how many of them it waited for this client to wake up,
        which is long where the machine stood still.
    """
    random = np.random.default_rng(11)
    arrivals = np.cumsum(random.exponential(1 / rate, int(rate * seconds)))
    times, late = np.empty(len(arrivals)), np.empty(len(arrivals))
    free: asyncio.Queue[Lane] = asyncio.Queue()

    async def ask(turn: int, due: float) -> None:
        lane = await free.get()
        await lane.get(requests.heads[turn % len(requests.heads)])
        times[turn] = (time.perf_counter() - due) * 1e3
        free.put_nowait(lane)

    async with lanes(requests.base_url, lanes_open) as opened, asyncio.TaskGroup() as tasks:
        for lane in opened:
            free.put_nowait(lane)
        started = time.perf_counter()
        for turn, arrival in enumerate(arrivals.tolist()):
            await asyncio.sleep(max(0.0, started + arrival - time.perf_counter()))
            late[turn] = (time.perf_counter() - started - arrival) * 1e3
            tasks.create_task(ask(turn, started + arrival))
    return times, late
