import hashlib
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import httpx
import httpx2
import pytest
from fastapi.testclient import TestClient

from photofeed import database
from photofeed.ids import decode_id, encode_id
from serving import bootstrap
from serving.app import create_app
from tests.api.pictures import picture
from tests.metric_values import metric

if TYPE_CHECKING:
    from tests.api.conftest import App


def test_a_photo_goes_from_upload_to_the_feed_of_followers(app: "App") -> None:
    author, follower = app.person(), app.person()
    assert follower.call("PUT", f"/v1/users/{author.id}/follow").status_code == 204
    photo_id = author.upload(picture(1), caption="By the lake", tags=["#Lake", "water"])
    assert author.get(f"/v1/photos/{photo_id}")["status"] == "processing"
    app.work()
    photo = author.get(f"/v1/photos/{photo_id}")
    assert photo["status"] == "ready"
    assert len(photo["blurhash"]) <= 30
    assert {(v["size"], v["format"]) for v in photo["variants"]} == {
        (size, kind) for size in (150, 320, 640, 1080, 3840) for kind in ("jpeg", "webp")
    }
    items = {item["post"]["id"]: item for item in follower.get("/v1/feed")["items"]}
    post = items[photo_id]["post"]
    assert post["topic"] == "lake"
    assert items[photo_id]["source"] == "following"
    shown = ("width", "height", "blurhash", "dominantColor", "images")  # with the zoom size, which was added later
    assert {name: post[name] for name in shown} == {name: photo[name] for name in shown}
    assert author.get(f"/v1/users/{author.id}/posts")["items"][0]["id"] == photo_id


