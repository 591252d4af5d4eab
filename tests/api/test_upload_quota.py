"""How many photos a day: counted per person, by the server's clock, and given back by nothing."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from photofeed import database
from photofeed.ids import decode_id

if TYPE_CHECKING:
    from tests.api.conftest import App, Person


def _used(app: "App", person: "Person", photos: int) -> None:
    """Let the person have begun so many photos today."""
    with database.connect(app.settings) as connection:
        connection.execute(
            "insert into upload_days values (%s, %s, %s) on conflict (user_id, day) do update set photos = %s",
            (decode_id(person.id), datetime.now(UTC).date(), photos, photos),
        )


def test_who_had_all_photos_of_a_day_is_told_when_to_come_back(app: "App") -> None:
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


def test_deleting_photos_does_not_buy_new_ones(app: "App") -> None:
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


def test_a_service_that_brings_somebodys_archive_is_not_held_up(app: "App") -> None:
    person = app.person()
    _used(app, person, app.settings.uploads_per_day)
    reply = app.service.call("POST", "/v1/photos/initiate", headers={"Act-As": person.id})
    assert reply.status_code == 201
