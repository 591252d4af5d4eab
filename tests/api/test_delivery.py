import io
from typing import TYPE_CHECKING

import httpx2
import pytest
from PIL import Image

from ingestion.photos.moderation import Thresholds
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
from photofeed.photo_sizes import IMAGE_NAMES, PHOTO_PIXELS
from tests.api.pictures import picture
from tests.doubles.moderator import InMemoryModerator

if TYPE_CHECKING:
    from tests.api.conftest import App


@pytest.fixture(scope="module")
def large(app: "App") -> str:
    """A published photo that is large enough for a zoom size, which does not exist yet."""
    photo_id = app.person().upload(picture(40, (2400, 1800)))
    app.work()
    return photo_id


@pytest.fixture(scope="module")
def small(app: "App") -> str:
    photo_id = app.person().upload(picture(41))
    app.work()
    return photo_id


def test_a_smaller_size_is_served_until_the_zoom_size_exists(app: "App", large: str) -> None:
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


def test_a_photo_of_before_a_size_was_added_serves_the_next_smaller_one(app: "App") -> None:
    photo_id = app.person().upload(picture(46))
    app.work()
    with database.connect(app.settings) as connection:
        connection.execute(
            "update photos set variants = (select jsonb_agg(one) from jsonb_array_elements(variants) one "
            "where one ->> 'size' <> '320') where id = %s",
            (decode_id(photo_id),),
        )
        connection.commit()
    served = app.http.get(f"/photos/{photo_id}/320.jpg")
    assert served.content == app.http.get(f"/photos/{photo_id}/150.jpg").content
    assert served.headers["cache-control"] == "public, max-age=60"


def test_avif_is_served_to_clients_that_accept_it(app: "App") -> None:
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


def test_a_small_photo_has_no_zoom_size(app: "App", small: str) -> None:
    zoomed = app.http.get(f"/photos/{small}/3840.jpg")
    assert "immutable" in zoomed.headers["cache-control"]
    assert zoomed.content == app.http.get(f"/photos/{small}/1080.jpg").content
    assert "photo.zoom" not in [kind for kind, _ in app.messages(small)]


def test_zooming_twice_or_after_a_deletion_changes_nothing(app: "App") -> None:
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
    assert sorted(v["size"] for v in once["variants"]) == [size for size in PHOTO_PIXELS for _ in range(2)]
    with database.connect(app.settings) as connection:
        again = connection.execute("select variants from photos where id = %s", (decode_id(photo_id),)).fetchone()
    assert again == row


def test_a_photo_that_nobody_sees_gets_no_zoom_size(app: "App") -> None:
    photo_id, moderator = app.person().upload(picture(49, (2400, 1800))), app.moderator()
    app.work()
    decisions = f"/v1/moderation/{photo_id}/decisions"
    assert moderator.call("POST", decisions, json={"decision": "reject", "reason": "no"}).status_code == 201
    app.zoom()
    with database.connect(app.settings) as connection:
        row = connection.execute("select variants from photos where id = %s", (decode_id(photo_id),)).fetchone()
    assert row is not None
    assert max(variant["size"] for variant in row["variants"]) < max(PHOTO_PIXELS)


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
def test_a_byte_range_returns_that_part_of_the_image(
    app: "App", small: str, asked: str, first: int, last: int | None
) -> None:
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
def test_an_invalid_range_returns_the_whole_image(app: "App", small: str, asked: str) -> None:
    whole = app.http.get(f"/photos/{small}/150.jpg")
    reply = app.http.get(f"/photos/{small}/150.jpg", headers={"Range": asked})
    assert (reply.status_code, reply.content) == (200, whole.content)


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_a_range_after_the_end_is_refused_with_the_length(app: "App", small: str, asked: str) -> None:
    length = len(app.http.get(f"/photos/{small}/150.jpg").content)
    reply = app.http.get(f"/photos/{small}/150.jpg", headers={"Range": asked})
    assert reply.status_code == 416
    assert reply.headers["content-range"] == f"bytes */{length}"