def test_announced_properties_are_signed_and_optional(app: "App") -> None:
    author, data = app.person(), picture(2)
    facts = {"mediaType": "image/jpeg", "byteSize": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    initiated = author.call("POST", "/v1/photos/initiate", json=facts).json()
    refused = httpx.put(initiated["uploadUrl"], content=data + b"!", headers=initiated["headers"])
    assert refused.status_code == 403
    assert httpx.put(initiated["uploadUrl"], content=data, headers=initiated["headers"]).status_code == 200
    author.call("POST", f"/v1/photos/{initiated['photoId']}/complete")
    app.work()
    assert author.get(f"/v1/photos/{initiated['photoId']}")["status"] == "ready"


def test_a_reel_is_published_with_its_poster(app: "App") -> None:
    author, follower = app.person(), app.person()
    follower.call("PUT", f"/v1/users/{author.id}/follow")
    photo_id = author.upload(picture(10), contentType="reel")
    app.work()
    photo = author.get(f"/v1/photos/{photo_id}")
    assert (photo["status"], photo["contentType"]) == ("ready", "reel")
    items = {item["post"]["id"]: item["post"] for item in follower.get("/v1/feed")["items"]}
    assert items[photo_id]["contentType"] == "reel"
    assert set(items[photo_id]["images"]) >= {"150", "320", "640", "1080"}


def test_completing_before_the_upload_is_a_conflict(app: "App") -> None:
    author = app.person()
    photo_id = author.call("POST", "/v1/photos/initiate").json()["photoId"]
    reply = author.call("POST", f"/v1/photos/{photo_id}/complete", json={"caption": "x"})
    assert reply.status_code == 409
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["code"] == "not_uploaded"


def test_a_photo_that_is_larger_than_allowed_cannot_be_completed(app: "App") -> None:
    author, state = app.person(), app.http.app_state
    services = state["services"]
    data = picture(8)
    state["services"] = replace(services, settings=app.settings.model_copy(update={"upload_max_bytes": len(data) - 1}))
    try:
        announced = author.call("POST", "/v1/photos/initiate", json={"byteSize": len(data)})
        initiated = author.call("POST", "/v1/photos/initiate").json()
        assert httpx2.put(initiated["uploadUrl"], content=data).status_code == 200
        completed = author.call("POST", f"/v1/photos/{initiated['photoId']}/complete")
    finally:
        state["services"] = services
    for refused in (announced, completed):
        assert (refused.status_code, refused.json()["code"]) == (422, "too_large")
    assert author.get(f"/v1/photos/{initiated['photoId']}")["status"] == "awaiting_upload"
    assert httpx2.put(initiated["uploadUrl"], content=data).status_code == 200  # the first file has been deleted
    assert author.call("POST", f"/v1/photos/{initiated['photoId']}/complete").status_code == 202


def test_a_photo_that_is_as_large_as_allowed_is_completed(app: "App") -> None:
    author, state, data = app.person(), app.http.app_state, picture(11)
    services = state["services"]
    state["services"] = replace(services, settings=app.settings.model_copy(update={"upload_max_bytes": len(data)}))
    try:
        initiated = author.call("POST", "/v1/photos/initiate", json={"byteSize": len(data)})
        assert initiated.status_code == 201
        assert httpx2.put(initiated.json()["uploadUrl"], content=data).status_code == 200
        path = f"/v1/photos/{initiated.json()['photoId']}/complete"
        assert author.call("POST", path).status_code == 202
    finally:
        state["services"] = services


def test_a_post_is_as_old_as_its_completion_and_an_imported_one_as_its_photo(app: "App") -> None:
    author, then = app.person(), "2026-01-01T00:00:00Z"
    posts = []
    for who, headers, body in (
        (author, {}, {}),
        (app.service, {"Act-As": author.id}, {"createdAt": then}),
    ):
        initiated = who.call("POST", "/v1/photos/initiate", json=body, headers=headers).json()
        posts.append(initiated["photoId"])
        assert httpx2.put(initiated["uploadUrl"], content=picture(12 + len(posts))).status_code == 200
    live, imported = posts
    with database.connect(app.settings) as connection:  # an upload that took an hour
        connection.execute(
            "update photos set created_at = created_at - interval '1 hour' where id = %s", (decode_id(live),)
        )
    begin = datetime.now(UTC)
    for photo_id in posts:
        assert author.call("POST", f"/v1/photos/{photo_id}/complete").status_code == 202
    app.work()
    moments = [datetime.fromisoformat(author.get(f"/v1/posts/{photo_id}")["postedAt"]) for photo_id in posts]
    assert begin - timedelta(milliseconds=1) <= moments[0] <= datetime.now(UTC)
    assert moments[1] == datetime.fromisoformat(then)
    assert [post["id"] for post in author.get(f"/v1/users/{author.id}/posts")["items"]] == [live, imported]


def test_a_photo_needs_an_existing_owner(app: "App") -> None:
    reply = app.service.call("POST", "/v1/photos/initiate", headers={"Act-As": encode_id(12345)})
    assert (reply.status_code, reply.json()["code"]) == (404, "user_not_found")


def test_completing_again_returns_the_state_and_publishes_once(app: "App") -> None:
    author = app.person()
    photo_id = author.upload(picture(3), caption="first words")
    again = author.call("POST", f"/v1/photos/{photo_id}/complete", json={"caption": "other words"})
    assert again.status_code == 202
    assert again.json()["caption"] == "first words"
    app.work()
    assert author.call("POST", f"/v1/photos/{photo_id}/complete").json()["status"] == "ready"
    assert [post["id"] for post in author.get(f"/v1/users/{author.id}/posts")["items"]] == [photo_id]


def test_another_users_photo_is_not_found(app: "App") -> None:
    author, stranger = app.person(), app.person()
    photo_id = author.upload(picture(4))
    assert stranger.call("GET", f"/v1/photos/{photo_id}").status_code == 404
    app.work()  # a stream of a photo in its final state ends, so that it cannot hang if it is allowed
    for method, path in (
        ("GET", f"/v1/photos/{photo_id}/status"),
        ("POST", f"/v1/photos/{photo_id}/complete"),
        ("DELETE", f"/v1/photos/{photo_id}"),
    ):
        assert stranger.call(method, path).status_code == 404, path
    assert author.get(f"/v1/photos/{photo_id}")["status"] == "ready"


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "empty"), (b"this is no picture", "not_an_image"), (picture(5)[:9000], "truncated")]
)
def test_a_file_that_is_not_a_photo_fails_with_a_reason_and_the_next_one_is_processed(
    app: "App", data: bytes, code: str
) -> None:
    author = app.person()
    bad, good = author.upload(data), author.upload(picture(6))
    app.work()
    failed = author.get(f"/v1/photos/{bad}")
    assert failed["status"] == "failed"
    assert failed["failure"]["code"] in {code, "damaged"}
    assert failed["failure"]["reason"]
    assert author.get(f"/v1/photos/{good}")["status"] == "ready"


@pytest.mark.parametrize(
    ("opinion", "data", "status", "processed"),
    [
        (0.0, picture(15), "ready", 1),
        (0.7, picture(16), "review", 1),
        (0.95, picture(17), "rejected", 1),
        (0.0, b"this is no picture", "failed", 1),
    ],
)
def test_photos_are_counted_by_what_became_of_them(
    app: "App", monkeypatch: pytest.MonkeyPatch, opinion: float, data: bytes, status: str, processed: int
) -> None:
    monkeypatch.setattr(app.model, "opinion", opinion)
    photo_id, before = app.person().upload(data), _photos()
    app.work()
    assert _photos() - before == Counter({status: 1, "processed": processed})
    app.repeat("photo.uploaded", photo_id)
    app.work()
    assert _photos() - before == Counter({status: 1, "processed": processed})


