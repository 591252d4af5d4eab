from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from photofeed import database
from photofeed.ids import decode_id
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person


@pytest.fixture
def suspicious(app: "App") -> Iterator["App"]:
    """A model that is uncertain about every photo."""
    app.model.opinion = 0.7
    yield app
    app.model.opinion = 0.0


def decisions(app: "App", photo_id: str) -> list[tuple[str, str, str]]:
    with database.connect(app.settings) as connection:
        rows = connection.execute(
            "select kind, decision, by from moderation_decisions where photo_id = %s order by id",
            (decode_id(photo_id),),
        )
        return [(row["kind"], row["decision"], row["by"]) for row in rows]


def waiting(moderator: "Person") -> dict[str, Any]:
    items = moderator.get("/v1/moderation/queue", params={"limit": 200, "kind": "photo"})["items"]
    return {item["photoId"]: item for item in items}


def rule(moderator: "Person", photo_id: str, decision: str) -> int:
    body = {"decision": decision, "reason": "seen by a person"}
    return moderator.call("POST", f"/v1/moderation/{photo_id}/decisions", json=body).status_code


def test_an_uncertain_photo_is_hidden_until_a_moderator_approves_it(suspicious: "App") -> None:
    app = suspicious
    author, follower, moderator = app.person(), app.person(), app.moderator()
    follower.call("PUT", f"/v1/users/{author.id}/follow")
    photo_id = author.upload(picture(21))
    app.work()
    assert author.get(f"/v1/photos/{photo_id}")["status"] == "review"
    assert author.get(f"/v1/photos/{photo_id}")["images"] == {}
    assert app.http.get(f"/photos/{photo_id}/640").status_code == 404
    assert follower.call("GET", f"/v1/photos/{photo_id}").status_code == 404
    assert photo_id not in [item["post"]["id"] for item in follower.get("/v1/feed")["items"]]
    item = waiting(moderator)[photo_id]
    assert item["model"] | {"at": ""} == {
        "version": "in memory",
        "score": 0.7,
        "reason": "score at least 0.6",
        "at": "",
    }
    shown = moderator.call("GET", f"/v1/moderation/{photo_id}/preview")
    assert (shown.headers["content-type"], shown.headers["cache-control"]) == ("image/jpeg", "no-store")

    assert rule(moderator, photo_id, "approve") == 201
    app.work()
    assert photo_id not in waiting(moderator)
    assert author.get(f"/v1/photos/{photo_id}")["status"] == "ready"
    assert app.http.get(f"/photos/{photo_id}/640").status_code == 200
    assert photo_id in [item["post"]["id"] for item in follower.get("/v1/feed")["items"]]
    assert decisions(app, photo_id) == [
        ("model", "review", "in memory"),
        ("moderator", "approved", moderator.id),
    ]


def test_a_photo_that_the_model_rejects_has_a_reason(suspicious: "App") -> None:
    suspicious.model.opinion = 0.95
    author = suspicious.person()
    photo_id = author.upload(picture(22))
    suspicious.work()
    photo = author.get(f"/v1/photos/{photo_id}")
    assert (photo["status"], photo["failure"]["code"]) == ("rejected", "moderation_rejected")
    assert photo["failure"]["reason"]
    assert suspicious.http.get(f"/photos/{photo_id}/640").status_code == 404


def test_a_rejected_photo_leaves_feed_and_origin_at_once_and_can_be_approved_later(app: "App") -> None:
    author, follower, moderator = app.person(), app.person(), app.moderator()
    follower.call("PUT", f"/v1/users/{author.id}/follow")
    photo_id = author.upload(picture(2301))
    app.work()
    etag = app.http.get(f"/photos/{photo_id}/640").headers["etag"]
    assert rule(moderator, photo_id, "reject") == 201
    assert app.http.get(f"/photos/{photo_id}/640").status_code == 404
    assert app.http.get(f"/photos/{photo_id}/640", headers={"If-None-Match": etag}).status_code == 404
    assert author.get(f"/v1/users/{author.id}/posts")["items"] == []
    assert photo_id not in [item["post"]["id"] for item in follower.get("/v1/feed")["items"]]
    app.work()
    assert author.get(f"/v1/photos/{photo_id}")["failure"]["code"] == "moderation_rejected"

    assert rule(moderator, photo_id, "approve") == 201
    app.work()
    photo = author.get(f"/v1/photos/{photo_id}")
    assert (photo["status"], photo["failure"]) == ("ready", None)
    assert photo_id in [item["post"]["id"] for item in follower.get("/v1/feed")["items"]]


