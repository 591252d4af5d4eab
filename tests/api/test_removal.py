"""A deleted photo is removed everywhere, which can be verified."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client import REGISTRY

from ingestion.bootstrap.removal import open_leftovers, open_sweeper
from ingestion.cdn import HttpPurgeCdn
from ingestion.consumer.worker import Worker
from ingestion.leftovers import Leftovers
from ingestion.photos.moderation import Moderator, Picture, Thresholds
from ingestion.photos.pipeline import PhotoPipeline
from ingestion.photos.records import PhotoRecords
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.sizes import ZOOM_OUTPUTS
from ingestion.photos.storage import PhotoStorage
from ingestion.photos.validate import PhotoLimits
from ingestion.photos.zoom import ZoomPipeline
from ingestion.purge import Purge
from ingestion.removal import Removal
from ingestion.sweeper import Sweeper
from photofeed import database, topics
from photofeed.errors import ConflictError, NotFoundError
from photofeed.events import Envelope
from photofeed.ids import decode_id
from photofeed.object_store import S3ObjectStore
from photofeed.publication import PUBLICATION, SHOW, announcement
from tests.api.pictures import picture
from tests.command_line import photofeed
from tests.doubles.moderator import InMemoryModerator

if TYPE_CHECKING:
    from tests.api.conftest import App, Person

pytestmark = pytest.mark.reads_all
Hook = Callable[[str], None]
_WAITS_FOR_ROW = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%photos%'"
_WAITING = "select 1 from pg_locks where locktype = 'advisory' and not granted"


def _nothing(bucket: str) -> None:
    """A hook that does nothing."""


@pytest.fixture
def sweeper(app: "App") -> Iterator[Sweeper]:
    with open_sweeper(app.settings) as sweeper:
        yield sweeper


@pytest.fixture
def removal(sweeper: Sweeper) -> Removal:
    return sweeper.removal


@pytest.fixture
def leftovers(app: "App") -> Iterator[Leftovers]:
    with open_leftovers(app.settings) as leftovers:
        yield leftovers


@pytest.fixture
def remove(app: "App", removal: Removal) -> Callable[[], None]:
    """Run relay, fan-out and the removal worker until nothing is left to do."""
    group = topics.REMOVAL_GROUP
    consumer = app.log.consumer(group, topics.SUBSCRIPTIONS[group])
    worker = Worker(group, consumer, app.log, removal.handle, threading.Event())

    def remove() -> None:
        app.work()
        while worker.step():
            pass

    return remove


def _left(leftovers: Leftovers, photo_id: str) -> set[str]:
    return {leftover.kind for leftover in leftovers.of(decode_id(photo_id))}


def _ready(app: "App", author: "Person", seed: int) -> str:
    """A published photo. No other file uses seeds of 9080 and above: equal pictures share their variants."""
    photo_id = author.upload(picture(seed), tags=["sea"])
    app.work()
    assert author.get(f"/v1/photos/{photo_id}")["status"] == "ready"
    return photo_id


def _removed_objects() -> list[float]:
    """Originals and variants that were deleted since the process began."""
    kinds = ({"kind": kind} for kind in ("original", "variant"))
    return [REGISTRY.get_sample_value("photofeed_removed_objects_total", kind) or 0.0 for kind in kinds]


def test_a_deleted_photo_leaves_nothing(app: "App", remove: Callable[[], None], leftovers: Leftovers) -> None:
    author, follower = app.person(), app.person()
    follower.call("PUT", f"/v1/users/{author.id}/follow")
    photo_id = _ready(app, author, 9080)
    follower.call("PUT", f"/v1/posts/{photo_id}/like")
    follower.call("POST", f"/v1/posts/{photo_id}/comments", json={"text": "Lovely"})
    follower.call("PUT", f"/v1/posts/{photo_id}/save")
    with pytest.raises(ConflictError):
        _left(leftovers, photo_id)
    assert author.call("DELETE", f"/v1/photos/{photo_id}").status_code == 204
    assert _left(leftovers, photo_id) == {"variant", "timeline"}  # the rows and the original are deleted at once
    before = _removed_objects()
    remove()
    assert _left(leftovers, photo_id) == set()
    assert all(count > former for count, former in zip(_removed_objects(), before, strict=True))


def test_copies_in_the_cdn_are_found_and_purged(app: "App", remove: Callable[[], None], leftovers: Leftovers) -> None:
    kept: dict[str, bytes] = {}

    def edge(request: httpx.Request) -> httpx.Response:
        """A cache in front of the origin that stores every image it serves."""
        path = request.url.path
        if request.method == "PURGE":
            return httpx.Response(200 if kept.pop(path, None) else 404)
        if path not in kept:
            reply = app.http.get(path)
            if reply.status_code != httpx.codes.OK:
                return httpx.Response(reply.status_code)
            kept[path] = reply.content
        return httpx.Response(200, content=kept[path])

    cdn = HttpPurgeCdn(httpx.Client(base_url="http://cdn.test", transport=httpx.MockTransport(edge)))
    leftovers = replace(leftovers, cdn=cdn)
    author = app.person()
    photo_id = _ready(app, author, 9086)
    viewer = httpx.Client(base_url="http://cdn.test", transport=httpx.MockTransport(edge))
    for name in ("640", "1080.webp"):
        assert viewer.get(f"/photos/{photo_id}/{name}").status_code == 200
    author.call("DELETE", f"/v1/photos/{photo_id}")
    remove()
    assert {(one.kind, one.name) for one in leftovers.of(decode_id(photo_id))} == {
        ("cdn", "640"),
        ("cdn", "1080.webp"),
    }
    consumer = app.log.consumer(topics.PURGE_GROUP, topics.SUBSCRIPTIONS[topics.PURGE_GROUP])
    worker = Worker(topics.PURGE_GROUP, consumer, app.log, Purge(cdn).handle, threading.Event())
    while worker.step():
        pass
    assert not _left(leftovers, photo_id)
    assert viewer.get(f"/photos/{photo_id}/640").status_code == 404


def test_variants_that_another_photo_shares_stay(app: "App", remove: Callable[[], None], leftovers: Leftovers) -> None:
    one, other = app.person(), app.person()
    first, second = _ready(app, one, 9081), _ready(app, other, 9081)
    one.call("DELETE", f"/v1/photos/{first}")
    remove()
    assert _left(leftovers, first) == set()
    assert app.http.get(f"/photos/{second}/640").status_code == 200
    other.call("DELETE", f"/v1/photos/{second}")
    remove()
    assert _left(leftovers, first) == _left(leftovers, second) == set()


def test_an_upload_that_was_never_completed_is_deleted_at_once(app: "App", leftovers: Leftovers) -> None:
    author = app.person()
    initiated = author.call("POST", "/v1/photos/initiate").json()
    assert httpx.put(initiated["uploadUrl"], content=picture(9082)).status_code == 200
    author.call("DELETE", f"/v1/photos/{initiated['photoId']}")
    assert _left(leftovers, initiated["photoId"]) == set()


def test_an_original_that_is_uploaded_again_after_the_deletion_goes_when_its_address_ends(
    app: "App", remove: Callable[[], None], sweeper: Sweeper, leftovers: Leftovers
) -> None:
    author = app.person()
    initiated = author.call("POST", "/v1/photos/initiate").json()
    photo_id, url = initiated["photoId"], initiated["uploadUrl"]
    httpx.put(url, content=picture(9083))
    author.call("POST", f"/v1/photos/{photo_id}/complete")
    app.work()
    author.call("DELETE", f"/v1/photos/{photo_id}")
    remove()
    assert httpx.put(url, content=picture(9083)).status_code == 200
    sweeper.sweep(datetime.now(UTC))
    assert _left(leftovers, photo_id) == {"original"}
    sweeper.sweep(_when_no_address_holds(app))
    assert _left(leftovers, photo_id) == set()


def test_a_lost_message_does_not_keep_a_photo(app: "App", sweeper: Sweeper, leftovers: Leftovers) -> None:
    author = app.person()
    photo_id = _ready(app, author, 9084)
    with database.connect(app.settings) as connection:  # as when its owner is deleted
        connection.execute("delete from photos where id = %s", (decode_id(photo_id),))
    assert "variant" in _left(leftovers, photo_id)
    sweeper.sweep(_when_no_address_holds(app))
    assert not _left(leftovers, photo_id) & {"original", "variant", "row"}


def test_the_proof_is_a_command_with_an_exit_code(app: "App", remove: Callable[[], None]) -> None:
    author = app.person()
    photo_id = _ready(app, author, 9085)
    assert _verify(app, photo_id).returncode == 1
    author.call("DELETE", f"/v1/photos/{photo_id}")
    found = _verify(app, photo_id)
    assert found.returncode == 1
    assert (photo_id, "variant") in {tuple(line.split("\t")[:2]) for line in found.stdout.splitlines()}
    remove()
    proved = _verify(app, photo_id)
    assert (proved.returncode, proved.stdout) == (0, ""), proved.stderr
    assert photo_id not in _verify(app).stdout


def test_the_removal_of_an_unknown_photo_cannot_be_verified(leftovers: Leftovers) -> None:
    with pytest.raises(NotFoundError):
        list(leftovers.of(12345))


def _when_no_address_holds(app: "App") -> datetime:
    return datetime.now(UTC) + timedelta(seconds=app.settings.upload_url_seconds + 1)


def _verify(app: "App", *photo: str) -> subprocess.CompletedProcess[str]:
    return photofeed("photos", "verify", *photo, PHOTOFEED_STATE_DIR=app.settings.state_dir)


class _Hooked(S3ObjectStore):
    """S3 on which something happens just before an object is deleted, and just after one is written."""

    def __init__(self, objects: S3ObjectStore, *, before_delete: Hook = _nothing, after_put: Hook = _nothing) -> None:
        super().__init__(objects._client)
        self._before_delete, self._after_put = before_delete, after_put

    def delete(self, bucket: str, key: str) -> None:
        self._before_delete(bucket)
        super().delete(bucket, key)

    def put(self, bucket: str, key: str, data: bytes, media_type: str, *, cache_control: str = "") -> None:
        super().put(bucket, key, data, media_type, cache_control=cache_control)
        self._after_put(bucket)


def test_a_twin_that_is_published_while_its_variants_are_being_deleted_keeps_them(app: "App", removal: Removal) -> None:
    one, other = app.person(), app.person()
    first = _ready(app, one, 9086)
    one.call("DELETE", f"/v1/photos/{first}")
    second = other.upload(picture(9086))
    publishing: list[Future[None]] = []

    def publish_twin() -> None:
        """Process the twin as far as possible while a deletion is in progress."""
        publishing[:] = publishing or [hands.submit(app.work)]
        with database.connect(app.settings) as connection:
            while not publishing[0].done() and not connection.execute(_WAITING).fetchall():
                pass

    def begin(bucket: str) -> None:
        if bucket == app.settings.bucket_variants:
            publish_twin()

    with ThreadPoolExecutor(1) as hands:
        removal.objects = _Hooked(S3ObjectStore.connect(app.settings), before_delete=begin)
        removal.purge(_when_no_address_holds(app))
        publishing[0].result()
    for size in (150, 320, 640, 1080):
        for extension in ("jpg", "webp"):
            assert app.http.get(f"/photos/{second}/{size}.{extension}").status_code == 200


def test_a_photo_that_is_deleted_while_it_becomes_ready_is_in_no_timeline(
    app: "App", remove: Callable[[], None], leftovers: Leftovers
) -> None:
    author, follower = app.person(), app.person()
    follower.call("PUT", f"/v1/users/{author.id}/follow")
    photo_id = author.upload(picture(9097))
    photo = decode_id(photo_id)
    with ThreadPoolExecutor(1) as hands, database.connect(app.settings) as looking:
        with database.connect(app.settings) as publishing, publishing.transaction():
            publishing.execute("select 1 from photos where id = %s for update", (photo,))
            deleting = hands.submit(author.call, "DELETE", f"/v1/photos/{photo_id}")
            while not deleting.done() and not looking.execute(_WAITS_FOR_ROW).fetchall():
                pass
            publishing.execute(SHOW, (photo,))
            publication = publishing.execute(PUBLICATION, (photo,)).fetchone()
            assert publication is not None
            database.write_outbox_sync(publishing, announcement(publication))
        assert deleting.result().status_code == 204
    remove()
    assert _left(leftovers, photo_id) == set()


class _Deleting:
    """A model that calls a hook while it scores."""

    version = "slow"

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self._meanwhile = meanwhile

    def score(self, picture: Picture) -> float:  # noqa: ARG002
        self._meanwhile()
        return 0.0


def _pipeline(app: "App", pool: database.Database, objects: S3ObjectStore, moderator: Moderator) -> PhotoPipeline:
    settings = app.settings
    storage = PhotoStorage(objects, settings.bucket_originals, settings.bucket_variants)
    sandbox = PhotoSandbox(PhotoLimits.of(settings))
    return PhotoPipeline(storage, PhotoRecords(pool), sandbox, moderator, Thresholds.of(settings))


def test_a_photo_that_is_deleted_while_it_is_processed_leaves_no_variants(
    app: "App", remove: Callable[[], None], leftovers: Leftovers
) -> None:
    author, objects = app.person(), S3ObjectStore.connect(app.settings)
    remove()
    before = set(objects.keys(app.settings.bucket_variants, ""))
    photo_id = author.upload(picture(9087))
    moderator = _Deleting(lambda: author.call("DELETE", f"/v1/photos/{photo_id}"))
    with database.pool(app.settings) as pool:
        pipeline = _pipeline(app, pool, objects, moderator)
        with pipeline.sandbox:
            pipeline.handle([Envelope("photo.uploaded", "1", {"photoId": decode_id(photo_id)})])
    assert set(objects.keys(app.settings.bucket_variants, "")) == before
    assert _left(leftovers, photo_id) == set()


def test_variants_of_a_worker_that_died_are_found_when_the_photo_is_deleted(
    app: "App", remove: Callable[[], None]
) -> None:
    author, objects = app.person(), S3ObjectStore.connect(app.settings)
    remove()
    before = set(objects.keys(app.settings.bucket_variants, ""))
    photo_id = author.upload(picture(9088))

    def die(bucket: str) -> None:
        raise RuntimeError(bucket)

    with database.pool(app.settings) as pool:
        pipeline = _pipeline(app, pool, _Hooked(objects, after_put=die), InMemoryModerator())
        with pipeline.sandbox, pytest.raises(RuntimeError):
            pipeline.handle([Envelope("photo.uploaded", "1", {"photoId": decode_id(photo_id)})])
    assert set(objects.keys(app.settings.bucket_variants, "")) > before
    author.call("DELETE", f"/v1/photos/{photo_id}")
    remove()
    assert set(objects.keys(app.settings.bucket_variants, "")) == before


def test_a_zoom_size_of_a_worker_that_died_is_found_when_the_photo_is_deleted(
    app: "App", remove: Callable[[], None], leftovers: Leftovers
) -> None:
    author, objects = app.person(), S3ObjectStore.connect(app.settings)
    remove()
    before = set(objects.keys(app.settings.bucket_variants, ""))
    photo_id = author.upload(picture(9089, (2000, 1500)))
    app.work()
    published = set(objects.keys(app.settings.bucket_variants, ""))

    def die(bucket: str) -> None:
        raise RuntimeError(bucket)

    settings = app.settings
    storage = PhotoStorage(_Hooked(objects, after_put=die), settings.bucket_originals, settings.bucket_variants)
    with database.pool(settings) as pool, PhotoSandbox(PhotoLimits.of(settings), ZOOM_OUTPUTS) as sandbox:
        zoom = ZoomPipeline(storage, PhotoRecords(pool), sandbox)
        with pytest.raises(RuntimeError):
            zoom.handle([Envelope("photo.zoom", "1", {"photoId": decode_id(photo_id)})])
    (orphan,) = set(objects.keys(settings.bucket_variants, "")) - published
    assert {one["size"] for one in author.get(f"/v1/photos/{photo_id}")["variants"]} == {150, 320, 640, 1080}
    author.call("DELETE", f"/v1/photos/{photo_id}")
    assert orphan in [one.name for one in leftovers.of(decode_id(photo_id)) if one.kind == "variant"]
    remove()
    assert set(objects.keys(settings.bucket_variants, "")) == before
