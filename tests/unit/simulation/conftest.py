"""A small API in memory, as far as the simulation calls it."""

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
from simulation.waiting import Patience
from simulation.world import World

NOW = datetime(2025, 11, 3, 12, tzinfo=UTC)
STORAGE = "http://storage.test"


class FakeApi:
    """Keeps what it is told; photos are ready on their second look, or `failed` where their bytes say so."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.photos: dict[str, dict[str, Any]] = {}
        self.bytes: dict[str, bytes] = {}
        self.batches: list[list[dict[str, Any]]] = []
        self.counted_share = 1.0
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
            "id": photo_id,
            "status": "awaiting_upload",
            "looks": 0,
            "ownerId": request.headers["Act-As"],
            **body,
        }
        return httpx.Response(201, json={"photoId": photo_id, "uploadUrl": f"{STORAGE}/{photo_id}", "expiresAt": ""})

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
        photo["looks"] += 1
        if photo["looks"] > 1:
            photo |= _processed(self.bytes[photo_id])
        return httpx.Response(200, json=photo)

    def _feed(self, request: httpx.Request, _: dict[str, Any]) -> httpx.Response:
        me = request.headers["Act-As"]
        ready = [photo for photo in self.photos.values() if photo["ownerId"] != me and photo["status"] == "ready"]
        items: list[dict[str, Any]] = [
            {"position": at, "source": "following", "score": 0.5, "reason": "r", "post": self._post(photo)}
            for at, photo in enumerate(ready[: int(request.url.params["limit"])])
        ]
        asked = request.url.params.get("ranker", "champion")
        if asked in self.orders:
            items.sort(key=lambda item: self.orders[asked](item["post"]))
        ranking = self.always_ranked_by or ("model" if asked == "champion" else asked)
        model = {"name": "feed-ranker", "version": "3", "engine": "bitsliced"} if ranking == "model" else None
        return httpx.Response(
            200, json={"slateId": "slate", "model": model, "ranking": ranking, "items": items, "nextCursor": None}
        )

    def _post(self, photo: dict[str, Any]) -> dict[str, Any]:
        owner = self.users[photo["ownerId"]]
        author = {"id": owner["id"], "handle": owner["handle"], "displayName": owner["displayName"]}
        return {
            **photo,
            "author": {**author, "followedByMe": True},
            "topic": photo["tags"][0],
            "postedAt": photo["createdAt"],
            "likedByMe": False,
            "savedByMe": False,
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
        counted = int(len(self.events) * self.counted_share)
        return httpx.Response(200, json={"eventsInFeatures": counted, "archivedEvents": counted, "photos": {}})


def _processed(data: bytes) -> dict[str, Any]:
    if data == b"broken":
        return {"status": "failed", "failure": {"code": "not_an_image", "reason": "This is not an image."}}
    return {"status": "ready", "width": 1080, "height": 810, "dominantColor": "#336699", "variants": [{}] * 6}


def _problem(status: int, code: str, detail: str) -> httpx.Response:
    body = {"type": f"urn:{code}", "title": code, "status": status, "detail": detail, "code": code}
    return httpx.Response(status, json=body, headers={"Content-Type": "application/problem+json"})


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def patience(self) -> Patience:
        return Patience(clock=lambda: self.now, sleep=self.sleep)

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
    """A world that the API knows: a population, and a ready photo with each of some tags, by three authors in turn."""

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
                "tags": [tag],
                "contentType": "photo",
                "createdAt": "2025-11-03T10:00:00Z",
                "width": 1080,
                "height": 1350,
                "dominantColor": "#204060",
            }
        return World(population, people, Perception(population, people))

    return make
