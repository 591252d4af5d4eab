"""Uploads the world's photos as any client does: initiate, PUT to object storage, complete."""

from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from simulation.api_client import ApiClient
from simulation.journal import Journal, UploadedPhoto
from simulation.people import Population
from simulation.pictures.catalogue import Picture
from simulation.replies import FINAL_STATUSES, Photo
from simulation.stages import Advance
from simulation.waiting import Polling

CONCURRENCY = 8
REEL_EVERY = 10  # every tenth post is a reel
NEWEST_MINUTES = 3.0  # age of the newest possible post
STALLED_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class PostPlan:
    """Owner (index of the person), date and content type of a post."""

    owner: int
    created_at: datetime
    is_reel: bool


def plan_post(population: Population, journal: Journal, index: int, topic: str) -> PostPlan:
    """Plan the post of picture number `index`: owner by topics and cadence, date uniform over the world's history."""
    rng = np.random.default_rng([journal.seed, 2, index])
    weights = np.array([creator.cadence for creator in population.creators])
    subject = population.topic_index(topic)
    if subject is not None:
        weights = weights * [creator.topic_weights[subject] for creator in population.creators]
    span = journal.scale.span.total_seconds() - 60 * NEWEST_MINUTES
    age = 60 * NEWEST_MINUTES + span * float(rng.random())
    return PostPlan(
        owner=int(rng.choice(len(weights), p=weights / weights.sum())),
        created_at=datetime.fromtimestamp(journal.anchor.timestamp() - age, tz=journal.anchor.tzinfo),
        is_reel=index % REEL_EVERY == REEL_EVERY - 1,
    )


class Uploader:
    """Uploads pictures for a population's creators, CONCURRENCY at a time, and waits for their processing."""

    def __init__(self, client: ApiClient, population: Population, journal: Journal) -> None:
        self._client = client
        self._population = population
        self._journal = journal

    def upload(self, pictures: Iterable[tuple[int, Picture]], advance: Advance) -> None:
        """Upload numbered pictures as they become available, and record each in the journal.

        Each gets the first of its captions that no other has.

        Raises:
            ApiError, UnreachableError: the first failure. Uploads in progress are finished and recorded first.
        """
        running: dict[Future[UploadedPhoto], int] = {}
        captions = {photo.caption for photo in self._journal.photos.values()}

        def collect(done: Iterable[Future[UploadedPhoto]]) -> None:
            failures = []
            for future in done:
                index, failure = running.pop(future), future.exception()
                if failure is None:
                    self._journal.add_photo(index, future.result())
                    advance(1)
                else:
                    failures.append(failure)
            if failures:
                raise failures[0]

        with ThreadPoolExecutor(CONCURRENCY) as pool:
            try:
                for index, picture in pictures:
                    caption = next((one for one in picture.captions if one not in captions), picture.captions[0])
                    captions.add(caption)
                    running[pool.submit(self._upload_one, index, picture, caption)] = index
                    if len(running) > CONCURRENCY:  # backpressure: do not paint faster than uploads finish
                        collect(wait(running, return_when=FIRST_COMPLETED).done)
            finally:
                collect(wait(running).done)

    def _upload_one(self, index: int, picture: Picture, caption: str) -> UploadedPhoto:
        plan = plan_post(self._population, self._journal, index, picture.topic)
        owner_id = self._journal.people[plan.owner]
        upload = self._client.initiate(owner_id, plan.created_at, picture.media_type, len(picture.data))
        self._client.put_bytes(upload, picture.data)
        self._client.complete(
            owner_id,
            upload.photo_id,
            caption=caption,
            tags=picture.tags,
            content_type="reel" if plan.is_reel else "photo",
        )
        return UploadedPhoto(
            id=upload.photo_id,
            owner=plan.owner,
            topic=picture.topic,
            caption=caption,
            is_reel=plan.is_reel,
            created_at=plan.created_at,
        )

    def wait_until_processed(self, polling: Polling, advance: Advance) -> dict[int, Photo]:
        """The final state of every upload, by index of the picture.

        Raises:
            BrokenPathError: no photo finished processing for STALLED_SECONDS.
        """
        final: dict[int, Photo] = {}
        waiting = sorted(self._journal.photos.items(), reverse=True)  # a stack with the first upload on top

        def finished() -> int:
            while waiting:
                index, uploaded = waiting[-1]
                photo = self._client.photo(self._journal.people[uploaded.owner], uploaded.id)
                if photo.status not in FINAL_STATUSES:
                    break
                final[index] = photo
                waiting.pop()
                advance(1)
            return len(final)

        what = "photos processed"
        polling.until_done(finished, len(self._journal.photos), stalled_seconds=STALLED_SECONDS, what=what)
        return final
