"""What every object store must do, in memory and on a real S3 server; and what S3 signatures must refuse."""

import base64
import hashlib
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from photofeed.errors import NotFoundError
from photofeed.object_store import InMemoryObjectStore, ObjectStore, S3ObjectStore, UploadConditions
from photofeed.settings import Settings

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


def test_of_two_who_write_a_new_object_one_succeeds(store: ObjectStore, key: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda n: store.put_new(BUCKET, key, b"by %d" % n, "text/plain"), range(8)))
    assert sum(written) == 1
    assert store.get(BUCKET, key) == b"by %d" % written.index(True)


def test_what_is_not_there_is_said_not_to_be(store: ObjectStore, key: str) -> None:
    with pytest.raises(NotFoundError):
        store.get(BUCKET, key)
    with pytest.raises(NotFoundError):
        store.head(BUCKET, key)


def test_deleting_twice_is_deleting_once(store: ObjectStore, key: str) -> None:
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


def test_a_bare_put_to_a_signed_address_works(s3: S3ObjectStore, key: str) -> None:
    url = s3.presign_put(BUCKET, key, 60, UploadConditions())
    assert httpx.put(url, content=BODY, headers={"Content-Type": "image/png"}).status_code == 200
    assert s3.get(BUCKET, key) == BODY


def test_what_was_announced_is_held_to(s3: S3ObjectStore, key: str) -> None:
    conditions = UploadConditions("image/jpeg", len(BODY), SHA256)
    url = s3.presign_put(BUCKET, key, 60, conditions)
    right = {"Content-Type": "image/jpeg", "x-amz-checksum-sha256": SHA256}
    assert httpx.put(url, content=BODY, headers=right | {"Content-Type": "image/png"}).status_code == 403
    assert httpx.put(url, content=BODY + b"!", headers=right).status_code == 403
    assert httpx.put(url, content=BODY[::-1], headers=right).status_code == 400
    assert httpx.put(url, content=BODY, headers=right).status_code == 200


def test_an_address_is_for_its_own_key_and_time_only(s3: S3ObjectStore, key: str) -> None:
    url = s3.presign_put(BUCKET, key, 60, UploadConditions())
    assert httpx.put(url.replace(key, key + "x"), content=BODY).status_code == 403
    assert httpx.put(url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"), content=BODY).status_code == 403
    assert httpx.get(url).status_code == 403
    assert httpx.put(url.partition("?")[0], content=BODY).status_code == 403
