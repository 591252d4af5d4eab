"""Requests of people at random times. They are sent when they are due, whether or not earlier ones were answered."""

import asyncio
import io
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np
from PIL import Image

from photofeed.ids import decode_id
from photofeed.tokens import mint_token
from tools.load.world import LoadedWorld

FEED, EXPLORE, EVENTS, LIKE, COMMENT, UPLOAD = "feed", "explore", "events", "like", "comment", "upload"
SHARES = {FEED: 0.6, EXPLORE: 0.05, EVENTS: 0.25, LIKE: 0.07, COMMENT: 0.02, UPLOAD: 0.01}
UNANSWERED = 0
_ANSWER_SECONDS = 10.0
_REPORTED = 10  # posts of a page that a batch of events is about
_READ_EVERY = 4  # feeds whose posts later requests are about: reading all would take the client's processor


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request.

    Attributes:
        kind: of the request, a key of SHARES.
        due: when it was to be sent, as `time.monotonic` counts.
        late: seconds by which it was sent after that, because this client had too much to do.
        seconds: from then to its answer.
        status: of the answer; UNANSWERED if there was none.
    """

    kind: str
    due: float
    late: float
    seconds: float
    status: int

    @property
    def good(self) -> bool:
        """Whether the request did what it was to do."""
        return 200 <= self.status < 300  # noqa: PLR2004  the statuses of success


@dataclass
class Traffic:
    """People who use the API of a world."""

    world: LoadedWorld
    seed: int = 1
    _pages: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)  # (person, items) of feeds

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        settings = self.world.running.settings
        self._headers = {
            person: {"Authorization": f"Bearer {mint_token(settings, decode_id(person))}"}
            for person in self.world.people
        }
        self._pictures = [_picture(self._random) for _ in range(20)]

    def send(self, rate: float, seconds: float) -> list[Answer]:
        """Requests at an average rate per second; returns when all are answered."""
        return asyncio.run(self._send(rate, seconds))

    async def _send(self, rate: float, seconds: float) -> list[Answer]:
        arrivals = np.cumsum(self._random.exponential(1 / rate, max(round(rate * seconds), 1)))
        kinds = self._random.choice(list(SHARES), len(arrivals), p=list(SHARES.values()))
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as http:
            began, tasks = time.monotonic(), []
            for arrival, kind in zip(arrivals.tolist(), kinds.tolist(), strict=True):
                await asyncio.sleep(max(0.0, began + arrival - time.monotonic()))
                tasks.append(asyncio.create_task(self._ask(http, kind, began + arrival)))
            return await asyncio.gather(*tasks)

    async def _ask(self, http: aiohttp.ClientSession, kind: str, due: float) -> Answer:
        sent = time.monotonic()
        try:
            status = await getattr(self, f"_{kind}")(http)
        except (aiohttp.ClientError, TimeoutError):
            status = UNANSWERED
        return Answer(kind, due, sent - due, time.monotonic() - due, status)

    async def _feed(self, http: aiohttp.ClientSession, path: str = "/v1/feed") -> int:
        person = self._person()
        async with http.get(self._url(path), headers=self._headers[person]) as reply:
            body = await reply.read()
            if reply.ok and not self._random.integers(_READ_EVERY):
                items = (await reply.json()).get("items", []) if body else []
                self._pages = [*self._pages[-50:], (person, items)] if items else self._pages
            return reply.status

    async def _explore(self, http: aiohttp.ClientSession) -> int:
        return await self._feed(http, "/v1/explore")

    async def _events(self, http: aiohttp.ClientSession) -> int:
        if not self._pages:
            return await self._feed(http)
        person, items = self._some_page()
        events = [
            {"id": uuid.uuid4().hex, "type": kind, "postId": item["post"]["id"], "receipt": item["receipt"]}
            for item in items[:_REPORTED]
            for kind in ("impression", "open")
        ]
        return await self._post(http, "/v1/events", person, {"events": events})

    async def _like(self, http: aiohttp.ClientSession) -> int:
        if not self._pages:
            return await self._feed(http)
        path, person = f"/v1/posts/{self._some_post()}/like", self._person()
        async with http.put(self._url(path), headers=self._headers[person]) as reply:
            return reply.status

    async def _comment(self, http: aiohttp.ClientSession) -> int:
        if not self._pages:
            return await self._feed(http)
        text = {"text": f"What a light {uuid.uuid4().hex[:6]}"}
        return await self._post(http, f"/v1/posts/{self._some_post()}/comments", self._person(), text)

    async def _upload(self, http: aiohttp.ClientSession) -> int:
        person, data = self._person(), self._pictures[int(self._random.integers(len(self._pictures)))]
        data += uuid.uuid4().bytes  # after the end of the picture, so that no two uploads are the same
        body = {"mediaType": "image/jpeg", "byteSize": len(data)}
        async with http.post(self._url("/v1/photos/initiate"), json=body, headers=self._headers[person]) as reply:
            if not reply.ok:
                return reply.status
            ticket = await reply.json()
        async with http.put(ticket["uploadUrl"], data=data, headers=ticket["headers"]) as stored:
            if not stored.ok:
                return stored.status
        return await self._post(http, f"/v1/photos/{ticket['photoId']}/complete", person, {})

    async def _post(self, http: aiohttp.ClientSession, path: str, person: str, body: dict[str, Any]) -> int:
        async with http.post(self._url(path), json=body, headers=self._headers[person]) as reply:
            return reply.status

    def _url(self, path: str) -> str:
        return self.world.running.settings.public_url + path

    def _person(self) -> str:
        return self.world.people[int(self._random.integers(len(self.world.people)))]

    def _some_page(self) -> tuple[str, list[dict[str, Any]]]:
        return self._pages[int(self._random.integers(len(self._pages)))]

    def _some_post(self) -> str:
        _, items = self._some_page()
        post: str = items[int(self._random.integers(len(items)))]["post"]["id"]
        return post


def judged(answers: Sequence[Answer], skipped_seconds: float) -> list[Answer]:
    """The answers to requests that were due after the first seconds of a stretch."""
    first = min((one.due for one in answers), default=0.0)
    return [one for one in answers if one.due >= first + skipped_seconds]


def _picture(random: np.random.Generator) -> bytes:
    """A JPEG of 480 by 360 pixels."""
    noise = Image.fromarray(random.integers(0, 255, (9, 12, 3), dtype=np.uint8))
    file = io.BytesIO()
    noise.resize((480, 360), Image.Resampling.BICUBIC).save(file, "JPEG", quality=80)
    return file.getvalue()
