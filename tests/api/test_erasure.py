"""A deleted account is erased from every store, which can be verified; its tokens are refused."""

import io
import json
import struct
import threading
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from prometheus_client import REGISTRY

from ingestion.archive import Archive
from ingestion.bootstrap.engagement import engagement_pipeline
from ingestion.bootstrap.erasure import open_eraser
from ingestion.consumer.worker import Worker
from ingestion.erasure import Subject
from ingestion.erasure.eraser import Eraser
from ingestion.erasure.memory import MemoryStore
from photofeed import database, topics
from photofeed.erasures import erased_among
from photofeed.errors import ConflictError, UnavailableError
from photofeed.events import Envelope
from photofeed.feature_store import close_feature_store, open_feature_store
from photofeed.ids import decode_id, encode_id
from photofeed.offline_store.lake import open_lake
from photofeed.posts import PostRef
from photofeed.redis_client import connect_redis
from photofeed.timelines import hidden_key, timeline_key
from photofeed.tokens import mint_token
from photofeed.turned_away import SkippedPost, skipped_key, unfollowed_key
from photofeed.webhooks import QUEUE, photo_event
from tests.api.pictures import picture
from tests.command_line import photofeed

if TYPE_CHECKING:
    from tests.api.conftest import App, Person

LATER = timedelta(days=1)
_ADD_WEBHOOK = """
insert into webhook_endpoints (id, url, types, secret) values (%s, 'https://app.example', '{photo.ready}', '')
"""


@pytest.fixture
def eraser(app: "App") -> Iterator[Eraser]:
    with open_eraser(app.settings) as eraser:
        yield eraser


@pytest.fixture
def history(app: "App") -> Iterator[Callable[[], None]]:
    """Run relay, fan-out, features and archive until nothing is left to do."""
    with connect_redis(app.settings) as client, database.pool(app.settings) as pool:
        store = open_feature_store(app.settings)
        erased = erased_among(pool)
        pipeline = engagement_pipeline(app.settings, store, client, erased)
        pipeline.become_leader()
        archive = Archive(open_lake(app.settings), app.settings.bucket_lake, erased)
        stop = threading.Event()

        def worker(group: str, handle: Any) -> Worker:
            return Worker(group, app.log.consumer(group, topics.SUBSCRIPTIONS[group]), app.log, handle, stop)

        workers = [worker(topics.FEATURES_GROUP, pipeline.handle), worker(topics.ARCHIVE_GROUP, archive.handle)]

        def run() -> None:
            app.work()
            while sum(one.step() for one in workers):
                pass

        yield run
        close_feature_store(store)


def _delete(person: "Person", **headers: str) -> httpx2.Response:
    return person.call("DELETE", "/v1/me", headers=headers or {"Confirm-Deletion": person.handle})


def _left(eraser: Eraser, person: "Person") -> list[str]:
    subject, now = eraser.person(decode_id(person.id)), datetime.now(UTC)
    return [f"{store}: {finding}" for store, finding in eraser.findings(subject) if finding.is_left(now)]


def _live(app: "App", history: Callable[[], None]) -> tuple["Person", "Person", str, str]:
    """Two people who follow each other, post, like, comment and look at each other's posts; their ids and posts."""
    one, other = app.person(), app.person()
    posts = [person.upload(picture(), caption="here") for person in (one, other)]
    app.work()
    for person, friend, post in ((one, other, posts[1]), (other, one, posts[0])):
        assert person.call("PUT", f"/v1/users/{friend.id}/follow").status_code == 204
        assert person.call("PUT", f"/v1/posts/{post}/like").status_code == 200
        assert person.call("PUT", f"/v1/posts/{post}/save").status_code == 200
        assert person.call("POST", f"/v1/posts/{post}/comments", json={"text": "nice"}).status_code == 201
    history()
    for person, post in ((one, posts[1]), (other, posts[0])):
        feed = person.get("/v1/feed")
        app.served(feed["slateId"])
        (receipt,) = [item["receipt"] for item in feed["items"] if item["post"]["id"] == post]
        event = {"id": f"e{person.id}", "type": "impression", "postId": post, "receipt": receipt}
        assert person.call("POST", "/v1/events", json={"events": [event]}).json()["accepted"] == 1
    history()
    return one, other, posts[0], posts[1]


