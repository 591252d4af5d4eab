"""An in-memory fake of the API: the endpoints that the simulation calls."""

import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from simulation.api_client import ApiClient
from simulation.people import Population
from simulation.perception import Perception
from simulation.waiting import Polling
from simulation.world import World

NOW = datetime(2025, 11, 3, 12, tzinfo=UTC)
STORAGE = "http://storage.test"
LOOK: dict[str, Any] = {"blurhash": None, "dominantColor": None, "width": None, "height": None, "images": {}}
NEW_PHOTO: dict[str, Any] = {
    **LOOK,
    "caption": "",
    "altText": "",
    "tags": [],
    "contentType": None,
    "failure": None,
    "place": None,
    "variants": [],
}
COUNTS = {"likeCount": 0, "commentCount": 0, "saveCount": 0, "likedByMe": False, "savedByMe": False}


class FakeApi:
    """Stores requests. A photo is ready at its second GET, or failed if its bytes are `b"broken"`."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.photos: dict[str, dict[str, Any]] = {}
        self.bytes: dict[str, bytes] = {}
        self.batches: list[list[dict[str, Any]]] = []
        self.broken_connections = 0
        self.photo_limit: int | None = None
        self.orders: dict[str, Callable[[dict[str, Any]], float]] = {}
        self.always_ranked_by = ""
        self._one_at_a_time = threading.Lock()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for batch in self.batches for event in batch]

    def client(self) -> ApiClient:
        return ApiClient(
            "http://api.test", "token", transport=httpx.MockTransport(self.handle), sleep=lambda _seconds: None
        )

    def handle(self, request: httpx.Request) -> httpx.Response:
        with self._one_at_a_time:  # uploads come from several threads
            return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.broken_connections:
            self.broken_connections -= 1
            raise httpx.ConnectError("refused", request=request)
        if request.url.host == "storage.test":
            return self._store(request)
        if request.headers.get("Authorization") != "Bearer token":
            return _problem(401, "unauthenticated", "no token")
        body = json.loads(request.content) if request.content else {}
        for method, pattern, answer in self._routes():
            match = re.fullmatch(pattern, request.url.path)
            if match and method == request.method:
                return answer(request, body, *match.groups())
        return _problem(404, "not_found", f"nothing at {request.url.path}")

    def _routes(self) -> list[tuple[str, str, Callable[..., httpx.Response]]]:
        return [
            ("POST", "/v1/users", self._create_user),
            ("POST", "/v1/photos/initiate", self._initiate),
            ("POST", "/v1/photos/([^/]+)/complete", self._complete),
            ("GET", "/v1/photos/([^/]+)", self._photo),
            ("GET", "/v1/feed", self._feed),
            ("POST", "/v1/events", self._events),
            ("GET", "/v1/dev/progress", self._progress),
        ]

    def _create_user(self, _: httpx.Request, body: dict[str, Any]) -> httpx.Response:
        if any(user["handle"] == body["handle"] for user in self.users.values()):
            return _problem(409, "handle_taken", "taken")
        user = {**body, "id": f"user{len(self.users):07d}"}
        self.users[user["id"]] = user
        return httpx.Response(201, json=user)

    def _initiate(self, request: httpx.Request, body: dict[str, Any]) -> httpx.Response:
        if self.photo_limit is not None and len(self.photos) >= self.photo_limit:
            return _problem(503, "try_again", "the disk is full")
        photo_id = f"photo{len(self.photos):06d}"
        self.photos[photo_id] = {
            **NEW_PHOTO,
            "id": photo_id,
            "status": "awaiting_upload",
            "reads": 0,
            "ownerId": request.headers["Act-As"],
            **body,
        }
        ticket = {"photoId": photo_id, "uploadUrl": f"{STORAGE}/{photo_id}"}
        headers = {"Content-Type": body["mediaType"]}
        return httpx.Response(201, json={**ticket, "expiresAt": NOW.isoformat(), "headers": headers})

    def _store(self, request: httpx.Request) -> httpx.Response:
        if "Authorization" in request.headers:
            return httpx.Response(403)
        self.bytes[request.url.path.strip("/")] = request.content
        return httpx.Response(200)

    def _complete(self, request: httpx.Request, body: dict[str, Any], photo_id: str) -> httpx.Response:
        if photo_id not in self.bytes:
            return _problem(409, "not_uploaded", "no bytes yet")
        if self.photos[photo_id]["ownerId"] != request.headers["Act-As"]:
            return _problem(403, "forbidden", "not yours")
        self.photos[photo_id] |= {**body, "status": "processing"}
        return httpx.Response(202, json=self.photos[photo_id])

    def _photo(self, _: httpx.Request, __: dict[str, Any], photo_id: str) -> httpx.Response:
        photo = self.photos[photo_id]
        photo["reads"] += 1
        if photo["reads"] > 1:
            photo |= _processed(self.bytes[photo_id])
        return httpx.Response(200, json=photo)

    def _feed(self, request: httpx.Request, _: dict[str, Any]) -> httpx.Response:
        me = request.headers["Act-As"]
        ready = [photo for photo in self.photos.values() if photo["ownerId"] != me and photo["status"] == "ready"]
        items: list[dict[str, Any]] = [
            {
                "position": at,
                "source": "following",
                "score": 0.5,
                "reason": "From someone you follow",
                "reasonCode": "followed",
                "receipt": f"r{at}",
                "post": self._post(photo),
            }
            for at, photo in enumerate(ready[: int(request.url.params["limit"])])
        ]
        ranker = request.url.params.get("ranker", "champion")
        if ranker in self.orders:
            items.sort(key=lambda item: self.orders[ranker](item["post"]))
        ranking = self.always_ranked_by or ("model" if ranker == "champion" else ranker)
        model = {"name": "feed-ranker", "version": "3", "engine": "bitsliced"} if ranking == "model" else None
        page = {"slateId": "slate", "model": model, "ranking": ranking, "items": items, "nextCursor": None}
        return httpx.Response(
            200, json={**page, "exploreShare": 0.0, "insteadOf": None, "repeats": 0, "skippedSources": []}
        )

    def _post(self, photo: dict[str, Any]) -> dict[str, Any]:
        owner = self.users[photo["ownerId"]]
        author = {"id": owner["id"], "handle": owner["handle"], "displayName": owner["displayName"]}
        return {
            **LOOK,
            **COUNTS,
            **photo,
            "author": {**author, "avatarUrl": None, "followedByMe": True},
            "topic": photo["tags"][0],
            "postedAt": photo["createdAt"],
        }

    def _events(self, _: httpx.Request, body: dict[str, Any]) -> httpx.Response:
        self.batches.append(body["events"])
        known = self.users.keys()
        refused = [
            {"index": index, "id": event["id"], "code": "actor_not_found", "reason": "nobody"}
            for index, event in enumerate(body["events"])
            if event["actorId"] not in known
        ]
        accepted = len(body["events"]) - len(refused)
        return httpx.Response(202, json={"accepted": accepted, "unchanged": 0, "refused": refused})

    def _progress(self, _: httpx.Request, __: dict[str, Any]) -> httpx.Response:
        return httpx.Response(200, json={"eventsInFeatures": len(self.events), "photos": {}})


VARIANT = {"size": 640, "format": "webp", "width": 640, "height": 480, "bytes": 1000}


def _processed(data: bytes) -> dict[str, Any]:
    if data == b"broken":
        return {"status": "failed", "failure": {"code": "not_an_image", "reason": "This is not an image."}}
    return {"status": "ready", "width": 1080, "height": 810, "dominantColor": "#336699", "variants": [VARIANT] * 6}


def _problem(status: int, code: str, detail: str) -> httpx.Response:
    body = {"type": f"urn:{code}", "title": code, "status": status, "detail": detail, "code": code}
    return httpx.Response(status, json=body, headers={"Content-Type": "application/problem+json"})


class FakeTime:
    """A clock that advances only in `sleep`."""

    def __init__(self) -> None:
        self.now = 0.0

    def polling(self) -> Polling:
        return Polling(clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def make_world(api: FakeApi) -> Callable[[Population, list[str]], World]:
    """Make a world that the fake API knows: a population, and one ready photo per tag, by three authors in turn."""

    def make(population: Population, tags: list[str]) -> World:
        people = {index: f"user{index:07d}" for index in range(len(population.people))}
        for index, person in enumerate(population.people):
            names = {"handle": person.handle, "displayName": person.display_name}
            api.users[people[index]] = {"id": people[index], **names}
        for number, tag in enumerate(tags):
            api.photos[str(number)] = {
                "id": f"photo{number:06d}",
                "status": "ready",
                "ownerId": people[number % 3],
                "caption": f"Number {number}",
                "altText": "",
                "tags": [tag],
                "contentType": "photo",
                "createdAt": "2025-11-03T10:00:00Z",
                "width": 1080,
                "height": 1350,
                "dominantColor": "#204060",
            }
        return World(population, people, Perception(population, people))

    return make
