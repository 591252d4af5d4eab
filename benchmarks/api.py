"""Measures every operation of the API, while people do with it what `api_mix.py` says.

The API, its workers and the embedded servers run on this machine, and so does this client: its own time is part of each
figure, about a millisecond. Rate limits are off. A small world (a few people and posts) makes the figures those of an
idle database; `make bench-feed` measures feeds in a large one.

A table of all operations, then a line of JSON. `answered` is the share of replies below 400: the mix repeats what can
be done only once, such as a decision, and the figure is then that of the refusal. A reply of 500 or more ends the
benchmark.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
from api_mix import OTHERS, SHARES, Call, Mix

from tools.contract.world import World, running_world

WORKERS = 4  # requests at a time
EACH = 20  # least requests of an operation
WARM_UP = 2  # requests of an operation that are not measured


class Recorder:
    """The times and statuses of requests, by operation."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.answered: dict[str, int] = defaultdict(int)

    async def send(self, http: httpx.AsyncClient, operation: str, call: Call) -> None:
        """Send one request. A stream counts until its first bytes.

        Raises:
            SystemExit: the server failed.
        """
        headers = {"Authorization": f"Bearer {call.token}", **call.headers}
        began = time.perf_counter()
        async with http.stream(call.method, call.path, params=call.params, json=call.json, headers=headers) as reply:
            body = b""
            async for chunk in reply.aiter_bytes():
                body += chunk
                if "event-stream" in reply.headers.get("Content-Type", ""):
                    break
            self.seconds[operation].append(time.perf_counter() - began)
        if reply.is_server_error and operation != "getReadiness":
            raise SystemExit(f"{operation}: {reply.status_code} {body[:300].decode()}")
        if reply.status_code < httpx.codes.BAD_REQUEST:
            self.answered[operation] += 1
            if call.keep is not None:
                call.keep(orjson.loads(body))


def sequence(operations: Sequence[str], requests: int, seed: int) -> list[str]:
    """The operations of a run: EACH of every one, and the others by their shares, in random order."""
    rng = np.random.default_rng(seed)
    shares = np.array([SHARES.get(operation, OTHERS) for operation in operations], float)
    drawn = rng.choice(operations, max(0, requests - EACH * len(operations)), p=shares / shares.sum())
    chosen: list[str] = [*operations] * EACH + drawn.tolist()
    rng.shuffle(chosen)
    return chosen


async def measure(mix: Mix, url: str, chosen: Sequence[str]) -> tuple[Recorder, float]:
    """Send all requests, WORKERS at a time; the recorder, and the seconds that it took."""
    recorder, waiting = Recorder(), iter(chosen)
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        warming = Recorder()
        for operation in mix.operations * WARM_UP:
            await warming.send(http, operation, mix.call(operation))

        async def work() -> None:
            for operation in waiting:
                await recorder.send(http, operation, mix.call(operation))

        began = time.perf_counter()
        async with asyncio.TaskGroup() as workers:
            for _ in range(WORKERS):
                workers.create_task(work())
        return recorder, time.perf_counter() - began


def new_person(world: World) -> tuple[str, str]:
    """The id and handle of a new account."""
    handle = f"b{os.urandom(6).hex()}"
    headers = {"Authorization": f"Bearer {world.service_token}"}
    body = {"handle": handle, "displayName": "Bench"}
    reply = httpx.post(f"{world.url}/v1/users", headers=headers, json=body, timeout=30).raise_for_status()
    return str(reply.json()["id"]), handle


def report(recorder: Recorder, seconds: float) -> dict[str, Any]:
    """Print the table; the figures."""
    figures = {}
    print(f"{'operation':<28}{'calls':>7}{'answered':>10}{'p50 ms':>9}{'p99 ms':>9}")
    for operation, times in sorted(recorder.seconds.items(), key=lambda one: -len(one[1])):
        p50, p99 = (round(float(value) * 1e3, 2) for value in np.percentile(times, [50, 99]))
        answered = recorder.answered[operation] / len(times)
        print(f"{operation:<28}{len(times):>7}{answered:>10.0%}{p50:>9.2f}{p99:>9.2f}")
        figures[operation] = {"calls": len(times), "answered": round(answered, 3), "p50Ms": p50, "p99Ms": p99}
    requests = sum(map(len, recorder.seconds.values()))
    return {"requests": requests, "perSecond": round(requests / seconds, 1), "operations": figures}


def main() -> None:
    """Start a world, run the mix, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="of the whole run")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["PHOTOFEED_RATE_LIMITS"] = "false"
    with tempfile.TemporaryDirectory() as name, running_world(Path(name)) as world:
        document = httpx.get(f"{world.url}/openapi.json", timeout=30).raise_for_status().json()
        target, handle = new_person(world)
        mix = Mix(world, document, target, handle, lambda: new_person(world))
        chosen = sequence(mix.operations, arguments.requests, arguments.seed)
        recorder, seconds = asyncio.run(measure(mix, world.url, chosen))
    print(orjson.dumps(report(recorder, seconds)).decode())


if __name__ == "__main__":
    main()