def test_a_photo_that_is_deleted_while_a_model_looks_at_it_is_counted_as_gone(
    app: "App", monkeypatch: pytest.MonkeyPatch
) -> None:
    author = app.person()
    photo_id, before = author.upload(picture(18)), _photos()

    def delete(*_: object) -> float:
        assert author.call("DELETE", f"/v1/photos/{photo_id}").status_code == 204
        return 0.0

    monkeypatch.setattr(type(app.model), "score", delete)
    app.work()
    assert _photos() - before == Counter({"gone": 1, "processed": 1})


def _photos() -> Counter[str]:
    """Outcome -> photos, and how many were processed in the sandbox."""
    outcomes = ("ready", "failed", "review", "rejected", "gone")
    counts = {one: int(metric("photofeed_photos_total", status=one)) for one in outcomes}
    return Counter(counts | {"processed": int(metric("photofeed_photo_processing_seconds_count"))})


def test_the_status_stream_sends_each_change(app: "App") -> None:
    author = app.person()
    photo_id = author.upload(picture(7))
    app.work()
    reply = author.call("GET", f"/v1/photos/{photo_id}/status")
    assert reply.headers["content-type"].startswith("text/event-stream")
    fields = dict(line.split(": ", 1) for line in reply.text.splitlines() if line)
    assert fields["event"] == "status"
    assert json.loads(fields["data"])["status"] == "ready"


def test_unsupported_formats_are_refused_before_the_upload(app: "App") -> None:
    settings = app.settings.model_copy(update={"upload_formats": frozenset({"jpeg", "heif"})})
    make_services = partial(bootstrap.services, connect_publisher=lambda _: app.log)
    person = app.person()
    with TestClient(create_app(settings, make_services), base_url="http://127.0.0.1") as http:

        def asked(media_type: str) -> httpx2.Response:
            return http.post("/v1/photos/initiate", json={"mediaType": media_type}, headers=person.headers)

        refused = asked("image/gif")
        assert (refused.status_code, refused.json()["code"]) == (422, "unsupported_format")
        assert {asked(f"image/{name}").status_code for name in ("jpeg", "heic", "heif")} == {201}


def test_images_are_negotiated_cached_and_revalidated(app: "App") -> None:
    author = app.person()
    photo_id = author.upload(picture(8))
    app.work()
    path = f"/photos/{photo_id}/640"
    webp = app.http.get(path, headers={"Accept": "image/avif,image/webp,*/*"})
    jpeg = app.http.get(path, headers={"Accept": "image/png"})
    assert webp.headers["content-type"] == "image/webp"
    assert jpeg.headers["content-type"] == "image/jpeg"
    spelled = app.http.get(path, headers={"Accept": "text/html, Image/WebP ;q=0.9"})
    assert spelled.headers["content-type"] == "image/webp"
    assert webp.headers["vary"] == "Accept"
    assert "immutable" in jpeg.headers["cache-control"]
    assert app.http.get(f"{path}.webp").content == webp.content
    head = app.http.head(f"{path}.jpg")
    assert int(head.headers["content-length"]) == len(jpeg.content)
    again = app.http.get(path, headers={"Accept": "image/png", "If-None-Match": jpeg.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


@pytest.mark.parametrize("name", ["641", "640.exe", "original", "640.avif", "-1"])
def test_images_that_do_not_exist_are_not_found(app: "App", name: str) -> None:
    author = app.person()
    photo_id = author.upload(picture(9))
    app.work()
    assert app.http.get(f"/photos/{photo_id}/{name}").status_code == 404


def test_a_deleted_photo_is_gone_everywhere(app: "App") -> None:
    author, follower = app.person(), app.person()
    follower.call("PUT", f"/v1/users/{author.id}/follow")
    photo_id = author.upload(picture(10))
    app.work()
    assert author.call("DELETE", f"/v1/photos/{photo_id}").status_code == 204
    assert app.http.get(f"/photos/{photo_id}/150").status_code == 404
    assert photo_id not in [item["post"]["id"] for item in follower.get("/v1/feed")["items"]]
    app.work()
    assert follower.call("GET", f"/v1/photos/{photo_id}").status_code == 404


def test_only_services_backdate_photos(app: "App") -> None:
    author = app.person()
    body = {"createdAt": "2026-01-01T00:00:00Z"}
    assert author.call("POST", "/v1/photos/initiate", json=body).status_code == 403
    reply = app.service.call("POST", "/v1/photos/initiate", json=body, headers={"Act-As": author.id})
    assert reply.status_code == 201


@pytest.mark.parametrize(
    "body", [{"mediaType": "text/html"}, {"byteSize": 0}, {"sha256": "x"}, {"byteSize": 10**9}, {"surprise": 1}, []]
)
def test_an_invalid_body_is_refused_with_its_fields(app: "App", body: object) -> None:
    reply = app.person().call("POST", "/v1/photos/initiate", json=body)
    assert reply.status_code == 422
    assert reply.json()["type"].startswith("urn:photofeed:problem:")
