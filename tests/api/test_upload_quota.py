"""The daily upload quota: counted per user, by the server's clock, and never restored by deletions."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from photofeed import database
from photofeed.ids import decode_id
from serving import bootstrap
from serving.app import create_app
from tests.api.contract_client import ContractClient
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person


def _used(app: "App", person: "Person", photos: int) -> None:
    """Set the number of photos that the user has uploaded today."""
    with database.connect(app.settings) as connection:
        connection.execute(
            "insert into upload_days values (%s, %s, %s) on conflict (user_id, day) do update set photos = %s",
            (decode_id(person.id), datetime.now(UTC).date(), photos, photos),
        )


def test_the_quota_error_says_when_to_retry(app: "App") -> None:
    person, other, most = app.person(), app.person(), app.settings.uploads_per_day
    _used(app, person, most - 1)
    last = person.call("POST", "/v1/photos/initiate")
    assert last.status_code == 201
    refused = person.call("POST", "/v1/photos/initiate")
    assert refused.status_code == 429
    assert refused.json()["code"] == "too_many_photos"
    assert refused.headers["content-type"] == "application/problem+json"
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert other.call("POST", "/v1/photos/initiate").status_code == 201


def test_deleting_photos_does_not_restore_the_quota(app: "App") -> None:
    person, most = app.person(), app.settings.uploads_per_day
    _used(app, person, most - 1)
    photo_id = person.call("POST", "/v1/photos/initiate").json()["photoId"]
    assert person.call("DELETE", f"/v1/photos/{photo_id}").status_code == 204
    assert person.call("POST", "/v1/photos/initiate").status_code == 429


def test_a_refused_photo_leaves_nothing_behind(app: "App") -> None:
    person = app.person()
    _used(app, person, app.settings.uploads_per_day)
    person.call("POST", "/v1/photos/initiate")
    with database.connect(app.settings) as connection:
        owner = (decode_id(person.id),)
        assert connection.execute("select 1 from photos where owner_id = %s", owner).fetchone() is None


def _limited(app: "App", most: int) -> ContractClient:
    """The API for people who may have `most` bytes of unfinished uploads."""
    settings = app.settings.model_copy(update={"upload_unfinished_bytes": most})
    return ContractClient(create_app(settings, partial(bootstrap.services, connect_publisher=lambda _: app.log)))


def test_bytes_of_unfinished_uploads_are_limited(app: "App") -> None:
    person, other, data = app.person(), app.person(), picture(90)
    with _limited(app, 2 * app.settings.upload_max_bytes) as http:

        def initiate(who: "Person", **announced: int) -> Any:
            return http.post("/v1/photos/initiate", headers=who.headers, json=announced)

        first, second = initiate(person).json(), initiate(person)
        assert second.status_code == 201
        refused = initiate(person, byteSize=1)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_unfinished")
        assert 0 < int(refused.headers["retry-after"]) <= app.settings.upload_url_seconds
        assert [initiate(other, byteSize=len(data)).status_code for _ in range(9)] == [201] * 9

        httpx.put(first["uploadUrl"], content=data).raise_for_status()
        completed = http.post(f"/v1/photos/{first['photoId']}/complete", headers=person.headers)
        assert completed.status_code == 202
        assert initiate(person).status_code == 201


def test_the_address_of_a_deleted_upload_counts_until_it_expires(app: "App") -> None:
    person = app.person()
    with _limited(app, 2 * app.settings.upload_max_bytes) as http:
        for _ in range(2):
            photo = http.post("/v1/photos/initiate", headers=person.headers).json()["photoId"]
            assert http.delete(f"/v1/photos/{photo}", headers=person.headers).status_code == 204
        assert http.post("/v1/photos/initiate", headers=person.headers).json()["code"] == "too_many_unfinished"
        with database.connect(app.settings) as connection:
            expired = datetime.now(UTC) - timedelta(seconds=app.settings.upload_url_seconds + 1)
            connection.execute(
                "update removed_photos set removed_at = %s where owner_id = %s", (expired, decode_id(person.id))
            )
        assert http.post("/v1/photos/initiate", headers=person.headers).status_code == 201


def test_a_deleted_photo_that_was_completed_is_no_unfinished_upload(app: "App") -> None:
    person = app.person()
    with _limited(app, app.settings.upload_max_bytes) as http:
        for seed in (91, 92):
            photo = http.post("/v1/photos/initiate", headers=person.headers).json()
            httpx.put(photo["uploadUrl"], content=picture(seed)).raise_for_status()
            path = f"/v1/photos/{photo['photoId']}"
            assert http.post(f"{path}/complete", headers=person.headers).status_code == 202
            assert http.delete(path, headers=person.headers).status_code == 204


def test_concurrent_calls_start_no_more_than_allowed(app: "App") -> None:
    person = app.person()
    with _limited(app, 3 * app.settings.upload_max_bytes) as http, ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(http.post, "/v1/photos/initiate", headers=person.headers) for _ in range(12)]
        assert sorted(call.result().status_code for call in calls) == [201] * 3 + [429] * 9


def test_a_service_that_imports_photos_has_no_quota(app: "App") -> None:
    person = app.person()
    _used(app, person, app.settings.uploads_per_day)
    reply = app.service.call("POST", "/v1/photos/initiate", headers={"Act-As": person.id})
    assert reply.status_code == 201
