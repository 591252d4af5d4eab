"""The sweeper cleans up after clients and crashes: rows in PostgreSQL, objects and parts in S3."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from prometheus_client import REGISTRY

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


def _swept() -> dict[str, float]:
    """What was cleaned up since the process began, by kind."""
    samples = (sample for metric in REGISTRY.collect() for sample in metric.samples)
    return {one.labels["kind"]: one.value for one in samples if one.name == "photofeed_swept_total"}


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

    before = _swept()
    counts = asdict(sweeper.sweep(datetime.now(UTC)))
    assert counts["expired"] >= 1
    assert {kind: count - before.get(kind, 0) for kind, count in _swept().items()} == counts
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


def test_a_photo_that_is_stuck_after_five_requeues_fails(app: "App", sweeper: Sweeper) -> None:
    person = app.person()
    photo_id = person.upload(picture(71))
    _set(app, photo_id, "completed_at = %s", datetime.now(UTC) - timedelta(hours=2))
    for _ in range(5):
        counts = sweeper.sweep(datetime.now(UTC))
        assert (counts.requeued >= 1, counts.given_up) == (True, 0)
        _set(app, photo_id, "queued_at = %s", datetime.now(UTC) - timedelta(hours=2))
    counts = sweeper.sweep(datetime.now(UTC))
    assert (counts.requeued, counts.given_up >= 1) == (0, True)
    photo = person.get(f"/v1/photos/{photo_id}")
    assert (photo["status"], photo["failure"]["code"]) == ("failed", "unprocessable")


_KEPT_ROWS = """
with kept as (insert into upload_days values (%(user)s, %(day)s, 1)),
     told as (insert into told_changes values (%(id)s, %(at)s)),
     news as (insert into notifications (user_id, number, kind, subject, at)
              values (%(user)s, 1, 'follow', %(id)s, %(noticed_at)s))
insert into webhook_deliveries (endpoint_id, message_id, type, body, created_at)
values (%(user)s, %(id)s, 'photo.ready', '{}', %(sent_at)s)
"""
_STILL_KEPT = """
select (select array_agg(day) from upload_days where user_id = %(user)s) as days,
       (select array_agg(event_id) from told_changes where event_id = any(%(ids)s)) as changes,
       (select array_agg(subject) from notifications where user_id = %(user)s) as notifications,
       (select array_agg(message_id) from webhook_deliveries where endpoint_id = %(user)s) as deliveries
"""


def test_rows_are_deleted_at_the_end_of_their_retention(app: "App", sweeper: Sweeper) -> None:
    user, now, moment = decode_id(app.person().id), datetime.now(UTC), timedelta(minutes=1)
    names = {f"old {user}": -moment, f"young {user}": moment}
    old, young = names
    with database.connect(app.settings) as connection:
        endpoint = (
            "insert into webhook_endpoints (id, url, types, secret, disabled_at) values (%s, '', '{}', '', now())"
        )
        connection.execute(endpoint, (user,))
        for name, younger in names.items():
            row = {
                "user": user,
                "id": name,
                "day": now.date() - timedelta(days=8 if name == old else 7),
                "at": now - timedelta(days=8) + younger,
                "noticed_at": now - timedelta(days=90) + younger,
                "sent_at": now - timedelta(days=30) + younger,
            }
            connection.execute(_KEPT_ROWS, row)
        sweeper.sweep(now)
        left = connection.execute(_STILL_KEPT, {"user": user, "ids": list(names)}).fetchone()
        connection.execute("delete from webhook_endpoints where id = %s", (user,))
    assert left == {
        "days": [now.date() - timedelta(days=7)],
        "changes": [young],
        "notifications": [young],
        "deliveries": [young],
    }


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
