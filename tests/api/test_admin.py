"""What those who run photofeed see and do."""

import uuid
from typing import TYPE_CHECKING

import pytest

from photofeed import database, topics
from photofeed.database import RELAY_LEADER
from photofeed.dead_letters import DeadLetter
from photofeed.errors import PermanentError, UnavailableError
from photofeed.event_log import Message
from photofeed.events import Envelope
from photofeed.kafka_groups import GroupState
from photofeed.models import alias_moves
from photofeed.models.history import record
from photofeed.models.registry import CHAMPION
from photofeed.settings import Settings
from serving.api.admin import MOST_LETTERS
from serving.operations import Operations

if TYPE_CHECKING:
    from tests.api.conftest import App


def test_health_is_what_the_doctor_finds(app: "App") -> None:
    systems = {one["name"]: one for one in app.admin().get("/v1/admin/health")["systems"]}
    assert systems["postgres.schema"]["level"] == "ok"
    assert systems["redis.version"]["mend"] is None


def test_health_says_whether_a_relay_publishes_the_outbox(app: "App") -> None:
    admin = app.admin()
    assert admin.get("/v1/admin/health")["outbox"]["hasRelay"] is False
    with database.connect(app.settings) as relay:
        assert database.try_leadership(relay, RELAY_LEADER)
        assert admin.get("/v1/admin/health")["outbox"]["hasRelay"] is True


def test_a_system_that_is_away_hides_no_other(app: "App", monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: object) -> None:
        raise UnavailableError("Kafka is away")

    monkeypatch.setattr(Operations, "workers", away)
    found = app.admin().get("/v1/admin/health")
    assert found["workers"] is None
    assert found["systems"]
    assert found["outbox"]


def test_health_has_the_workers_and_the_messages_that_wait(app: "App", monkeypatch: pytest.MonkeyPatch) -> None:
    state = GroupState("fanout", 2, {"photo.processed": 5, "graph.changed": 0})
    monkeypatch.setattr(Operations, "workers", lambda _: [state])
    admin = app.admin()
    app.work()
    before = admin.get("/v1/admin/health")
    assert before["workers"] == [
        {
            "group": "fanout",
            "members": 2,
            "topics": [{"topic": "photo.processed", "lag": 5}, {"topic": "graph.changed", "lag": 0}],
        }
    ]
    assert before["outbox"] == {"waiting": 0, "hasRelay": False}
    admin.call("PATCH", "/v1/me", json={"isPrivate": True})
    assert admin.get("/v1/admin/health")["outbox"]["waiting"] == 1


def test_of_many_dead_letters_the_oldest_are_listed_with_their_number(
    app: "App", monkeypatch: pytest.MonkeyPatch
) -> None:
    message = Message(topics.PHOTO_ZOOM.name, 0, 7, "k", Envelope("photo.zoom", "k", {}).encode())
    letters = [DeadLetter.about(message, topics.ZOOM_GROUP, PermanentError("gone")) for _ in range(MOST_LETTERS + 1)]
    monkeypatch.setattr(Operations, "waiting_letters", lambda _: letters)
    listed = app.admin().get("/v1/admin/dead-letters")
    assert [one["id"] for one in listed["items"]] == [letter.id for letter in letters[:-1]]
    assert (listed["total"], listed["items"][0]["key"]) == (MOST_LETTERS + 1, "k")


def test_dead_letters_are_listed_and_replayed_once_by_name(app: "App") -> None:
    admin = app.admin()
    group, topic = topics.ZOOM_GROUP, topics.PHOTO_ZOOM.name
    value = Envelope("photo.zoom", uuid.uuid4().hex, {"photoId": 1}).encode()
    letter = DeadLetter.about(Message(topic, 0, 7, "k", value), group, PermanentError("the original is gone"))
    app.log.publish(topics.dead_letters(topic, group), [letter.to_envelope()])

    listed = admin.get("/v1/admin/dead-letters")
    (shown,) = [one for one in listed["items"] if one["id"] == letter.id]
    assert (shown["group"], shown["topic"], shown["code"]) == (group, topic, "permanent")
    assert shown["reason"] == "the original is gone"

    path = f"/v1/admin/dead-letters/{letter.id}/replay"
    assert admin.call("POST", path).status_code == 204
    again = admin.call("POST", path)
    assert (again.status_code, again.json()["code"]) == (404, "dead_letter_not_found")
    assert letter.id not in {one["id"] for one in admin.get("/v1/admin/dead-letters")["items"]}
    assert [message.value for message in app.log.read(topic)].count(value) == 1
    markers = [Envelope.decode(message.value) for message in app.log.read(topics.dead_letters(topic, group))]
    assert [one.payload["by"] for one in markers if one.payload.get("letterId") == letter.id] == [f"admin {admin.id}"]


def test_without_a_model_popularity_ranks_and_the_reason_is_said(app: "App") -> None:
    found = app.admin().get("/v1/admin/model")
    assert (found["ranking"], found["live"], found["gates"]) == ("popularity", None, None)
    assert found["reason"]


def test_the_history_of_the_model_is_shown(app: "App") -> None:
    with database.connect(app.settings) as connection:
        record(connection, app.settings.model_name, {CHAMPION: ("1", "2")}, "ops@trainer", "passed the gates")
    newest = app.admin().get("/v1/admin/model")["moves"][0]
    del newest["at"]
    assert newest == {
        "alias": CHAMPION,
        "version": "2",
        "former": "1",
        "actor": "ops@trainer",
        "reason": "passed the gates",
    }


def test_a_rollback_is_the_one_of_the_command_line_and_names_the_admin(
    app: "App", monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str | None, str]] = []

    def roll_back(_: Settings, why: str, by: str | None = None) -> tuple[str | None, str]:
        asked.append((by, why))
        return "2", "1"

    monkeypatch.setattr("serving.operations.roll_back", roll_back)
    admin = app.admin()
    reply = admin.call("POST", "/v1/admin/model/rollback", json={"reason": "people see less"})
    assert (reply.status_code, reply.json()) == (201, {"former": "2", "version": "1"})
    admin.call("POST", "/v1/admin/model/rollback", json={})
    assert asked == [(f"admin {admin.id}", "people see less"), (f"admin {admin.id}", alias_moves.ROLLED_BACK)]


def test_a_rollback_without_a_former_champion_is_refused(app: "App", monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object, **__: object) -> None:
        raise alias_moves.NoPreviousError("feed-ranker has no earlier champion")

    monkeypatch.setattr("serving.operations.roll_back", nothing)
    reply = app.admin().call("POST", "/v1/admin/model/rollback", json={})
    assert (reply.status_code, reply.json()["code"]) == (409, "no_previous")


def test_a_reason_that_is_too_long_is_refused(app: "App") -> None:
    reply = app.admin().call("POST", "/v1/admin/model/rollback", json={"reason": "x" * 501})
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "reason")
