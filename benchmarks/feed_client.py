"""A small HTTP/1.1 client that requests feeds over persistent connections and measures latencies."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
import orjson
from numpy.typing import NDArray

from photofeed.ids import encode_id
from photofeed.settings import Settings
from photofeed.tokens import SERVICE, mint_token

Times = NDArray[np.float64]


class FailedRequestError(Exception):
    """The status of a reply is not 200."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Encoded requests for the feeds of many users."""

    base_url: str
    heads: Sequence[bytes]

    @staticmethod
    def of(settings: Settings, base_url: str, user_ids: Sequence[int], headers: str = "") -> "Requests":
        """One request per user, with the user's own token, and further lines of headers."""
        host = urlsplit(base_url).netloc
        tokens = [mint_token(settings, user_id) for user_id in user_ids]
        heads = [
            f"GET /v1/feed HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{headers}\r\n"
            for token in tokens
        ]
        return Requests(base_url, [head.encode() for head in heads])

    @staticmethod
    def to_rank(settings: Settings, base_url: str, user_ids: Sequence[int], posts: Sequence[int]) -> "Requests":
        """One request of a service per user, to rank these posts."""
        host, token = urlsplit(base_url).netloc, mint_token(settings, 1, frozenset({SERVICE}))
        candidates = [{"id": encode_id(post)} for post in posts]
        bodies = [
            orjson.dumps({"person": {"id": encode_id(user_id)}, "candidates": candidates, "ranker": "champion"})
            for user_id in user_ids
        ]
        heads = [
            f"POST /v1/rank HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            for body in bodies
        ]
        return Requests(base_url, [head.encode() + body for head, body in zip(heads, bodies, strict=True)])


class Lane:
    """One persistent connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def get(self, request: bytes) -> bytes:
        """Send a request and return the body of the reply.

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
    """Open `count` connections."""
    address = urlsplit(base_url)
    opened = [await asyncio.open_connection(address.hostname, address.port, limit=2**22) for _ in range(count)]
    try:
        yield [Lane(reader, writer) for reader, writer in opened]
    finally:
        for _, writer in opened:
            writer.close()
            await writer.wait_closed()


async def one(requests: Requests) -> bytes:
    """Send the first request and return the body of the reply."""
    async with lanes(requests.base_url, 1) as opened:
        return await opened[0].get(requests.heads[0])


async def in_turns(several: Sequence[Requests], turns: int) -> Times:
    """Milliseconds of requests sent one at a time, in turns to each of `several`: (turns, len(several))."""
    times = np.empty((turns, len(several)))
    async with AsyncExitStack() as owned:
        opened = [(await owned.enter_async_context(lanes(requests.base_url, 1)))[0] for requests in several]
        for turn in range(turns):
            for column, (requests, lane) in enumerate(zip(several, opened, strict=True)):
                started = time.perf_counter()
                await lane.get(requests.heads[turn % len(requests.heads)])
                times[turn, column] = (time.perf_counter() - started) * 1e3
    return times


async def saturate(requests: Requests, seconds: float, lanes_open: int) -> tuple[int, float]:
    """Send requests on every connection without pauses. Returns the number of replies and the seconds taken."""
    replies = 0

    async def send(lane: Lane, offset: int) -> None:
        nonlocal replies
        turn = offset
        while time.perf_counter() < until:
            await lane.get(requests.heads[turn % len(requests.heads)])
            replies += 1
            turn += lanes_open

    async with lanes(requests.base_url, lanes_open) as opened:
        started = time.perf_counter()
        until = started + seconds
        await asyncio.gather(*(send(lane, offset) for offset, lane in enumerate(opened)))
        return replies, time.perf_counter() - started


async def at_rate(requests: Requests, rate: float, seconds: float, lanes_open: int) -> tuple[Times, Times]:
    """Send requests at random times (a Poisson process) with an average of `rate` per second.

    Returns:
        Milliseconds of each request from its due time, including the wait for a free connection; and the milliseconds
        by which this client was late to send it, which are long if the machine stalled.
    """
    random = np.random.default_rng(11)
    arrivals = np.cumsum(random.exponential(1 / rate, int(rate * seconds)))
    times, late = np.empty(len(arrivals)), np.empty(len(arrivals))
    free: asyncio.Queue[Lane] = asyncio.Queue()

    async def send(turn: int, due: float) -> None:
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
            tasks.create_task(send(turn, started + arrival))
    return times, late
