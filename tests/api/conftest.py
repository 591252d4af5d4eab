"""The API on real PostgreSQL, Valkey and S3. Only Kafka and the workers' loops are replaced, so that tests control the
order of events."""

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from ingestion.celebrities import Celebrities
from ingestion.consumer.worker import Handler, Worker
from ingestion.fanout import Fanout
from ingestion.outbox_relay import OutboxRelay
from ingestion.photos.moderation import Thresholds
from ingestion.photos.pipeline import PhotoPipeline
from ingestion.photos.records import PhotoRecords
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.sizes import ZOOM_OUTPUTS
from ingestion.photos.storage import PhotoStorage
from ingestion.photos.validate import PhotoLimits
from ingestion.photos.zoom import ZoomPipeline
from photofeed import database, topics
from photofeed.events import Envelope
from photofeed.ids import decode_id, uuid7
from photofeed.object_store import S3ObjectStore
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.timelines import TimelineWriter
from photofeed.tokens import ADMIN, MODERATOR, SERVICE, USER, mint_token
from serving import bootstrap
from serving.app import create_app
from serving.receipts import ReceiptSealer
from tests.api.contract_client import ContractClient
from tests.api.pictures import picture
from tests.command_line import photofeed, set_up, with_own_feature_repo
from tests.doubles.event_log import InMemoryEventLog
from tests.doubles.moderator import InMemoryModerator

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

SERVED_WITHIN_SECONDS = 30.0
_WORLDS = itertools.count(10_000)  # no other test has pictures of such large seeds
PATIENCE_SECONDS = 60.0  # time-outs of the feed path: no test depends on the load of the machine


@pytest.fixture(scope="session")
def settings(stack: "EmbeddedStack") -> Settings:
    """Settings of the stack, with the schema and the feature repo in place."""
    # a process of its own, as in production: Feast keeps connections and modules for the life of a process
    done = photofeed("setup", PHOTOFEED_STATE_DIR=stack.state.path)
    assert done.returncode == 0, done.stderr
    return stack.settings()