def test_a_repeated_decision_is_recorded_and_published_once(app: "App") -> None:
    author, moderator = app.person(), app.moderator()
    photo_id = author.upload(picture(24))
    app.work()
    for _ in range(3):
        assert rule(moderator, photo_id, "reject") == 201
    app.work()
    assert [kind for kind, _ in app.messages(photo_id)] == ["photo.processed", "photo.removed"]
    assert len(decisions(app, photo_id)) == 4


def test_decisions_cannot_be_rewritten(app: "App") -> None:
    author = app.person()
    photo_id = decode_id(author.upload(picture(25)))
    app.work()
    with database.connect(app.settings) as connection:
        for change in (
            "delete from moderation_decisions where photo_id = %s",
            "update moderation_decisions set by = 'nobody' where photo_id = %s",
        ):
            with pytest.raises(Exception, match="append-only"):
                connection.execute(change, (photo_id,))


def test_a_post_with_enough_reports_is_queued_and_each_reporter_counts_once(app: "App") -> None:
    author, moderator, people = app.person(), app.moderator(), [app.person() for _ in range(6)]
    photo_id = author.upload(picture(28))
    app.work()

    def report(*those: "Person") -> None:
        for person in those:
            assert person.call("POST", f"/v1/posts/{photo_id}/report").status_code == 201

    def report_in_a_batch(person: "Person") -> dict[str, Any]:
        event = {"id": f"event of {person.id}", "type": "report", "postId": photo_id}
        told: dict[str, Any] = person.call("POST", "/v1/events", json={"events": [event]}).json()
        return told

    report(people[0], people[0], people[1])
    assert report_in_a_batch(people[1])["unchanged"] == 1
    assert photo_id not in waiting(moderator)
    assert report_in_a_batch(people[2])["accepted"] == 1
    item = waiting(moderator)[photo_id]
    assert (item["status"], item["reports"], item["model"]["reason"]) == ("ready", 3, "score below 0.6")
    assert app.http.get(f"/photos/{photo_id}/640").status_code == 200  # reported posts stay visible until a decision

    assert rule(moderator, photo_id, "approve") == 201
    assert photo_id not in waiting(moderator)
    report(*people[:5])
    assert photo_id not in waiting(moderator)  # three of these five have reported it before
    report(people[5])
    assert waiting(moderator)[photo_id]["reports"] == 3
    assert rule(moderator, photo_id, "reject") == 201
    assert photo_id not in waiting(moderator)
    assert app.http.get(f"/photos/{photo_id}/640").status_code == 404
    with database.connect(app.settings) as connection:
        rows = connection.execute(
            "select decision, reports from moderation_decisions where photo_id = %s and kind = 'moderator' order by id",
            (decode_id(photo_id),),
        ).fetchall()
    assert rows == [{"decision": "approved", "reports": 3}, {"decision": "rejected", "reports": 3}]


def test_a_report_by_a_person_who_may_not_see_the_post_does_not_count(app: "App") -> None:
    author, stranger, moderator = app.person(isPrivate=True), app.person(), app.moderator()
    photo_id = author.upload(picture(29))
    app.work()
    assert stranger.call("POST", f"/v1/posts/{photo_id}/report").status_code == 404
    assert photo_id not in waiting(moderator)


def test_only_moderators_moderate(app: "App") -> None:
    author = app.person()
    photo_id = author.upload(picture(26))
    assert author.call("GET", "/v1/moderation/queue").status_code == 403
    assert author.call("GET", f"/v1/moderation/{photo_id}/preview").status_code == 403
    assert rule(author, photo_id, "approve") == 403
    assert app.http.get("/v1/moderation/queue").status_code == 401


def test_a_decision_about_a_photo_that_is_not_moderated_is_refused(app: "App") -> None:
    author, moderator = app.person(), app.moderator()
    photo_id = author.upload(picture(27))
    assert rule(moderator, photo_id, "approve") == 409
    assert rule(moderator, moderator.id, "approve") == 404
    assert rule(moderator, photo_id, "perhaps") == 422
    app.work()
    no_words = moderator.call("POST", f"/v1/moderation/{photo_id}/decisions", json={"decision": "reject"})
    assert no_words.status_code == 422


def test_the_queue_is_read_page_by_page_oldest_first(suspicious: "App") -> None:
    app = suspicious
    moderator, author = app.moderator(), app.person()
    posts = [author.upload(picture(seed)) for seed in (71, 72, 73)]
    app.work()
    read: list[str] = []
    cursor = None
    while True:
        params: dict[str, Any] = {"limit": 2, "kind": "photo"} | ({"cursor": cursor} if cursor else {})
        page = moderator.get("/v1/moderation/queue", params=params)
        read += [item["photoId"] for item in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break

    assert [photo_id for photo_id in read if photo_id in posts] == posts
    assert len(set(read)) == len(read)
