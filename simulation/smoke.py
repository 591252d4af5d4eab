"""`make smoke`: a small demo in a temporary folder, measured, checked, and stopped."""

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
from simulation.behaviour import EXPLORE, event_id
from simulation.demo import JOURNAL_FILE, SEED, most_active_readers
from simulation.errors import BrokenPathError, SimulationError
from simulation.journal import Journal
from simulation.live import live_sessions
from simulation.notebooks import run_notebooks
from simulation.painting import Paintings
from simulation.path import build_ranked_world, wait_until_counted
from simulation.replies import RANKED_BY_MODEL, READY, Feed
from simulation.running import THIS_ENVIRONMENT, Programs, running_photofeed
from simulation.scale import SMOKE
from simulation.stages import Stages
from simulation.tutorials import run_tutorials
from simulation.waiting import Polling

LEAST_EXPLORE, MOST_EXPLORE = 0.05, 0.15
LONGEST_RUN = 2  # consecutive posts of one author
LIVE_READERS = 4
LIKES = 5


@dataclass(frozen=True, slots=True)
class SmokeResult:
    """The figures of one smoke test."""

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
    tutorials: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """The result as printed in the last line of the smoke test."""
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
            "tutorials": self.tutorials,
            "seconds": round(self.seconds, 1),
        }

    def broken(self) -> list[str]:
        """The reasons of all failed checks; empty if none failed."""
        checks = {
            f"{self.photos_ready} of {self.photos_uploaded} photos are ready": self.photos_ready
            == self.photos_uploaded
            > 0,
            "a photo has no variants": self.variants_per_photo > 0,
            f"{self.events_sent} events were sent, {self.events_in_features} were counted": self.events_sent
            == self.events_in_features
            > 0,
            "no model ranks the feed": self.model_version != "",
            "the feed is empty": self.feed_items > 0,
            f"{self.explore_share:.3f} of the feed is explore": LEAST_EXPLORE <= self.explore_share <= MOST_EXPLORE,
            f"{self.longest_run} consecutive posts of one author": self.longest_run <= LONGEST_RUN,
            "likes changed no score": self.scores_moved_by_likes > 0,
        }
        return [reason for reason, holds in checks.items() if not holds]

    def check(self) -> None:
        """Raise if a check failed.

        Raises:
            BrokenPathError: at least one check failed; the message lists all reasons.
        """
        if reasons := self.broken():
            raise BrokenPathError("; ".join(reasons))


@contextmanager
def folder_kept_if_broken() -> Iterator[Path]:
    """A temporary folder, removed when the block ends. It is kept after a SimulationError, for its logs."""
    folder = Path(mkdtemp(prefix="photofeed-smoke-"))
    try:
        yield folder
    except SimulationError as error:
        raise BrokenPathError(f"{error} (state and logs kept in {folder})") from error
    except BaseException:
        rmtree(folder)
        raise
    rmtree(folder)


def run_smoke(
    state_dir: Path,
    stages: Stages,
    notebooks: Path | None = None,
    programs: Programs = THIS_ENVIRONMENT,
    tutorials: Path | None = None,
    *,
    keep_outputs: bool = False,
) -> SmokeResult:
    """Run and measure a small demo in an empty folder. Everything is stopped when this returns.

    Args:
        state_dir: the empty folder.
        stages: shows progress.
        notebooks: folder of notebooks to run at the end.
        programs: run the API and the workers, if not from this environment.
        tutorials: folder of tutorials whose code runs at the end.
        keep_outputs: store the outputs of the notebooks in them.

    Raises:
        SimulationError: a stage did not complete.
    """
    began, polling, rng = time.monotonic(), Polling(), np.random.default_rng(SEED)
    with running_photofeed(state_dir, SMOKE, stages, programs) as running:
        client = running.client
        journal = Journal(state_dir / JOURNAL_FILE, seed=SEED, scale=SMOKE, now=datetime.now(UTC))
        pictures = Paintings(SEED, SMOKE.photos).missing
        ranked = build_ranked_world(running, journal, pictures, stages, polling)
        readers = most_active_readers(ranked.world, SMOKE.readers)

        with stages.stage("simulate feed sessions", LIVE_READERS) as advance:
            sessions = live_sessions(client, ranked.world, readers[:LIVE_READERS], rng, advance)
        sent = journal.events_accepted + sum(session.events_accepted for session in sessions)

        one = ranked.world.people[readers[-1]]
        before = client.feed(one)
        sent += like_posts(client, one, before, rng)
        with stages.stage("count live events", sent) as advance:
            wait_until_counted(running, sent, advance, polling)
        moved = moved_scores(before, client.feed(one))

        with stages.stage("measure feeds", len(readers)) as advance:
            feeds = []
            for reader in readers:
                feeds.append(client.feed(ranked.world.people[reader]))
                advance(1)
        counted = running.counted_events()
        names: Sequence[str] = ()
        if notebooks:
            names = run_notebooks(notebooks, running.environment, stages, keep_outputs=keep_outputs)
        taught = run_tutorials(tutorials, running.environment, stages) if tutorials else ()
    photos = [] if ranked.seeding is None else list(ranked.seeding.photos.values())
    sources = Counter(item.source for feed in feeds for item in feed.items)
    return SmokeResult(
        photos_uploaded=len(photos),
        photos_ready=sum(photo.status == READY for photo in photos),
        variants_per_photo=min((photo.variants for photo in photos), default=0),
        events_sent=sent,
        events_in_features=counted,
        model_version=feeds[0].model_version if all(feed.ranking == RANKED_BY_MODEL for feed in feeds) else "",
        feed_items=min(len(feed.items) for feed in feeds),
        feed_sources=dict(sorted(sources.items())),
        explore_share=sources[EXPLORE] / max(sources.total(), 1),
        longest_run=max(longest_run([item.author_id for item in feed.items]) for feed in feeds),
        scores_moved_by_likes=moved,
        notebooks=names,
        tutorials=taught,
        seconds=time.monotonic() - began,
    )


def longest_run(authors: Sequence[str]) -> int:
    """The largest number of consecutive posts by one author."""
    return max((len(list(run)) for _, run in groupby(authors)), default=0)


def like_posts(client: ApiClient, user_id: str, feed: Feed, rng: Generator) -> int:
    """Like the first LIKES unliked posts of a feed, and return the number of accepted likes."""
    now = datetime.now(UTC)
    items = [item for item in feed.items if not item.liked][:LIKES]
    like = {"type": Action.LIKE.value, "occurredAt": now.isoformat(), "actorId": user_id}
    reply = client.send_events(
        [{"id": event_id(now, rng), "postId": item.post_id, "receipt": item.receipt, **like} for item in items]
    )
    return reply.accepted


def moved_scores(before: Feed, after: Feed) -> int:
    """The number of posts liked between the two feeds whose score changed."""
    scores = {item.post_id: item.score for item in before.items if not item.liked}
    return sum(item.liked and item.post_id in scores and item.score != scores[item.post_id] for item in after.items)
