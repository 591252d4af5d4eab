"""The sweeper cleans up after clients and crashes: rows in PostgreSQL, objects and parts in S3."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from ingestion.bootstrap.removal import open_sweeper
from ingestion.sweeper import Sweeper
from photofeed import database
from photofeed.errors import NotFoundError
from photofeed.ids import decode_id
from tests.api.pictures import picture, upload_key_of

if TYPE_CHECKING:
    from tests.api.conftest import App, Person

EXPIRED = timedelta(minutes=19)


@pytest.fixture
def sweeper(app: "App") -> Iterator[Sweeper]:
    with open_sweeper(app.settings) as sweeper:
        yield sweeper


def _set(app: "App", photo_id: str, assignment: str, *values: object) -> None:
    with database.connect(app.settings) as connection:
        query = f"update photos set {assignment} where id = %s"  # noqa: S608  the test's own words
        connection.execute(query.encode(), (*values, decode_id(photo_id)))


def _begun(person: "Person") -> tuple[str, str]:
    reply = person.call("POST", "/v1/photos/initiate").json()
    return reply["photoId"], upload_key_of(reply)


def test_an_upload_that_is_never_completed_fails_and_its_object_is_deleted(app: "App", sweeper: Sweeper) -> None:
    person, bucket = app.person(), app.settings.bucket_originals
    initiated = person.call("POST", "/v1/photos/initiate").json()
    old, old_key = initiated["photoId"], upload_key_of(initiated)
    assert httpx.put(initiated["uploadUrl"], content=b"half a photo").status_code == 200
    young, _ = _begun(person)
    _set(app, old, "initiated_at = %s", datetime.now(UTC) - EXPIRED)

    assert sweeper.sweep(datetime.now(UTC)).expired >= 1
    photo = person.get(f"/v1/photos/{old}")
    assert (photo["status"], photo["failure"]["code"]) == ("failed", "upload_expired")
    with pytest.raises(NotFoundError):
        sweeper.objects.head(bucket, old_key)
    assert person.get(f"/v1/photos/{young}")["status"] == "awaiting_upload"
    assert person.call("POST", f"/v1/photos/{old}/complete").json()["failure"]["code"] == "upload_expired"


def test_a_backdated_photo_is_as_old_as_its_upload(app: "App", sweeper: Sweeper) -> None:
    person = app.person()
    body = {"createdAt": "2026-01-01T00:00:00Z"}
    reply = app.service.call("POST", "/v1/photos/initiate", json=body, headers={"Act-As": person.id})
    sweeper.sweep(datetime.now(UTC))
    assert person.get(f"/v1/photos/{reply.json()['photoId']}")["status"] == "awaiting_upload"


def test_a_stuck_photo_goes_back_on_its_topic_and_becomes_ready(app: "App", sweeper: Sweeper) -> None:
    person = app.person()
    photo_id = person.upload(picture(70))
    with database.connect(app.settings) as connection:
        connection.execute("delete from outbox")  # its message is lost
    app.work()
    assert person.get(f"/v1/photos/{photo_id}")["status"] == "processing"
    now = datetime.now(UTC)
    assert sweeper.sweep(now).requeued == 0  # too early
    _set(app, photo_id, "completed_at = %s", now - timedelta(hours=2))
    assert sweeper.sweep(now).requeued >= 1
    assert sweeper.sweep(now).requeued == 0  # requeued once, and again only after the same time
    app.work()
    assert person.get(f"/v1/photos/{photo_id}")["status"] == "ready"


def test_a_photo_that_is_requeued_too_often_fails(app: "App", sweeper: Sweeper) -> None:
    person = app.person()
    photo_id = person.upload(picture(71))
    _set(app, photo_id, "completed_at = %s, requeues = 5", datetime.now(UTC) - timedelta(hours=2))
    assert sweeper.sweep(datetime.now(UTC)).given_up >= 1
    photo = person.get(f"/v1/photos/{photo_id}")
    assert (photo["status"], photo["failure"]["code"]) == ("failed", "unprocessable")


def test_parts_of_incomplete_multipart_uploads_are_deleted(app: "App", sweeper: Sweeper) -> None:
    settings = app.settings
    s3: Any = boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
    )
    bucket = settings.bucket_originals
    upload = s3.create_multipart_upload(Bucket=bucket, Key="1/left-over")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="1/left-over", UploadId=upload, PartNumber=1, Body=b"x" * 1000)
    assert sweeper.sweep(datetime.now(UTC)).multipart == 0
    assert sweeper.objects.abort_multipart(bucket, datetime.now(UTC) + timedelta(minutes=1)) == 1
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
    s3.close()
