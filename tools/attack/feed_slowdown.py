"""How much slower somebody's feed is while another account holds as many status streams open as it gets."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

STREAMS, FEEDS, ROUNDS = 100, 20, 3
_TIMEOUT_SECONDS = 30.0


async def feed_slowdown(api: str, viewer_token: str, attacker_token: str) -> float:
    """The median time of a feed with STREAMS status streams of one account, divided by that without them.

    Feeds with and without streams take turns, so that other load of the machine falls on both.

    Args:
        api: the address of the server.
        viewer_token: of the person who reads feeds.
        attacker_token: of the account that opens streams.

    Raises:
        httpx.HTTPError: a feed could not be read.
    """
    with_streams, without = list[float](), list[float]()
    async with _client(api, viewer_token) as viewer, _client(api, attacker_token) as attacker:
        begun = (await attacker.post("/v1/photos/initiate")).raise_for_status()
        photo = begun.json()["photoId"]
        await _feeds(viewer)  # the first ones open connections and fill caches
        for _ in range(ROUNDS):
            without += await _feeds(viewer)
            async with _streams(attacker, f"/v1/photos/{photo}/status"):
                with_streams += await _feeds(viewer)
    return statistics.median(with_streams) / statistics.median(without)


def _client(api: str, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=api,
        headers={"Authorization": f"Bearer {token}"},
        timeout=_TIMEOUT_SECONDS,
        limits=httpx.Limits(max_connections=None),
    )


async def _feeds(viewer: httpx.AsyncClient) -> list[float]:
    """Seconds of each of some feeds, one after the other."""
    seconds = []
    for _ in range(FEEDS):
        began = time.perf_counter()
        (await viewer.get("/v1/feed")).raise_for_status()
        seconds.append(time.perf_counter() - began)
    return seconds


@asynccontextmanager
async def _streams(attacker: httpx.AsyncClient, path: str) -> AsyncIterator[None]:
    """As many open streams as the account gets of STREAMS; those that are refused are not asked for again."""
    answered = [asyncio.Event() for _ in range(STREAMS)]
    tasks = [asyncio.create_task(_hold(attacker, path, one)) for one in answered]
    try:
        await asyncio.gather(*(one.wait() for one in answered))
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _hold(attacker: httpx.AsyncClient, path: str, answered: asyncio.Event) -> None:
    try:
        async with attacker.stream("GET", path) as reply:
            answered.set()
            async for _ in reply.aiter_bytes():
                pass
    finally:
        answered.set()
