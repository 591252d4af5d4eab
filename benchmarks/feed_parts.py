"""Where the processor time of a feed goes. Prints a table, then one line of JSON.

The services of the API run in this process, without HTTP, on the world of feed.py. First pages are requested in bursts,
as on a busy server. In turns with them, each part is repeated alone, on what it gets in a feed. Times are of the thread
that serves, per feed, and a low quantile: other work on the machine only adds to them.

    feedMs    a first page, without HTTP
    ...Ms     a part of it
    otherMs   the rest: tasks and metrics, what stands between the parts, and caches of the processor, which a part
              finds cold after the others and warm when it is repeated
    floorMs   what every feed needs: its timeline, the viewer, scores, the posts of a page and their JSON
"""
# ruff: noqa: SLF001  parts of a feed are private

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import uvloop
from feed import STATE, Bench, open_bench, pin_to_other_cores
from feed_model import registry
from rich.console import Console
from rich.table import Table

from photofeed.models.registry import CHAMPION
from serving import bootstrap
from serving.api.feed import FIRST_PAGE_LENGTH, page_reply
from serving.app import requests_first
from serving.feed.candidates import no_ids
from serving.feed.explanation import Explanation
from serving.feed.paging import Progress
from serving.feed.query import FeedRequest, find_viewer
from serving.feed.served_log import _PendingPage
from serving.feed.slate import Surface
from serving.services import Services

BURST = 8
QUANTILE = 0.2
WARM = 4  # feeds of each viewer before the first measurement: the rows that are read most are then kept

Part = Callable[[int], Awaitable[object]]


def plain(work: Callable[[int], object]) -> Part:
    """A part that waits for nothing."""

    async def run(viewer: int) -> None:
        work(viewer)

    return run


async def costs_of(parts: dict[str, Part], viewers: list[int], bursts: int) -> dict[str, float]:
    """Milliseconds of this thread for each part and one viewer, in turns."""
    spent = np.empty((bursts, len(parts)))
    for burst in range(bursts):
        chosen = [viewers[(burst * BURST + number) % len(viewers)] for number in range(BURST)]
        for column, part in enumerate(parts.values()):
            began = time.thread_time()
            await asyncio.gather(*map(part, chosen))
            spent[burst, column] = (time.thread_time() - began) / BURST * 1e3
    return dict(zip(parts, np.quantile(spent, QUANTILE, axis=0).tolist(), strict=True))


async def parts_of(services: Services, viewers: list[int]) -> tuple[dict[str, Part], dict[str, Part]]:
    """The parts of a first page that follow each other, and those of them that every feed needs."""
    feed, now = services.feed, datetime.now(UTC)
    ranker, reads = feed.ranker, feed.reads
    inputs = ranker.fallback_chain.inputs(CHAMPION)
    found = {v: await feed._find_candidates(feed._request(v), Surface.FEED, no_ids()) for v in viewers}
    short = {v: await feed._filter(found[v].query, found[v], Explanation()) for v in viewers}
    slates = {v: await feed._rank(found[v], Surface.FEED, Explanation(), CHAMPION) for v in viewers}
    pages = {v: await feed._page(slates[v], Progress(), FIRST_PAGE_LENGTH) for v in viewers}
    features = {v: await ranker.features.read(found[v].query, short[v].candidates, inputs) for v in viewers}
    scored = {v: ranker.fallback_chain.score(short[v].candidates, features[v], CHAMPION) for v in viewers}
    matrices = {v: features[v].matrix(inputs[0]) for v in viewers}
    model = next(one.model for one in scored.values() if one.model is not None)

    def compute(viewer: int) -> None:
        features[viewer]._matrices.clear()
        features[viewer].matrix(inputs[0])

    def rerank(viewer: int) -> None:
        ranker._rerank(found[viewer].query, short[viewer], scored[viewer].scores, FIRST_PAGE_LENGTH, Explanation())

    def logged(viewer: int) -> object:
        shown = list(enumerate(range(FIRST_PAGE_LENGTH)))
        return feed.served_log._encoded(_PendingPage(slates[viewer], 0, shown, now))

    async def posts(viewer: int) -> object:
        return await services.posts.for_feed(viewer, pages[viewer].post_ids)

    following = feed.sources[0]

    async def timeline(viewer: int) -> object:
        known: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        known.set_result(found[viewer].query.viewer)
        return await following.fetch(FeedRequest(viewer, now, known), feed._graph_limit)

    in_order: dict[str, Part] = {
        "candidates": lambda v: feed._find_candidates(feed._request(v), Surface.FEED, no_ids()),
        "filters": lambda v: feed._filter(found[v].query, found[v], Explanation()),
        "featureReads": lambda v: ranker.features.read(found[v].query, short[v].candidates, inputs),
        "featureProgram": plain(compute),
        "scores": plain(lambda v: model.scorer.score(matrices[v].values)),
        "rerank": plain(rerank),
        "page": lambda v: feed._page(slates[v], Progress(), FIRST_PAGE_LENGTH),
        "slate": lambda v: feed._keep_slate(slates[v], found[v]),
        "servedLog": plain(logged),
        "json": plain(lambda v: page_reply(pages[v])),
    }
    needed: dict[str, Part] = {
        "timeline": timeline,
        "viewer": lambda v: find_viewer(reads, v),
        "scores": in_order["scores"],
        "posts": posts,
        "json": in_order["json"],
    }
    return in_order, needed


