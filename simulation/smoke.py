"""`make smoke`: the demo's path, smaller, in a folder of its own, measured and checked, and everything stopped."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.random import Generator

from photofeed.events import Action
from simulation.api_client import ApiClient
from simulation.behaviour import event_id
from simulation.demo import JOURNAL_FILE, SEED, keenest_readers
from simulation.errors import BrokenPathError, SimulationError
from simulation.journal import Journal
from simulation.live import live_sessions
from simulation.notebooks import run_notebooks
from simulation.path import BY_MODEL, bring_to_life, wait_until_counted
from simulation.replies import Feed
from simulation.running import running_photofeed
from simulation.scale import SMOKE
from simulation.stages import Stages
from simulation.waiting import Patience
from simulation.world import READY

LEAST_EXPLORE, MOST_EXPLORE = 0.05, 0.15
LONGEST_RUN = 2  # posts of one author in a row
LIVE_READERS = 4
LIKES = 5
EXPLORE = "explore"


@dataclass(frozen=True, slots=True)
class SmokeResult:
    """What the path did, in numbers."""

    photos_uploaded: int
    photos_ready: int
    variants_per_photo: int
    events_sent: int
    events_in_features: int
    model_version: str
    feed_items: int
    feed_sources: dict[str, int]
    explore_share: float
    seconds: float
    longest_run: int
    scores_moved_by_likes: int
    notebooks: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """The result as the last line of the smoke test shows it."""
        return {
            "photosUploaded": self.photos_uploaded,
            "photosReady": self.photos_ready,
            "variantsPerPhoto": self.variants_per_photo,
            "eventsSent": self.events_sent,
            "eventsInFeatures": self.events_in_features,
            "modelVersion": self.model_version,
            "feedItems": self.feed_items,
            "feedSources": self.feed_sources,
            "exploreShare": round(self.explore_share, 4),
            "longestRunOfOneAuthor": self.longest_run,
            "scoresMovedByLikes": self.scores_moved_by_likes,
            "notebooks": self.notebooks,
            "seconds": round(self.seconds, 1),
        }

    def broken(self) -> list[str]:
        """What is wrong, a reason each; empty if the path is whole."""
        checks = {
            f"{self.photos_ready} of {self.photos_uploaded} photos are ready": self.photos_ready
            == self.photos_uploaded
            > 0,
            "a photo has no variants": self.variants_per_photo > 0,
            f"{self.events_sent} events were sent but {self.events_in_features} counted": self.events_sent
            == self.events_in_features
            > 0,
            "no model ranks the feed": self.model_version != "",
            "the feed is empty": self.feed_items > 0,
            f"{self.explore_share:.3f} of the feed is explore": LEAST_EXPLORE <= self.explore_share <= MOST_EXPLORE,
            f"{self.longest_run} posts of one author in a row": self.longest_run <= LONGEST_RUN,
            "likes moved no score": self.scores_moved_by_likes > 0,
        }
        return [reason for reason, holds in checks.items() if not holds]

    def check(self) -> None:
        """Make sure that the path is whole.

        Raises:
            BrokenPathError: it is not; the message has all reasons.
        """
        if reasons := self.broken():
            raise BrokenPathError("; ".join(reasons))


@contextmanager
def folder_kept_if_broken() -> Iterator[Path]:
    """A fresh folder, removed when the block ends, unless with a SimulationError: then the logs in it are wanted."""
    folder = Path(mkdtemp(prefix="photofeed-smoke-"))
    try:
        yield folder
    except SimulationError as error:
        raise BrokenPathError(f"{error} (state and logs kept in {folder})") from error
    except BaseException:
        rmtree(folder)
        raise
    rmtree(folder)


def run_smoke(state_dir: Path, stages: Stages, notebooks: Path | None = None) -> SmokeResult:
    """Go along the whole path in an empty folder and measure it; everything is stopped when this returns.

    The notebooks of a folder, if one is given, are run on what is there at the end of it.

    Raises:
        SimulationError: the path is broken at a stage.
    """
    began, patience, rng = time.monotonic(), Patience(), np.random.default_rng(SEED)
    with running_photofeed(state_dir, SMOKE, stages) as running:
        client = running.client
        journal = Journal(state_dir / JOURNAL_FILE, seed=SEED, scale=SMOKE, now=datetime.now(UTC))
        living = bring_to_life(running, journal, None, stages, patience)
        readers = keenest_readers(living.world, SMOKE.readers)

        with stages.stage("people look at their feeds", LIVE_READERS) as advance:
            sessions = live_sessions(client, living.world, readers[:LIVE_READERS], rng, advance)
        sent = journal.events_accepted + sum(session.events_accepted for session in sessions)

        one = living.world.people[readers[-1]]
        before = client.feed(one)
        sent += _like(client, one, before, rng)
        with stages.stage("live events counted", sent) as advance:
            wait_until_counted(client, sent, advance, patience)
        moved = _moved_scores(before, client.feed(one))

        with stages.stage("feeds measured", len(readers)) as advance:
            feeds = []
            for reader in readers:
                feeds.append(client.feed(living.world.people[reader]))
                advance(1)
        counted = client.workers_progress().events_in_features
        ran = run_notebooks(notebooks, running.environment, stages) if notebooks else ()
    photos = [] if living.seeded is None else list(living.seeded.photos.values())
    sources = Counter(item.source for feed in feeds for item in feed.items)
    return SmokeResult(
        photos_uploaded=len(photos),
        photos_ready=sum(photo.status == READY for photo in photos),
        variants_per_photo=min((photo.variants for photo in photos), default=0),
        events_sent=sent,
        events_in_features=counted,
        model_version=feeds[0].model_version if all(feed.ranking == BY_MODEL for feed in feeds) else "",
        feed_items=min(len(feed.items) for feed in feeds),
        feed_sources=dict(sorted(sources.items())),
        explore_share=sources[EXPLORE] / max(sources.total(), 1),
        longest_run=max(longest_run([item.author_id for item in feed.items]) for feed in feeds),
        scores_moved_by_likes=moved,
        notebooks=ran,
        seconds=time.monotonic() - began,
    )


def longest_run(authors: Sequence[str]) -> int:
    """How often the same author stands in a row at most."""
    return max((len(list(run)) for _, run in groupby(authors)), default=0)


def _like(client: ApiClient, user_id: str, feed: Feed, rng: Generator) -> int:
    """Like the first posts of a feed that are not liked yet; returns how many likes were accepted."""
    now = datetime.now(UTC)
    posts = [item.post_id for item in feed.items if not item.liked][:LIKES]
    like = {"type": Action.LIKE.value, "occurredAt": now.isoformat(), "actorId": user_id, "slateId": feed.slate_id}
    reply = client.send_events([{"id": event_id(now, rng), "postId": post, **like} for post in posts])
    return reply.accepted


def _moved_scores(before: Feed, after: Feed) -> int:
    """Of the posts liked in between, those with another score now."""
    scores = {item.post_id: item.score for item in before.items if not item.liked}
    return sum(item.liked and item.post_id in scores and item.score != scores[item.post_id] for item in after.items)