def test_a_range_of_a_changed_file_returns_the_whole_image(app: "App", small: str) -> None:
    path = f"/photos/{small}/150.jpg"
    etag = app.http.get(path).headers["etag"]
    assert app.http.get(path, headers={"Range": "bytes=0-1", "If-Range": etag}).status_code == 206
    assert app.http.get(path, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status_code == 200


def test_an_image_that_the_client_has_is_not_sent_again(app: "App", small: str) -> None:
    path = f"/photos/{small}/150.jpg"
    etag = app.http.get(path).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        reply = app.http.get(path, headers={"If-None-Match": known, "Range": "bytes=0-1"})
        assert (reply.status_code, reply.content) == (304, b"")
    assert app.http.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-1"}, {"Range": "bytes=99999999-"}, {"If-None-Match": "*"}])
def test_no_browser_guesses_the_type_of_an_image(app: "App", small: str, headers: dict[str, str]) -> None:
    reply = app.http.get(f"/photos/{small}/150.jpg", headers=headers)
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_head_says_what_get_would_say(app: "App", small: str) -> None:
    path, same = f"/photos/{small}/640.webp", {"X-Request-Id": "one"}
    head, get = app.http.head(path, headers=same), app.http.get(path, headers=same)
    assert head.content == b""
    assert _but_limits(head.headers) == _but_limits(get.headers)


def _but_limits(headers: httpx2.Headers) -> dict[str, str]:
    """All headers except those that count the calls."""
    return {name: value for name, value in headers.items() if not name.startswith("ratelimit-")}


def test_a_format_the_client_refuses_is_not_sent(app: "App", small: str) -> None:
    reply = app.http.get(f"/photos/{small}/640", headers={"Accept": "image/webp;q=0, image/*"})
    assert reply.headers["content-type"] == "image/jpeg"


MANY_DIGITS = "9" * 5000


@pytest.mark.parametrize(
    "name",
    [
        *("0640", "640.", "640.JPG", "640.png", "641", "\u0666\u0664\u0660", "", "640.jpg.jpg", "-640", MANY_DIGITS),
        *("640?x=1", "640?v", "640.jpg?width=640", "%36%34%30", "640%2Ejpg", "640.%6Apg", "640;v=1", "+640"),
    ],
)
def test_an_image_has_one_spelling(app: "App", small: str, name: str) -> None:
    assert app.http.get(f"/photos/{small}/640").status_code == 200
    for method in ("GET", "HEAD"):
        assert app.http.request(method, f"/photos/{small}/{name}").status_code == 404


def test_a_photo_is_delivered_under_the_names_that_are_purged_and_no_others(app: "App", small: str) -> None:
    answered = {
        name
        for ending in ("", ".jpg", ".webp", ".avif", ".jpeg", ".heic")
        for size in (*PHOTO_PIXELS, 0, 100, 320, 1920, 2160)
        if app.http.head(f"/photos/{small}/{(name := f'{size}{ending}')}").status_code == 200
    }
    assert answered == {name for name in IMAGE_NAMES if not name.endswith(".avif")}  # AVIF is off by default


def test_the_id_of_a_photo_has_one_spelling(app: "App", small: str) -> None:
    encoded = f"%{ord(small[0]):x}{small[1:]}"
    assert app.http.get(f"/photos/{encoded}/640").status_code == 404
    assert app.http.get(f"/photos/{small}%20/640").status_code == 404


def test_positions_of_a_range_may_have_any_number_of_digits(app: "App", small: str) -> None:
    path = f"/photos/{small}/150"
    whole = app.http.get(path)

    def part(text: str) -> tuple[int, bytes]:
        reply = app.http.get(path, headers={"Range": f"bytes={text}"})
        return reply.status_code, reply.content

    assert part(f"{MANY_DIGITS}-") == (416, b"")
    assert part(f"10-{MANY_DIGITS}") == (206, whole.content[10:])
    assert part(f"-{MANY_DIGITS}") == (206, whole.content)
    assert part(f"{'0' * 5000}-0") == (206, whole.content[:1])
    assert part("-0") == (416, b"")
    assert part("9-3") == (200, whole.content)


def test_an_image_is_not_modified_only_for_its_own_tag(app: "App", small: str) -> None:
    path = f"/photos/{small}/150"
    etag = app.http.get(path).headers["etag"]

    def status(if_none_match: str) -> int:
        return app.http.get(path, headers={"If-None-Match": if_none_match}).status_code

    assert [status(one) for one in (etag, f'"x", {etag}', f"W/{etag}", "*")] == [304] * 4
    assert [status(one) for one in (f"{etag}junk", f"junk{etag}", '"x"', "")] == [200] * 4
