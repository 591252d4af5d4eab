import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from ingestion.photos.moderation import InMemoryModerator, Thresholds
from ingestion.photos.pipeline import PhotoPipeline
from ingestion.photos.process import ProcessedPhoto
from ingestion.photos.records import PhotoRecords
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.sizes import ZOOM_OUTPUTS, Outputs
from ingestion.photos.steps import StepClock
from ingestion.photos.storage import PhotoStorage
from ingestion.photos.validate import PhotoLimits
from ingestion.photos.variants import Variant
from ingestion.photos.zoom import ZoomPipeline
from photofeed import database
from photofeed.errors import NotFoundError
from photofeed.events import Envelope
from photofeed.ids import decode_id
from photofeed.object_store import S3ObjectStore
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App


@pytest.fixture(scope="module")
def large(app: "App") -> str:
    """A published photo that has more pixels than a feed needs, and whose zoom size is still to be made."""
    photo_id = app.person().upload(picture(40, (2400, 1800)))
    app.work()
    return photo_id


@pytest.fixture(scope="module")
def small(app: "App") -> str:
    photo_id = app.person().upload(picture(41))
    app.work()
    return photo_id


def test_the_zoom_size_is_stood_in_for_until_it_is_made(app: "App", large: str) -> None:
    path = f"/photos/{large}/3840"
    before = app.http.get(path, headers={"Accept": "image/webp"})
    assert before.content == app.http.get(f"/photos/{large}/1080.webp").content
    assert before.headers["cache-control"] == "public, max-age=60"
    app.zoom()
    after = app.http.get(path, headers={"Accept": "image/webp"})
    assert after.headers["etag"] != before.headers["etag"]
    assert "immutable" in after.headers["cache-control"]
    assert len(after.content) > len(before.content)
    assert app.http.get(f"{path}.jpg").headers["content-type"] == "image/jpeg"


def test_avif_is_for_those_who_take_it_where_it_is_made(app: "App") -> None:
    photo_id = app.person().upload(picture(45))
    limits, settings = PhotoLimits.of(app.settings), app.settings
    storage = PhotoStorage(S3ObjectStore.connect(settings), settings.bucket_originals, settings.bucket_variants)
    with database.pool(settings) as pool, PhotoSandbox(limits, Outputs(avif=True)) as sandbox:
        pipeline = PhotoPipeline(storage, PhotoRecords(pool), sandbox, InMemoryModerator(), Thresholds.of(settings))
        pipeline.handle([Envelope("photo.uploaded", "", {"photoId": decode_id(photo_id)})])
    path, modern = f"/photos/{photo_id}/640", {"Accept": "image/avif,image/webp,*/*"}
    avif = app.http.get(path, headers=modern)
    assert (avif.headers["content-type"], avif.headers["vary"]) == ("image/avif", "Accept")
    assert Image.open(io.BytesIO(avif.content)).format == "AVIF"
    assert app.http.get(f"{path}.avif").content == avif.content
    assert app.http.get(path, headers={"Accept": "image/webp"}).headers["content-type"] == "image/webp"
    assert app.http.get(f"/photos/{photo_id}/150", headers=modern).headers["content-type"] == "image/webp"


def test_a_small_photo_needs_no_zooming(app: "App", small: str) -> None:
    zoomed = app.http.get(f"/photos/{small}/3840.jpg")
    assert "immutable" in zoomed.headers["cache-control"]
    assert zoomed.content == app.http.get(f"/photos/{small}/1080.jpg").content
    assert "photo.zoom" not in [kind for kind, _ in app.told(small)]


def test_zooming_twice_or_a_photo_that_is_gone_changes_nothing(app: "App") -> None:
    author = app.person()
    photo_id = author.upload(picture(42, (2400, 1800)))
    gone = author.upload(picture(43, (2400, 1800)))
    app.work()
    assert author.call("DELETE", f"/v1/photos/{gone}").status_code == 204
    app.zoom()
    once = author.get(f"/v1/photos/{photo_id}")
    with database.connect(app.settings) as connection:
        row = connection.execute("select variants from photos where id = %s", (decode_id(photo_id),)).fetchone()
    app.repeat("photo.zoom", photo_id)
    app.zoom()
    assert author.get(f"/v1/photos/{photo_id}") == once
    assert sorted(v["size"] for v in once["variants"]) == [150, 150, 640, 640, 1080, 1080, 3840, 3840]
    with database.connect(app.settings) as connection:
        again = connection.execute("select variants from photos where id = %s", (decode_id(photo_id),)).fetchone()
    assert again == row


