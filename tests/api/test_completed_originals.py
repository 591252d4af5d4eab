"""A completed upload is immutable: what was moderated is what is published, whatever its owner uploads afterwards."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image

from ingestion.bootstrap.removal import open_sweeper
from ingestion.sweeper import Sweeper
from photofeed import database
from photofeed.errors import NotFoundError
from photofeed.ids import decode_id
from photofeed.object_store import ObjectInfo, S3ObjectStore
from photofeed.original_keys import UPLOADS, completed_key
from tests.api.pictures import upload_key_of

if TYPE_CHECKING:
    from tests.api.conftest import App, Person

GREEN, RED = (60, 130, 60), (190, 60, 60)
GRACE = timedelta(minutes=4)


def _plain(colour: tuple[int, int, int]) -> bytes:
    data = BytesIO()
    Image.new("RGB", (2400, 1800), colour).save(data, format="JPEG")
    return data.getvalue()


@pytest.fixture
def sweeper(app: "App") -> Iterator[Sweeper]:
    with open_sweeper(app.settings) as sweeper:
        yield sweeper


@pytest.fixture
def objects(app: "App") -> S3ObjectStore:
    return S3ObjectStore.connect(app.settings)


def _initiated(person: "Person") -> dict[str, Any]:
    ticket: dict[str, Any] = person.call("POST", "/v1/photos/initiate").json()
    return ticket


def _completed(person: "Person", data: bytes) -> dict[str, Any]:
    ticket = _initiated(person)
    assert httpx.put(ticket["uploadUrl"], content=data).status_code == 200
    assert person.call("POST", f"/v1/photos/{ticket['photoId']}/complete").status_code == 202
    return ticket


def _colour(app: "App", photo_id: str, size: int) -> str:
    pixel = Image.open(BytesIO(app.http.get(f"/photos/{photo_id}/{size}.jpg").content)).convert("RGB").getpixel((9, 9))
    assert isinstance(pixel, tuple)
    return "green" if pixel[1] > pixel[0] else "red"


def _row(app: "App", photo_id: str) -> dict[str, Any]:
    with database.connect(app.settings) as connection:
        row = connection.execute("select * from photos where id = %s", (decode_id(photo_id),)).fetchone()
    assert row
    return row


def test_a_file_uploaded_after_the_photo_is_ready_is_not_published(app: "App") -> None:
    author = app.person()
    ticket = _completed(author, _plain(GREEN))
    app.work()
    assert author.get(f"/v1/photos/{ticket['photoId']}")["status"] == "ready"
    assert httpx.put(ticket["uploadUrl"], content=_plain(RED)).status_code == 200
    app.zoom()
    photo = author.get(f"/v1/photos/{ticket['photoId']}")
    assert {one["size"] for one in photo["variants"]} == {150, 320, 640, 1080, 3840}
    assert {_colour(app, ticket["photoId"], size) for size in (150, 320, 640, 1080, 3840)} == {"green"}


def test_a_file_uploaded_between_completion_and_processing_is_not_published(app: "App") -> None:
    ticket = _completed(app.person(), _plain(GREEN))
    assert httpx.put(ticket["uploadUrl"], content=_plain(RED)).status_code == 200
    app.work()
    assert _colour(app, ticket["photoId"], 640) == "green"


def test_a_zoom_size_is_never_made_of_other_bytes_than_those_that_were_moderated(
    app: "App", objects: S3ObjectStore
) -> None:
    author = app.person()
    ticket = _completed(author, _plain(GREEN))
    app.work()
    row = _row(app, ticket["photoId"])
    assert row["original_sha256"] == hashlib.sha256(_plain(GREEN)).hexdigest()
    objects.put(app.settings.bucket_originals, row["original_key"], _plain(RED), "image/jpeg")
    app.zoom()
    assert _colour(app, ticket["photoId"], 3840) == "green"  # the next smaller size
    assert 3840 not in {one["size"] for one in author.get(f"/v1/photos/{ticket['photoId']}")["variants"]}


def test_the_etag_of_a_completed_upload_is_recorded_and_checked(app: "App", objects: S3ObjectStore) -> None:
    author = app.person()
    ticket = _completed(author, _plain(GREEN))
    row = _row(app, ticket["photoId"])
    assert row["original_etag"] == objects.head(app.settings.bucket_originals, row["original_key"]).etag
    objects.put(app.settings.bucket_originals, row["original_key"], _plain(RED), "image/jpeg")
    app.work()
    photo = author.get(f"/v1/photos/{ticket['photoId']}")
    assert (photo["status"], photo["failure"]["code"]) == ("failed", "damaged")


def test_photos_completed_before_etags_were_recorded_are_still_processed(app: "App", objects: S3ObjectStore) -> None:
    author = app.person()
    ticket = _completed(author, _plain(GREEN))
    photo, owner = decode_id(ticket["photoId"]), decode_id(author.id)
    bucket, key = app.settings.bucket_originals, f"{owner}/{photo}"
    objects.put(bucket, key, _plain(GREEN), "image/jpeg")
    objects.delete(bucket, completed_key(owner, photo))
    with database.connect(app.settings) as connection:
        connection.execute(
            "update photos set original_key = %s, upload_key = null, original_etag = null where id = %s", (key, photo)
        )
    app.work()
    app.zoom()
    assert _colour(app, ticket["photoId"], 3840) == "green"


def test_concurrent_completions_publish_one_file(app: "App", objects: S3ObjectStore) -> None:
    author = app.person()
    ticket = _initiated(author)
    httpx.put(ticket["uploadUrl"], content=_plain(GREEN))
    with ThreadPoolExecutor(6) as pool:
        path = f"/v1/photos/{ticket['photoId']}/complete"
        replies = list(pool.map(lambda _: author.call("POST", path), range(6)))
    assert {reply.status_code for reply in replies} == {202}
    row = _row(app, ticket["photoId"])
    assert objects.get(app.settings.bucket_originals, row["original_key"], etag=row["original_etag"])
    assert not list(objects.keys(app.settings.bucket_originals, upload_key_of(ticket)))


def test_an_upload_that_is_replaced_while_it_is_copied_is_checked_again(
    app: "App", objects: S3ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = app.person()
    ticket = _initiated(author)
    key, bucket = upload_key_of(ticket), app.settings.bucket_originals
    objects.put(bucket, key, _plain(GREEN), "image/jpeg")
    head, heads = S3ObjectStore.head, list[ObjectInfo]()

    def replaced(self: S3ObjectStore, bucket: str, key: str) -> ObjectInfo:
        info = head(self, bucket, key)
        if not heads:
            objects.put(bucket, key, _plain(RED), "image/jpeg")
        heads.append(info)
        return info

    monkeypatch.setattr(S3ObjectStore, "head", replaced)
    assert author.call("POST", f"/v1/photos/{ticket['photoId']}/complete").status_code == 202
    assert len(heads) == 2
    app.work()
    assert _colour(app, ticket["photoId"], 640) == "red"  # moderated as such


def test_a_file_that_is_too_large_is_deleted_when_it_is_refused(app: "App", objects: S3ObjectStore) -> None:
    author = app.person()
    ticket = _initiated(author)
    size = app.settings.upload_max_bytes + 1
    assert httpx.put(ticket["uploadUrl"], content=bytes(size), timeout=60).status_code == 200
    reply = author.call("POST", f"/v1/photos/{ticket['photoId']}/complete")
    assert (reply.status_code, reply.json()["code"]) == (422, "too_large")
    with pytest.raises(NotFoundError):
        objects.head(app.settings.bucket_originals, upload_key_of(ticket))
    reply = author.call("POST", f"/v1/photos/{ticket['photoId']}/complete")
    assert (reply.status_code, reply.json()["code"]) == (409, "not_uploaded")


def test_nothing_is_left_under_upload_addresses_once_they_have_expired(
    app: "App", sweeper: Sweeper, objects: S3ObjectStore
) -> None:
    author, bucket = app.person(), app.settings.bucket_originals
    again, abandoned, deleted = _completed(author, _plain(GREEN)), _initiated(author), _initiated(author)
    author.call("DELETE", f"/v1/photos/{deleted['photoId']}")
    for ticket in (again, abandoned, deleted):
        assert httpx.put(ticket["uploadUrl"], content=b"parked").status_code == 200
    sweeper.sweep(datetime.now(UTC))
    keys = {upload_key_of(one) for one in (again, abandoned, deleted)}
    assert keys <= set(objects.keys(bucket, UPLOADS))
    assert sweeper.sweep(datetime.fromisoformat(abandoned["expiresAt"]) + GRACE).parked >= len(keys) - 1
    assert not keys & set(objects.keys(bucket, UPLOADS))
