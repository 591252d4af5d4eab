"""Locations of photos: kept only if the owner opts in, and shown only to the owner."""

import io
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from PIL.ExifTags import IFD

from photofeed import database, topics
from photofeed.ids import decode_id
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person

PARIS = {"latitude": 48.858056, "longitude": 2.294444}


def taken_in_paris(seed: int) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(IFD.GPSInfo).update({1: "N", 2: (48.0, 51.0, 29.0), 3: "E", 4: (2.0, 17.0, 40.0)})
    file = io.BytesIO()
    Image.open(io.BytesIO(picture(seed))).save(file, "JPEG", exif=exif)
    return file.getvalue()


def kept(app: "App", photo_id: str) -> tuple[Any, Any]:
    with database.connect(app.settings) as connection:
        row = connection.execute(
            "select latitude, longitude from photo_metadata where photo_id = %s", (decode_id(photo_id),)
        ).fetchone()
    assert row
    return row["latitude"], row["longitude"]


def keep_places(person: "Person", *, keep: bool) -> None:
    reply = person.call("PATCH", "/v1/me", json={"keepPlaces": keep})
    assert (reply.status_code, reply.json()["keepPlaces"]) == (200, keep)


def test_locations_are_not_kept_by_default(app: "App") -> None:
    author = app.person()
    assert author.get("/v1/me")["keepPlaces"] is False
    photo_id = author.upload(taken_in_paris(110))
    app.work()
    assert kept(app, photo_id) == (None, None)
    assert author.get(f"/v1/photos/{photo_id}")["place"] is None


def test_a_kept_location_is_shown_to_its_owner_only_and_is_in_no_file_or_message(app: "App") -> None:
    author, other = app.person(), app.person()
    keep_places(author, keep=True)
    photo_id = author.upload(taken_in_paris(111))
    app.work()
    app.zoom()
    assert kept(app, photo_id) == (pytest.approx(48.858056), pytest.approx(2.294444))
    assert author.get(f"/v1/photos/{photo_id}")["place"] == PARIS
    seen = other.get(f"/v1/photos/{photo_id}")
    assert (seen["id"], seen["place"]) == (photo_id, None)
    assert "48.858" not in other.call("GET", f"/v1/users/{author.id}/posts").text
    assert "keepPlaces" not in other.get(f"/v1/users/{author.id}")
    for size in (150, 320, 640, 1080, 3840):
        for extension in ("jpg", "webp"):
            file = app.http.get(f"/photos/{photo_id}/{size}.{extension}")
            assert not Image.open(io.BytesIO(file.content)).getexif()
    consumer = app.log.consumer(uuid.uuid4().hex, (topics.PHOTO_UPLOADED, topics.PHOTO_PROCESSED, topics.PHOTO_ZOOM))
    messages = [m.value for m in consumer.poll(1_000_000, 0) if str(decode_id(photo_id)).encode() in m.value]
    assert len(messages) >= 2
    assert not [message for message in messages if b"48.858" in message or b"latitude" in message]


def test_locations_are_deleted_when_their_owner_opts_out(app: "App") -> None:
    author, other = app.person(), app.person()
    for person in (author, other):
        keep_places(person, keep=True)
    photo_id, theirs = author.upload(taken_in_paris(112)), other.upload(taken_in_paris(113))
    app.work()
    assert author.call("PATCH", "/v1/me", json={"isPrivate": True}).json()["keepPlaces"] is True
    assert kept(app, photo_id) != (None, None)
    keep_places(author, keep=False)
    assert kept(app, photo_id) == (None, None)
    assert author.get(f"/v1/photos/{photo_id}")["place"] is None
    assert author.get("/v1/me")["isPrivate"] is True
    assert kept(app, theirs) != (None, None)