@pytest.fixture(scope="session")
def settings_with_own_lake(
    settings_apart: Callable[[int], Settings], tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings for tests that count what a lake has: that of the session grows with each test, and takes long."""
    settings = with_own_feature_repo(settings_apart(13), tmp_path_factory.mktemp("counting"), "counting")
    set_up(settings)
    return settings


@dataclass
class Person:
    """A user of the API."""

    id: str
    handle: str
    http: TestClient
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, **arguments: Any) -> httpx2.Response:
        """A call with the person's token."""
        return self.http.request(method, path, headers=self.headers | arguments.pop("headers", {}), **arguments)

    def get(self, path: str, **arguments: Any) -> Any:
        """The body of a successful GET."""
        reply = self.call("GET", path, **arguments)
        assert reply.is_success, reply.text
        return reply.json()

    def upload(self, data: bytes, **words: Any) -> str:
        """Upload a photo and complete it, so that it is `processing`; returns its id."""
        initiated = self.call("POST", "/v1/photos/initiate").json()
        assert httpx2.put(initiated["uploadUrl"], content=data).status_code == 200
        reply = self.call("POST", f"/v1/photos/{initiated['photoId']}/complete", json=words)
        assert reply.status_code == 202, reply.text
        photo_id: str = initiated["photoId"]
        return photo_id


@dataclass
class App:
    """The running API and its workers, which run when a test calls them."""

    settings: Settings
    http: TestClient
    log: InMemoryEventLog
    service: Person
    relay: OutboxRelay
    workers: list[Worker]
    zoom_worker: Worker
    model: InMemoryModerator

    def person(self, **words: Any) -> Person:
        """A new person."""
        handle = f"p{uuid.uuid4().hex[:12]}"
        body = {"handle": handle, "displayName": handle.title()} | words
        reply = self.service.call("POST", "/v1/users", json=body)
        assert reply.status_code == 201, reply.text
        user_id = reply.json()["id"]
        token = mint_token(self.settings, decode_id(user_id))
        return Person(user_id, handle, self.http, {"Authorization": f"Bearer {token}"})

    def moderator(self) -> Person:
        """A new moderator."""
        person = self.person()
        token = mint_token(self.settings, decode_id(person.id), frozenset({USER, MODERATOR}))
        return replace(person, headers={"Authorization": f"Bearer {token}"})

    def admin(self) -> Person:
        """A new admin."""
        person = self.person()
        token = mint_token(self.settings, decode_id(person.id), frozenset({USER, ADMIN}))
        return replace(person, headers={"Authorization": f"Bearer {token}"})

    def receipt(self, person: Person, post_id: str, *, slate: str | None = None, position: int = 0) -> str:
        """The receipt of a post, as if it had been served to the person."""
        sealer = ReceiptSealer(self.settings)
        (receipt,) = sealer.seal_page(decode_id(person.id), slate or uuid7(), position, [decode_id(post_id)])
        return receipt

    def messages(self, photo_id: str) -> list[tuple[str, str]]:
        """Types and ids of all messages about a processed photo."""
        consumer = self.log.consumer(uuid.uuid4().hex, (topics.PHOTO_PROCESSED, topics.PHOTO_ZOOM))
        envelopes = [Envelope.decode(message.value) for message in consumer.poll(1_000_000, 0)]
        return [(one.type, one.id) for one in envelopes if one.key == str(decode_id(photo_id))]

    def served(self, slate_id: str) -> dict[str, Any]:
        """The served log of the first page of a slate; it is published shortly after the reply."""
        consumer = self.log.consumer(uuid.uuid4().hex, (topics.FEED_SERVED,))
        until = time.monotonic() + SERVED_WITHIN_SECONDS
        while time.monotonic() < until:
            for message in consumer.poll(1_000_000, 0):
                payload = Envelope.decode(message.value).payload
                if payload["slateId"] == slate_id:
                    return payload
            self.http.get("/healthz")
        pytest.fail("the served log has no such slate")

    def repeat(self, kind: str, photo_id: str) -> None:
        """Deliver the first message of a topic about a photo again."""
        topic = {topic.name: topic for topic in (topics.PHOTO_UPLOADED, topics.PHOTO_ZOOM)}[kind]
        key = str(decode_id(photo_id))
        messages = self.log.consumer(uuid.uuid4().hex, (topic,)).poll(1_000_000, 0)
        self.log.publish(kind, [next(Envelope.decode(one.value) for one in messages if one.key == key)])

    def zoom(self) -> None:
        """Run the zoom worker until nothing is left to do."""
        while self.zoom_worker.step():
            pass

    def work(self) -> None:
        """Run relay and workers until nothing is left to do."""
        with database.connect(self.settings) as connection:
            while self.relay.relay_batch(connection) + sum(worker.step() for worker in self.workers):
                pass


@pytest.fixture(scope="session")
def app(settings: Settings) -> Iterator[App]:
    """The API with all its services."""
    log = InMemoryEventLog()
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        redis = owned.enter_context(connect_redis(settings))
        limits = PhotoLimits.of(settings)
        sandbox = owned.enter_context(PhotoSandbox(limits))
        storage = PhotoStorage(S3ObjectStore.connect(settings), settings.bucket_originals, settings.bucket_variants)
        moderator = InMemoryModerator()
        photos = PhotoPipeline(storage, PhotoRecords(pool), sandbox, moderator, Thresholds(0.6, 0.9))
        zoom = ZoomPipeline(storage, PhotoRecords(pool), owned.enter_context(PhotoSandbox(limits, ZOOM_OUTPUTS)))
        timelines = TimelineWriter(redis, settings.timeline_length)
        fanout = Fanout(pool, timelines, Celebrities(pool, timelines, followers=3))
        stop = threading.Event()

        def worker(group: str, handler: Handler) -> Worker:
            return Worker(group, log.consumer(group, topics.SUBSCRIPTIONS[group]), log, handler, stop, batch_size=50)

        make_services = partial(
            bootstrap.services,
            connect_publisher=lambda _: log,
            connect_reader=lambda _: log,
            redis_seconds=PATIENCE_SECONDS,
        )
        live = settings.model_copy(update={"explore_pools_seconds": 0.0})
        http = owned.enter_context(ContractClient(create_app(live, make_services)))
        feed = http.app_state["services"].feed
        feed.source_seconds = feed.postgres_seconds = PATIENCE_SECONDS
        token = mint_token(settings, 0, frozenset({SERVICE}))
        yield App(
            live,
            http,
            log,
            Person("", "", http, {"Authorization": f"Bearer {token}"}),
            OutboxRelay(lambda: database.connect(settings), log, stop),
            [worker(topics.PHOTOS_GROUP, photos.handle), worker(topics.FANOUT_GROUP, fanout.handle)],
            worker(topics.ZOOM_GROUP, zoom.handle),
            moderator,
        )


@pytest.fixture(scope="module")
def creators(app: App) -> list[Person]:
    """Four creators with twelve posts each; more followers than three make a celebrity.

    Each module has other pictures: a feed shows one of equal ones, and may find those of all modules.
    """
    creators, seeds = [app.person() for _ in range(4)], itertools.count(100 * next(_WORLDS))
    for number, creator in enumerate(creators):
        for post in range(12):
            creator.upload(picture(next(seeds), (160, 120)), tags=[f"topic{number}"], caption=f"post {post}")
    app.work()
    return creators