def test_a_deleted_account_is_erased_everywhere(app: "App", eraser: Eraser, history: Callable[[], None]) -> None:
    leaver, friend, post, friends_post = _live(app, history)
    assert _delete(leaver).status_code == 202
    before = _left(eraser, leaver)
    for store in ("PostgreSQL", "object storage", "Redis", "lake", "push journal"):
        assert any(line.startswith(store) for line in before), (store, before)

    assert eraser.pass_over(datetime.now(UTC)) >= 1
    history()  # late messages, and the removal from timelines
    assert _left(eraser, leaver) == []
    with connect_redis(app.settings) as client:
        named = struct.pack(">Q", decode_id(leaver.id))
        members = client.zrange(timeline_key(decode_id(friend.id)), 0, -1)
        assert not [member for member in members if named in member]
    assert friend.call("GET", f"/v1/posts/{post}").status_code == 404
    seen = friend.get(f"/v1/posts/{friends_post}")
    assert (seen["likeCount"], seen["saveCount"], seen["commentCount"]) == (0, 0, 0)
    me = friend.get("/v1/me")
    assert (me["followerCount"], me["followingCount"]) == (0, 0)
    assert friend.get("/v1/feed")["items"] is not None


def test_replies_that_are_kept_for_repeated_calls_are_erased(app: "App", eraser: Eraser) -> None:
    """Those to the person, which may have words of theirs and not their id, and those to others that name them."""
    author, handle = app.person(), f"k{uuid.uuid4().hex[:12]}"
    post = author.upload(picture())
    app.work()
    added = app.service.call(
        "POST", "/v1/users", json={"handle": handle, "displayName": "K"}, headers={"Idempotency-Key": handle}
    ).json()
    token = mint_token(app.settings, decode_id(added["id"]))
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": handle}
    for path in (f"/v1/posts/{post}/report", f"/v1/users/{author.id}/report"):
        headers["Idempotency-Key"] += "x"
        assert app.http.post(path, json={"text": "my words"}, headers=headers).status_code == 201
    leaver = replace(author, id=added["id"], handle=handle, headers={"Authorization": headers["Authorization"]})
    assert _delete(leaver).status_code == 202
    assert [one for one in _left(eraser, leaver) if "idempotency" in one] == ["Redis: idempotency\t3"]
    assert eraser.pass_over(datetime.now(UTC)) >= 1
    assert not [one for one in _left(eraser, leaver) if "idempotency" in one]


def test_the_rows_of_others_stay(app: "App", eraser: Eraser, history: Callable[[], None]) -> None:
    leaver, friend, _, _ = _live(app, history)
    third, third_friend, third_post, _ = _live(app, history)
    before = _in_lake(eraser, third)
    _delete(leaver)
    eraser.pass_over(datetime.now(UTC))
    assert before["engagement"] > 0
    assert _in_lake(eraser, third) == before
    assert third.get(f"/v1/posts/{third_post}")["likeCount"] == 1
    assert third_friend.get("/v1/me")["followerCount"] == 1
    assert friend.get("/v1/me")["id"] == friend.id


def _in_lake(eraser: Eraser, person: "Person") -> dict[str, int]:
    """The rows about a person, by table of the lake."""
    found = eraser.stores[-1].find(Subject(decode_id(person.id), datetime.now(UTC)))
    return {finding.name: finding.count for finding in found if "mirror" not in finding.name}