def test_a_photo_deleted_while_its_zoom_size_is_made_leaves_nothing_behind(app: "App") -> None:
    author = app.person()
    photo_id = author.upload(picture(44, (2400, 1800)))
    app.work()
    made: list[Variant] = []

    class DeletedMeanwhile(PhotoSandbox):
        def process(self, data: bytes, clock: StepClock | None = None) -> ProcessedPhoto:
            photo = super().process(data, clock)
            made.extend(photo.variants)
            assert author.call("DELETE", f"/v1/photos/{photo_id}").status_code == 204
            return photo

    limits, objects = PhotoLimits.of(app.settings), S3ObjectStore.connect(app.settings)
    storage = PhotoStorage(objects, app.settings.bucket_originals, app.settings.bucket_variants)
    with database.pool(app.settings) as pool, DeletedMeanwhile(limits, ZOOM_OUTPUTS) as sandbox:
        message = Envelope("photo.zoom", "", {"photoId": decode_id(photo_id)})
        ZoomPipeline(storage, PhotoRecords(pool), sandbox).handle([message])
    assert made
    for variant in made:
        with pytest.raises(NotFoundError):
            objects.head(app.settings.bucket_variants, variant.key)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-9", 0, 9), ("bytes=100-", 100, None), ("bytes=-7", -7, None), ("bytes=5-99999999", 5, None)],
)
def test_a_part_of_an_image(app: "App", small: str, asked: str, first: int, last: int | None) -> None:
    path = f"/photos/{small}/640.jpg"
    whole = app.http.get(path)
    assert whole.headers["accept-ranges"] == "bytes"
    part = app.http.get(path, headers={"Range": asked})
    assert part.status_code == 206
    expected = whole.content[first : None if last is None else last + 1]
    assert part.content == expected
    start = first % len(whole.content)
    assert part.headers["content-range"] == f"bytes {start}-{start + len(expected) - 1}/{len(whole.content)}"
    assert part.headers["etag"] == whole.headers["etag"]


@pytest.mark.parametrize("asked", ["bytes=9-2", "bytes=-", "bytes=0-1,5-6", "lines=1-2", "bytes=x-"])
def test_a_range_that_makes_no_sense_gets_everything(app: "App", small: str, asked: str) -> None:
    whole = app.http.get(f"/photos/{small}/150.jpg")
    reply = app.http.get(f"/photos/{small}/150.jpg", headers={"Range": asked})
    assert (reply.status_code, reply.content) == (200, whole.content)


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_a_range_behind_the_end_is_refused_with_the_length(app: "App", small: str, asked: str) -> None:
    length = len(app.http.get(f"/photos/{small}/150.jpg").content)
    reply = app.http.get(f"/photos/{small}/150.jpg", headers={"Range": asked})
    assert reply.status_code == 416
    assert reply.headers["content-range"] == f"bytes */{length}"


def test_a_part_of_a_file_that_has_changed_is_not_given(app: "App", small: str) -> None:
    path = f"/photos/{small}/150.jpg"
    etag = app.http.get(path).headers["etag"]
    assert app.http.get(path, headers={"Range": "bytes=0-1", "If-Range": etag}).status_code == 206
    assert app.http.get(path, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status_code == 200


def test_what_a_client_has_is_not_sent_again(app: "App", small: str) -> None:
    path = f"/photos/{small}/150.jpg"
    etag = app.http.get(path).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        reply = app.http.get(path, headers={"If-None-Match": known, "Range": "bytes=0-1"})
        assert (reply.status_code, reply.content) == (304, b"")
    assert app.http.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_head_says_what_get_would_say(app: "App", small: str) -> None:
    head, get = app.http.head(f"/photos/{small}/640.webp"), app.http.get(f"/photos/{small}/640.webp")
    assert head.content == b""
    assert dict(head.headers) == dict(get.headers)


def test_a_format_the_client_refuses_is_not_sent(app: "App", small: str) -> None:
    reply = app.http.get(f"/photos/{small}/640", headers={"Accept": "image/webp;q=0, image/*"})
    assert reply.headers["content-type"] == "image/jpeg"
