"""A demo under load: people read and react, photos arrive, and a few things go wrong that operators should see."""

import io
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

import httpx
import numpy as np
from PIL import Image

from photofeed.events import Action
from photofeed.ids import decode_id
from photofeed.kafka_access import open_publisher
from photofeed.tokens import mint_token
from photofeed.topics import ENGAGEMENT
from simulation.errors import ApiError, BrokenPathError
from simulation.live import live_session
from simulation.running import RunningPhotofeed
from simulation.world import World

READERS = 3
_BETWEEN_SESSIONS_SECONDS, _BETWEEN_PHOTOS_SECONDS = 0.15, 2.0
_DELETE_EVERY, _BROKEN_EVERY = 8, 12
_ANSWER_SECONDS = 30.0
_LATER = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


@dataclass(slots=True)
class Load:
    """What the load did so far, as the API acknowledged it: ids of photos with their owners."""

    photos: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def kept(self) -> dict[str, str]:
        """The photos that are there, at this moment."""
        return {photo: owner for photo, owner in list(self.photos.items()) if photo not in self.deleted}


@contextmanager
def under_load(running: RunningPhotofeed, world: World) -> Iterator[Load]:
    """Load a demo while the context is open.

    Raises:
        BrokenPathError: a request of the load failed.
    """
    load, stop = Load(), threading.Event()
    with ThreadPoolExecutor(READERS + 1) as threads:
        work = [threads.submit(_read, running, world, stop, seed) for seed in range(READERS)]
        work.append(threads.submit(_upload, running, world, stop, load))
        try:
            yield load
        finally:
            stop.set()
        for one in work:
            one.result()


def send_broken_message(running: RunningPhotofeed) -> None:
    """Write a message that no worker can read."""
    with closing(open_publisher(running.settings)) as publisher:
        publisher.publish_encoded(ENGAGEMENT.name, [("broken", b"not an envelope")])


def _read(running: RunningPhotofeed, world: World, stop: threading.Event, seed: int) -> None:
    rng, creators = np.random.default_rng(seed), len(world.population.creators)
    while not stop.wait(_BETWEEN_SESSIONS_SECONDS):
        person = int(rng.integers(creators, len(world.people)))
        with _later():
            live_session(running.client, world, person, rng)
        _visit(running, world.people[person], world.people[int(rng.integers(creators))])


def _visit(running: RunningPhotofeed, person: str, creator: str) -> None:
    """A visit of a profile, with the person's own token: events of services are imported ones, without freshness."""
    event = {"id": uuid.uuid4().hex, "type": Action.PROFILE_VISIT.value, "personId": creator}
    token = mint_token(running.settings, decode_id(person))
    url, headers = f"{running.settings.public_url}/v1/events", {"Authorization": f"Bearer {token}"}
    reply = httpx.post(url, json={"events": [event]}, headers=headers, timeout=_ANSWER_SECONDS)
    if reply.status_code not in _LATER:
        reply.raise_for_status()


def _upload(running: RunningPhotofeed, world: World, stop: threading.Event, load: Load) -> None:
    rng, client, number = np.random.default_rng(7), running.client, 0
    while not stop.wait(_BETWEEN_PHOTOS_SECONDS):
        number += 1
        owner = world.people[int(rng.integers(len(world.population.creators)))]
        data = b"no photo" * 100 if number % _BROKEN_EVERY == 0 else _photo(rng)
        with _later():
            ticket = client.initiate(owner, datetime.now(UTC), "image/jpeg", len(data))
            client.put_bytes(ticket, data)
            client.complete(owner, ticket.photo_id, caption="", tags=(), content_type="photo")
            load.photos[ticket.photo_id] = owner
        if number % _DELETE_EVERY == 0 and load.kept():
            photo_id, owner = next(iter(load.kept().items()))
            load.deleted.add(photo_id)
            _delete(running, owner, photo_id)


@contextmanager
def _later() -> Iterator[None]:
    """Leave a call that the API asks to try again later, and a session in which a shown post was deleted."""
    try:
        yield
    except ApiError as error:
        if error.status not in _LATER:
            raise
    except BrokenPathError as error:
        if "post_not_found" not in str(error):
            raise


def _photo(rng: np.random.Generator) -> bytes:
    """A JPEG of a few hundred kilobytes."""
    small = rng.integers(0, 255, (9, 12, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((1600, 1200), Image.Resampling.BICUBIC).save(file, "JPEG", quality=92)
    return file.getvalue()


def _delete(running: RunningPhotofeed, owner: str, photo_id: str) -> None:
    token = mint_token(running.settings, decode_id(owner))
    url = f"{running.settings.public_url}/v1/photos/{photo_id}"
    reply = httpx.delete(url, headers={"Authorization": f"Bearer {token}"}, timeout=_ANSWER_SECONDS)
    if reply.status_code not in _LATER:
        reply.raise_for_status()