def _metric(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0


def test_the_end_is_recorded_after_the_last_pass(app: "App", eraser: Eraser) -> None:
    leaver = app.person()
    leaver.upload(picture())
    assert _delete(leaver).json()["status"] == "erasing"
    eraser.pass_over(datetime.now(UTC))
    assert _delete(leaver).json()["status"] == "erasing"  # the upload address is still valid
    waiting = {finding.name for _, finding in eraser.findings(eraser.person(decode_id(leaver.id)))}
    assert "removed_photos" in waiting  # by which the sweeper deletes what is uploaded until then
    eraser.pass_over(datetime.now(UTC) + LATER)
    with database.connect(app.settings) as connection:
        connection.execute("update removed_photos set purged_at = now() where owner_id = %s", (decode_id(leaver.id),))
    before = _metric("photofeed_erased_people_total")
    eraser.pass_over(datetime.now(UTC) + 2 * LATER)
    assert _metric("photofeed_erased_people_total") > before
    reply = _delete(leaver).json()
    assert (reply["status"], reply["userId"]) == ("erased", leaver.id)
    assert reply["erasedAt"] is not None


def test_nobody_is_erased_before_late_messages_have_arrived(app: "App", eraser: Eraser) -> None:
    leaver, now = app.person(), datetime.now(UTC)
    assert _delete(leaver).status_code == 202
    app.work()
    requested_at = datetime.fromisoformat(_delete(leaver).json()["requestedAt"])
    statuses = []
    for moment in (now + timedelta(minutes=1), now + LATER):
        eraser.pass_over(moment)
        age = moment - requested_at - timedelta(milliseconds=1)  # the reply has no microseconds
        assert _metric("photofeed_erasure_oldest_seconds") >= age.total_seconds()
        assert _left(eraser, leaver) == []
        statuses.append(_delete(leaver).json()["status"])
    assert statuses == ["erasing", "erased"]


def test_deleting_needs_the_handle(app: "App") -> None:
    person = app.person()
    for headers in ({"X-Nothing": "1"}, {"Confirm-Deletion": "yes"}, {"Confirm-Deletion": ""}):
        reply = _delete(person, **headers)
        assert (reply.status_code, reply.json()["code"]) == (422, "not_confirmed")
    assert person.get("/v1/me")["handle"] == person.handle
    assert app.service.call("DELETE", "/v1/me", headers={"Act-As": person.id}).status_code == 403


def test_a_repeated_deletion_changes_nothing(app: "App") -> None:
    person = app.person()
    first = _delete(person)
    second = _delete(person, **{"X-Nothing": "1"})
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()


def test_tokens_of_a_deleted_account_are_refused(app: "App", eraser: Eraser) -> None:
    person = app.person()
    person.get("/v1/me")  # remembered
    _delete(person)
    for erased in (False, True):
        for method, path in (("GET", "/v1/me"), ("GET", "/v1/feed"), ("POST", "/v1/photos/initiate")):
            reply = person.call(method, path)
            assert (reply.status_code, reply.json()["code"]) == (401, "account_deleted"), (erased, path)
        eraser.pass_over(datetime.now(UTC))


def test_name_and_posts_disappear_at_once(app: "App") -> None:
    person, friend = app.person(), app.person()
    post = person.upload(picture(), caption="here")
    app.work()
    friend.call("PUT", f"/v1/users/{person.id}/follow")
    assert friend.get(f"/v1/users/{person.id}/posts")["items"]
    _delete(person)
    assert friend.call("GET", f"/v1/handles/{person.handle}").status_code == 404
    assert friend.call("GET", f"/v1/posts/{post}").status_code == 404
    assert friend.get(f"/v1/users/{person.id}/posts")["items"] == []


def test_an_interrupted_pass_is_finished_by_the_next(
    app: "App", eraser: Eraser, history: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    leaver, friend, _, friends_post = _live(app, history)
    _delete(leaver)
    for store in eraser.stores:  # killed after each store in turn
        with monkeypatch.context() as patched:

            def die(*_: object) -> None:
                raise UnavailableError("killed")

            patched.setattr(type(store), "erase", die)
            with pytest.raises(UnavailableError):
                eraser.pass_over(datetime.now(UTC))
    eraser.pass_over(datetime.now(UTC))
    history()
    assert _left(eraser, leaver) == []
    assert friend.get(f"/v1/posts/{friends_post}")["likeCount"] == 0
    assert friend.get("/v1/me")["followerCount"] == 0


def test_late_and_replayed_messages_restore_nothing(app: "App", eraser: Eraser, history: Callable[[], None]) -> None:
    leaver, _, _, _ = _live(app, history)
    old = {
        topic: [Envelope.decode(one.value) for one in app.log.consumer(f"r{leaver.id}", (topic,)).poll(1_000_000, 0)]
        for topic in (topics.ENGAGEMENT, topics.FEED_SERVED, topics.PHOTO_PROCESSED)
    }
    _delete(leaver)
    eraser.pass_over(datetime.now(UTC))
    for topic, envelopes in old.items():
        about = [one for one in envelopes if str(decode_id(leaver.id)).encode() in one.encode()]
        assert about
        app.log.publish(topic.name, [one for one in about if one.type != "photo.removed"])
    history()
    assert _left(eraser, leaver) == []


def test_what_a_blocked_person_commented_is_not_subtracted_twice(app: "App", eraser: Eraser) -> None:
    author, leaver, other = app.person(), app.person(), app.person()
    post = author.upload(picture())
    app.work()
    for person in (leaver, other):
        assert person.call("POST", f"/v1/posts/{post}/comments", json={"text": "hm"}).status_code == 201
    author.call("PUT", f"/v1/users/{leaver.id}/block")
    assert author.get(f"/v1/posts/{post}")["commentCount"] == 1
    _delete(leaver)
    eraser.pass_over(datetime.now(UTC))
    assert author.get(f"/v1/posts/{post}")["commentCount"] == 1


def test_the_command_verifies(app: "App", eraser: Eraser) -> None:
    state = {"PHOTOFEED_STATE_DIR": app.settings.state_dir}
    leaver, stayer = app.person(), app.person()
    leaver.upload(picture())
    app.work()
    asked = photofeed("erasure", "verify", stayer.id, "--no-log", **state)
    assert (asked.returncode, "was not deleted" in asked.stderr) == (1, True)
    _delete(leaver)
    found = photofeed("erasure", "verify", leaver.id, "--no-log", **state)
    assert found.returncode == 1, found.stdout
    assert "PostgreSQL\tphotos.owner_id\t1" in found.stdout.splitlines()
    eraser.pass_over(datetime.now(UTC))
    done = photofeed("erasure", "verify", leaver.id, **state)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split("\t")[0] for line in done.stdout.splitlines() if "nothing" in line]


def test_what_names_a_person_among_others_is_removed_and_the_rest_is_kept_for_as_long_as_before(app: "App") -> None:
    me, other = (uuid.uuid4().int % 2**62 for _ in range(2))
    mine, kept = PostRef(1, me, 7, 0).member(), PostRef(2, other, 7, 0).member()
    name = uuid.uuid4().hex
    with connect_redis(app.settings) as client:
        client.zadd(f"zset:{name}", {mine: 1, kept: 2})
        client.sadd(f"set:{name}", mine, kept)
        client.hset(f"hash:{name}", mapping={mine: "1", kept: "2"})
        client.set(f"explore:{name}", mine + kept + mine)
        client.set(f"near:{name}", kept)
        client.set(f"string:{name}", mine + kept)
        keys = [f"{kind}:{name}" for kind in ("zset", "set", "hash", "explore", "near", "string")]
        for key in keys:
            client.expire(key, 1_000)
        MemoryStore(client).erase([Subject(me, datetime.now(UTC), frozenset())])
        assert client.zrange(f"zset:{name}", 0, -1) == client.hkeys(f"hash:{name}") == [kept]
        assert client.smembers(f"set:{name}") == {kept}
        assert client.get(f"explore:{name}") == client.get(f"near:{name}") == kept
        *left, unlinked = (client.ttl(key) for key in keys)
        assert all(0 < seconds <= 1_000 for seconds in left), left
        assert unlinked == -2  # nobody knows what it is, so nothing of it stays
        assert list(MemoryStore(client).find(Subject(me, datetime.now(UTC), frozenset()))) == []


def test_webhooks_about_a_deleted_account_are_forgotten(app: "App", eraser: Eraser) -> None:
    leaver, stayer = app.person(), app.person()
    with database.connect(app.settings) as connection:
        connection.execute(_ADD_WEBHOOK, (decode_id(leaver.id),))
        for person in (leaver, stayer):
            connection.execute(QUEUE, photo_event(1, decode_id(person.id), ready=True))
        _delete(leaver)
        assert "PostgreSQL: webhook_deliveries\t1" in _left(eraser, leaver)
        eraser.pass_over(datetime.now(UTC))
        assert _left(eraser, leaver) == []
        kept = connection.execute("select 1 from webhook_deliveries where position(%s in body) > 0", (stayer.id,))
        assert kept.fetchone()
        connection.execute("delete from webhook_endpoints where id = %s", (decode_id(leaver.id),))


def test_an_operator_deletes_by_handle(app: "App", eraser: Eraser) -> None:
    person = app.person()
    state = {"PHOTOFEED_STATE_DIR": app.settings.state_dir}
    assert photofeed("erasure", "request", "nobody_at_all", **state).returncode == 1
    assert photofeed("erasure", "request", person.handle, **state).returncode == 0
    eraser.pass_over(datetime.now(UTC))
    assert _left(eraser, person) == []
    with pytest.raises(ConflictError):
        eraser.person(decode_id(app.person().id))


def test_an_export_has_what_is_stored(app: "App", history: Callable[[], None]) -> None:
    person, friend, post, friends_post = _live(app, history)
    me = decode_id(person.id)
    friend.call("PUT", f"/v1/users/{person.id}/mute")
    assert person.call("POST", "/v1/photos/initiate").status_code == 201  # without a file
    with connect_redis(app.settings) as client:
        client.sadd(hidden_key(me), 33)
        client.zadd(skipped_key(me), {SkippedPost(44, 900, 7).member(): 6.0})
        client.zadd(unfollowed_key(me), {"55": 7.0})
    assert person.call("POST", "/v1/session").status_code == 201
    app.http.cookies.clear()
    reply = person.call("GET", "/v1/me/export")
    assert (reply.headers["content-type"], reply.headers["cache-control"]) == ("application/zip", "no-store")
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        files = {
            name.removesuffix(".ndjson"): [json.loads(line) for line in archive.read(name).splitlines()]
            for name in archive.namelist()
            if name.endswith(".ndjson")
        }
        assert "addresses" not in files
        assert "24 hours" in archive.read("README.txt").decode()
    assert files["users"][0]["handle"] == person.handle
    assert [one["id"] for one in files["posts"]] == [decode_id(post)]
    assert [one["body"] for one in files["comments"]] == ["nice"]
    assert [one["post_id"] for one in files["likes"]] == [decode_id(friends_post)]
    assert {(one["follower_id"], one["followee_id"]) for one in files["follows"]} == {
        (me, decode_id(friend.id)),
        (decode_id(friend.id), me),
    }
    (session,) = files["sessions"]
    assert "refresh_token" not in session  # it renews the session
    assert files["mutes"] == []  # who muted them is about somebody else
    memory = {one["kind"]: one for one in files["memory"]}
    assert memory.pop("seen")["postId"] == memory.pop("liked")["postId"] == friends_post
    assert memory == {
        "hidden": {"kind": "hidden", "postId": encode_id(33)},
        "skipped": {"kind": "skipped", "postId": encode_id(44), "seconds": 6.0},
        "unfollowed": {"kind": "unfollowed", "userId": encode_id(55), "seconds": 7.0},
    }
    assert [one["photoId"] for one in files["originals"]] == [post]
    assert [one["photo_id"] for one in files["photo_metadata"]] == [decode_id(post)]
    assert httpx2.get(files["originals"][0]["url"]).status_code == 200
    again = person.call("GET", "/v1/me/export")
    assert (again.status_code, again.json()["code"]) == (429, "too_many_exports")
    assert int(again.headers["retry-after"]) > 0
    with connect_redis(app.settings) as client:
        assert 0 < client.ttl(f"export:{me}") <= int(again.headers["retry-after"])


def test_an_operator_exports_what_the_lake_has(app: "App", history: Callable[[], None]) -> None:
    person, friend, _, friends_post = _live(app, history)
    done = photofeed("erasure", "export", person.handle, PHOTOFEED_STATE_DIR=app.settings.state_dir)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    me, them = decode_id(person.id), decode_id(friend.id)
    events = {(one["action"], one["user_id"], one["post_id"]) for one in rows if one["table"] == "engagement"}
    assert ("impression", me, decode_id(friends_post)) in events
    assert {one["table"] for one in rows} >= {"engagement", "feed_served", "features/user_activity"}
    assert all(me in (one.get("user_id"), one.get("creator_id")) for one in rows)
    assert any(one.get("user_id") == them for one in rows)  # what they did with this person's posts
