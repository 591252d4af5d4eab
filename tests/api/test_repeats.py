"""Repeated messages change nothing: the same bytes, rows and events."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from photofeed import database, topics
from photofeed.ids import decode_id
from photofeed.object_store import S3ObjectStore
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App

_TABLES = {
    "photos": "id",
    "posts": "id",
    "photo_metadata": "photo_id",
    "photo_steps": "photo_id",
    "moderation_decisions": "photo_id",
}


def everything(app: "App", photo_id: str) -> dict[str, Any]:
    """Rows, bytes and messages of a photo."""
    photo = decode_id(photo_id)
    found: dict[str, Any] = {"messages": app.messages(photo_id)}
    with database.connect(app.settings) as connection:
        for table, key in _TABLES.items():
            rows = connection.execute(f"select * from {table} where {key} = %s order by 1, 2", (photo,))  # noqa: S608
            found[table] = rows.fetchall()
    objects = S3ObjectStore.connect(app.settings)
    keys = {variant["key"] for variant in found["photos"][0]["variants"]}
    found["bytes"] = {key: objects.get(app.settings.bucket_variants, key) for key in keys}
    return found


@contextmanager
def opinion(app: "App", score: float) -> Iterator[None]:
    app.model.opinion = score
    try:
        yield
    finally:
        app.model.opinion = 0.0


def again(app: "App", photo_id: str, *, from_processing: bool) -> None:
    if from_processing:
        with database.connect(app.settings) as connection:
            connection.execute("update photos set status = 'processing' where id = %s", (decode_id(photo_id),))
    app.repeat("photo.uploaded", photo_id)
    app.work()
    app.zoom()


@pytest.mark.parametrize("score", [0.1, 0.7, 0.95])
def test_an_uploaded_photo_handled_three_times_is_one_photo(app: "App", score: float) -> None:
    with opinion(app, score):
        photo_id = app.person().upload(picture(50, (2000, 1500)), caption="once", tags=["one"])
        app.work()
        app.zoom()
        once = everything(app, photo_id)
        assert len(once["moderation_decisions"]) == 1
        assert once["photo_metadata"][0]["width"] == 2000
        again(app, photo_id, from_processing=False)
        assert everything(app, photo_id) == once
        again(app, photo_id, from_processing=True)
        assert everything(app, photo_id) == once


def test_a_file_that_is_not_a_photo_fails_the_same_way_again(app: "App") -> None:
    photo_id = app.person().upload(b"no photo")
    app.work()
    once = everything(app, photo_id)
    assert {row["step"]: row["outcome"] for row in once["photo_steps"]} == {
        "fetch": "done",
        "check": "done",
        "validate": "not_an_image",
        "process": "not_an_image",
    }
    again(app, photo_id, from_processing=True)
    assert everything(app, photo_id) == once


def test_every_step_records_its_outcome(app: "App") -> None:
    photo_id = app.person().upload(picture(51, (2000, 1500)))
    app.work()
    app.zoom()
    steps = {row["step"]: row["outcome"] for row in everything(app, photo_id)["photo_steps"]}
    names = "fetch check validate normalise variants placeholder quality metadata process moderate store zoom"
    assert steps == dict.fromkeys(names.split(), "done")


@pytest.mark.parametrize(("decision", "status"), [("approve", "ready"), ("reject", "rejected")])
def test_a_moderators_decision_survives_another_run_and_is_told_once(app: "App", decision: str, status: str) -> None:
    moderator, owner = app.moderator(), app.person()
    with opinion(app, 0.7):
        photo_id = owner.upload(picture(52))
        app.work()
        ruling = {"decision": decision, "reason": "seen by a person"}
        assert moderator.call("POST", f"/v1/moderation/{photo_id}/decisions", json=ruling).status_code == 201
        app.work()
        owner.call("PUT", "/v1/me/notifications/read")
        once, told = everything(app, photo_id), owner.get("/v1/me/notifications")
        again(app, photo_id, from_processing=True)
        assert everything(app, photo_id) == once
        assert owner.get("/v1/me/notifications") == told
        assert (once["photos"][0]["status"], told["unreadCount"], len(told["items"])) == (status, 0, 1)


def test_a_photo_that_a_newer_model_rejects_is_removed(app: "App") -> None:
    photo_id = app.person().upload(picture(53))
    app.work()
    with opinion(app, 0.95):
        app.model.version, before = "a stricter one", app.model.version
        for _ in range(2):  # which announces it once
            again(app, photo_id, from_processing=True)
        app.model.version = before
    found = everything(app, photo_id)
    assert found["photos"][0]["status"] == "rejected"
    assert [kind for kind, _ in found["messages"]] == ["photo.processed", "photo.removed"]
    assert [row["decision"] for row in found["moderation_decisions"]] == ["approved", "rejected"]


def test_a_zoom_size_that_cannot_be_made_becomes_a_dead_letter_with_the_reason(app: "App") -> None:
    author, objects = app.person(), S3ObjectStore.connect(app.settings)
    photo_id = author.upload(picture(54, (2000, 1500)))
    app.work()
    with database.connect(app.settings) as connection:
        row = connection.execute("select original_key from photos where id = %s", (decode_id(photo_id),)).fetchone()
    assert row
    objects.delete(app.settings.bucket_originals, row["original_key"])
    app.zoom()
    dead = topics.Topic(topics.dead_letters("photo.zoom", topics.ZOOM_GROUP), key="photoId")
    letters = [message.value for message in app.log.consumer("reader of dead letters", (dead,)).poll(1000, 0)]
    (letter,) = (letter for letter in letters if str(decode_id(photo_id)).encode() in letter)
    assert b"no longer exists" in letter
    assert app.http.get(f"/photos/{photo_id}/3840").headers["cache-control"] == "public, max-age=60"
