"""The contract of ObjectStore, on the double and on S3; and what signed URLs must refuse."""

import base64
import hashlib
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from photofeed.errors import ConflictError, NotFoundError
from photofeed.object_store import ObjectStore, S3ObjectStore, UploadConditions
from photofeed.settings import Settings
from tests.doubles.object_store import InMemoryObjectStore

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

BUCKET = Settings().bucket_originals


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    if request.param == "memory":
        return InMemoryObjectStore()
    stack: EmbeddedStack = request.getfixturevalue("stack")
    return S3ObjectStore.connect(stack.settings())


@pytest.fixture
def key() -> str:
    return f"contract/{uuid.uuid4().hex}"


def test_an_object_is_read_as_it_was_written(store: ObjectStore, key: str) -> None:
    store.put(BUCKET, key, b"first", "text/plain")
    store.put(BUCKET, key, b"second!", "image/jpeg")
    assert store.get(BUCKET, key) == b"second!"
    info = store.head(BUCKET, key)
    assert (info.size, info.media_type) == (7, "image/jpeg")
    assert info.etag == hashlib.md5(b"second!", usedforsecurity=False).hexdigest()


def test_one_of_two_concurrent_writers_of_a_new_object_succeeds(store: ObjectStore, key: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda n: store.put_new(BUCKET, key, b"by %d" % n, "text/plain"), range(8)))
    assert sum(written) == 1
    assert store.get(BUCKET, key) == b"by %d" % written.index(True)


def test_a_missing_object_is_not_found(store: ObjectStore, key: str) -> None:
    with pytest.raises(NotFoundError):
        store.get(BUCKET, key)
    with pytest.raises(NotFoundError):
        store.head(BUCKET, key)


def test_an_object_is_copied_only_if_it_has_the_expected_etag(store: ObjectStore, key: str) -> None:
    store.put(BUCKET, f"{key}/source", b"checked", "image/jpeg")
    etag = store.head(BUCKET, f"{key}/source").etag
    assert store.copy(BUCKET, f"{key}/source", f"{key}/target", etag) == store.head(BUCKET, f"{key}/target").etag
    assert store.get(BUCKET, f"{key}/target") == b"checked"
    store.put(BUCKET, f"{key}/source", b"swapped", "image/jpeg")
    with pytest.raises(ConflictError):
        store.copy(BUCKET, f"{key}/source", f"{key}/target", etag)
    assert store.get(BUCKET, f"{key}/target") == b"checked"
    store.delete(BUCKET, f"{key}/source")
    with pytest.raises(NotFoundError):
        store.copy(BUCKET, f"{key}/source", f"{key}/target", etag)


def test_an_object_is_read_only_if_it_has_the_expected_etag(store: ObjectStore, key: str) -> None:
    store.put(BUCKET, key, b"checked", "image/jpeg")
    etag = store.head(BUCKET, key).etag
    assert store.get(BUCKET, key, etag=etag) == b"checked"
    store.put(BUCKET, key, b"swapped", "image/jpeg")
    with pytest.raises(ConflictError):
        store.get(BUCKET, key, etag=etag)


def test_an_object_can_be_deleted_twice(store: ObjectStore, key: str) -> None:
    store.put(BUCKET, key, b"x", "text/plain")
    store.delete(BUCKET, key)
    store.delete(BUCKET, key)
    with pytest.raises(NotFoundError):
        store.get(BUCKET, key)


def test_keys_are_listed_by_prefix_in_order(store: ObjectStore, key: str) -> None:
    for name in ("b", "a", "c/d"):
        store.put(BUCKET, f"{key}/{name}", b"x", "text/plain")
    assert list(store.keys(BUCKET, f"{key}/")) == [f"{key}/a", f"{key}/b", f"{key}/c/d"]
    assert list(store.keys(BUCKET, f"{key}/none")) == []


@pytest.fixture
def s3(stack: "EmbeddedStack") -> S3ObjectStore:
    return S3ObjectStore.connect(stack.settings())


BODY = b"the bytes of a photo"
SHA256 = base64.b64encode(hashlib.sha256(BODY).digest()).decode()


def test_a_plain_put_to_a_signed_url_works(s3: S3ObjectStore, key: str) -> None:
    url = s3.presign_put(BUCKET, key, 60, UploadConditions())
    assert httpx.put(url, content=BODY, headers={"Content-Type": "image/png"}).status_code == 200
    assert s3.get(BUCKET, key) == BODY


def test_the_conditions_of_a_signed_url_are_enforced(s3: S3ObjectStore, key: str) -> None:
    conditions = UploadConditions("image/jpeg", len(BODY), SHA256)
    url = s3.presign_put(BUCKET, key, 60, conditions)
    right = {"Content-Type": "image/jpeg", "x-amz-checksum-sha256": SHA256}
    assert httpx.put(url, content=BODY, headers=right | {"Content-Type": "image/png"}).status_code == 403
    assert httpx.put(url, content=BODY + b"!", headers=right).status_code == 403
    assert httpx.put(url, content=BODY[::-1], headers=right).status_code == 400
    assert httpx.put(url, content=BODY, headers=right).status_code == 200


def test_a_signed_url_is_valid_for_its_key_and_time_only(s3: S3ObjectStore, key: str) -> None:
    url = s3.presign_put(BUCKET, key, 60, UploadConditions())
    assert httpx.put(url.replace(key, key + "x"), content=BODY).status_code == 403
    assert httpx.put(url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"), content=BODY).status_code == 403
    assert httpx.get(url).status_code == 403
    assert httpx.put(url.partition("?")[0], content=BODY).status_code == 403


def test_uploads_are_accepted_from_the_named_origins_only(stack: "EmbeddedStack", key: str) -> None:
    settings = stack.settings()
    store = S3ObjectStore.connect(settings)
    url = store.presign_put(BUCKET, key, 60, UploadConditions())
    allowed, other = "https://app.example", "https://other.example"

    def preflight(origin: str) -> httpx.Response:
        asked = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
        return httpx.options(url, headers=asked | {"Access-Control-Request-Headers": "content-type"})

    assert preflight(allowed).status_code == 403
    try:
        store.accept_uploads_from(BUCKET, (settings.public_url, allowed))
        for origin in (allowed, settings.public_url):
            reply = preflight(origin)
            assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (200, origin)
        assert preflight(other).status_code == 403
    finally:
        store.accept_uploads_from(BUCKET, [settings.public_url])
