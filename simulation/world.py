"""Seeds a world through the public API only: people, follows, photos and a history of sessions.

people → follows → first photos (initiate, PUT, complete) → processed: a first feed → other photos → history → seeded
"""

from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import islice
from typing import TypeAlias

import numpy as np

from photofeed.events import MAX_EVENTS
from simulation.api_client import ApiClient
from simulation.behaviour import ClientEvent, PostView
from simulation.errors import ApiError, BrokenPathError
from simulation.follows import FOLLOWING_DAYS, draw_follows, follow_events
from simulation.history import History
from simulation.journal import Journal
from simulation.people import Person, Population, populate
from simulation.perception import Perception
from simulation.pictures.catalogue import Picture, topics
from simulation.replies import READY, Photo
from simulation.stages import Advance, Stages
from simulation.uploads import Uploader
from simulation.waiting import Polling

SEEDED = "seeded"
MEMBER_DAYS = 200.0  # longest time between sign-up and first follow

# Yields (number, picture) without the numbers given. It is closed when no more pictures are needed.
Pictures: TypeAlias = Callable[[Collection[int]], Generator[tuple[int, Picture], None, None]]

FirstFeed: TypeAlias = Callable[["World"], None]


@dataclass(frozen=True, slots=True)
class World:
    """A population, and the user ids that the API assigned, by index of the person."""

    population: Population
    people: dict[int, str]
    perception: Perception

    @staticmethod
    def of(journal: Journal) -> "World":
        """The world that a journal records."""
        population = populate(journal.seed, journal.scale.readers, journal.scale.creators, topics())
        return World(population, journal.people, Perception(population, journal.people))


@dataclass(frozen=True, slots=True)
class SeedingResult:
    """The result of seeding. `photos` is by number of the picture; `failures` names each photo that is not ready."""

    world: World
    photos: dict[int, Photo]
    events_accepted: int
    failures: tuple[str, ...]


def seed_world(
    client: ApiClient,
    journal: Journal,
    pictures: Pictures,
    stages: Stages,
    polling: Polling | None = None,
    *,
    first_feed: FirstFeed | None = None,
) -> SeedingResult:
    """Seed the journal's world, or the part that is missing. `first_feed` is called when the first photos can be seen.

    Raises:
        ApiError, UnreachableError: a call failed. Calling this again resumes.
        BrokenPathError: photo processing stalled, no photo became ready, or events were refused.
    """
    return _Seeder(client, journal, stages).run(pictures, polling or Polling(), first_feed)


class _Seeder:
    def __init__(self, client: ApiClient, journal: Journal, stages: Stages) -> None:
        self._client = client
        self._journal = journal
        self._stages = stages

    def run(self, pictures: Pictures, polling: Polling, first_feed: FirstFeed | None) -> SeedingResult:
        journal, scale = self._journal, self._journal.scale
        population = populate(journal.seed, scale.readers, scale.creators, topics())
        with self._stages.stage("create users", len(population.people)) as advance:
            self._make_people(population, advance)

        world = World.of(journal)
        follows = draw_follows(population, scale.followed_share, journal.seed)
        start = journal.anchor - scale.span
        with self._stages.stage("send follows", len(follows)) as advance:
            events = list(follow_events(follows, journal.people, start, journal.seed))
            self._send(events, journal.follows, journal.add_follows, advance)

        uploader = Uploader(self._client, population, journal)
        with closing(pictures(frozenset(journal.photos))) as missing:
            first = sum(number not in journal.photos for number in range(scale.first_photos))
            if first:
                with self._stages.stage("upload the first photos", scale.first_photos) as advance:
                    advance(scale.first_photos - first)
                    uploader.upload(islice(missing, first), advance)
            if scale.first_photos:
                with self._stages.stage("process the first photos", len(journal.photos)) as advance:
                    uploader.wait_until_processed(polling, advance)
                if first_feed:
                    first_feed(world)
            with self._stages.stage("upload photos", scale.photos) as advance:
                advance(len(journal.photos))
                uploader.upload(missing, advance)
        with self._stages.stage("process photos", len(journal.photos)) as advance:
            photos = uploader.wait_until_processed(polling, advance)

        posts = _posts(world.perception, journal, photos)
        with self._stages.stage("simulate history", usual_seconds=5):
            history = History(population, journal.people, posts, follows).events(scale, journal.anchor, journal.seed)
        with self._stages.stage("send history", len(history)) as advance:
            self._send(history, journal.history, journal.add_history, advance)
        journal.mark(SEEDED)
        return SeedingResult(world, photos, journal.events_accepted, _failures(photos))

    def _make_people(self, population: Population, advance: Advance) -> None:
        rng = np.random.default_rng([self._journal.seed, 3])
        latest = self._journal.anchor - self._journal.scale.span - timedelta(days=FOLLOWING_DAYS + 1)
        for index, person in enumerate(population.people):
            joined = latest - timedelta(days=float(rng.uniform(0, MEMBER_DAYS)))
            if index not in self._journal.people:
                self._journal.add_person(index, self._sign_up(person, joined))
            advance(1)

    def _sign_up(self, person: Person, joined: datetime, attempt: int = 1) -> str:
        """Create a user. If the handle is taken, append a number."""
        handle = person.handle if attempt == 1 else f"{person.handle}_{attempt}"
        try:
            return self._client.create_user(handle, person.display_name, joined)
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
        return self._sign_up(person, joined, attempt + 1)

    def _send(
        self,
        events: Sequence[ClientEvent],
        sent: Sequence[int],
        record: Callable[[int], None],
        advance: Advance,
    ) -> None:
        """Send events in batches, in order. Batches that the journal lists as sent are skipped."""
        for number, start in enumerate(range(0, len(events), MAX_EVENTS)):
            batch = events[start : start + MAX_EVENTS]
            if number >= len(sent):
                reply = self._client.send_events(batch)
                if reply.refused:
                    raise BrokenPathError(f"{len(reply.refused)} events were refused, first: {reply.refused[0]}")
                record(reply.accepted)
            advance(len(batch))


def _posts(perception: Perception, journal: Journal, photos: dict[int, Photo]) -> list[PostView]:
    ready = {index: photo for index, photo in photos.items() if photo.status == READY}
    if not ready:
        reasons = "; ".join(_failures(photos)[:3])
        raise BrokenPathError(f"none of {len(photos)} photos became ready: {reasons}")
    return [perception.of_upload(journal.photos[index], photo) for index, photo in sorted(ready.items())]


def _failures(photos: dict[int, Photo]) -> tuple[str, ...]:
    return tuple(
        f"photo {photo.id} is {photo.status}: {photo.failure or 'no reason given'}"
        for _, photo in sorted(photos.items())
        if photo.status != READY
    )