async def measure(bench: Bench, registry_url: str, viewers: int, bursts: int) -> tuple[dict[str, float], float]:
    """Milliseconds of a feed and of its parts, and of the parts that every feed needs."""
    settings = bench.settings.model_copy(update={"mlflow_tracking_uri": registry_url})
    chosen = bench.viewer_ids[:viewers]
    async with bootstrap.services(settings) as services:
        feed = services.feed
        for _ in range(100):
            if (await feed.first_page(chosen[0], FIRST_PAGE_LENGTH)).slate.ranking == "model":
                break
            await asyncio.sleep(0.1)
        else:
            raise SystemExit("the feed is not ranked by the model")
        for viewer in chosen * WARM:
            await feed.first_page(viewer, FIRST_PAGE_LENGTH)

        async def whole(viewer: int) -> object:
            return page_reply(await feed.first_page(viewer, FIRST_PAGE_LENGTH))

        in_order, needed = await parts_of(services, chosen)
        with requests_first():  # as the server does
            costs = await costs_of({"feed": whole} | in_order, chosen, bursts)
            floor = sum((await costs_of(needed, chosen, bursts)).values())
    costs["other"] = 2 * costs["feed"] - sum(costs.values())
    return costs, floor


def main(
    people: Annotated[int, typer.Option(min=1_000, help="Users in the world.")] = 100_000,
    posts: Annotated[int, typer.Option(min=5_000, help="Posts of the last 30 days.")] = 500_000,
    state: Annotated[Path, typer.Option(help="Folder that keeps the worlds.")] = STATE,
    viewers: Annotated[int, typer.Option(min=BURST, help="Users whose feeds are requested.")] = 150,
    bursts: Annotated[int, typer.Option(min=10, help=f"Measurements of each part, of {BURST} at once.")] = 120,
) -> None:
    """Measure the parts of a feed in this process."""
    pin_to_other_cores()
    with open_bench(state.absolute(), people, posts) as bench, registry(bench.folder) as registry_url:
        costs, floor = uvloop.run(measure(bench, registry_url, viewers, bursts))
    table = Table("part", "ms of the processor", "share")
    for name, milliseconds in costs.items():
        table.add_row(name, f"{milliseconds:.2f}", f"{milliseconds / costs['feed']:.0%}")
    table.add_row("what every feed needs", f"{floor:.2f}", f"{floor / costs['feed']:.0%}")
    Console().print(table)
    print(json.dumps({f"{name}Ms": round(value, 3) for name, value in (costs | {"floor": floor}).items()}))


if __name__ == "__main__":
    typer.run(main)
