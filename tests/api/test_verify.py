"""`photofeed verify` finds every kind of disagreement between the systems, and nothing where they agree."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow as pa
import pytest
from psycopg.types.json import Jsonb

from ingestion.archive import Archive
from ingestion.bootstrap.engagement import engagement_pipeline
from ingestion.bootstrap.removal import open_leftovers
from ingestion.cdn import HttpPurgeCdn
from ingestion.engagement.counted_events import RedisCountedEvents
from ingestion.engagement.pipeline import EngagementPipeline
from ingestion.leftovers import Leftovers
from ingestion.verify import Check, Disagreement, Patience, objects
from ingestion.verify.counts import Counts
from ingestion.verify.features import Features, LakeEvents
from ingestion.verify.log import Groups, LogCounted, LogInLake
from ingestion.verify.objects import Objects
from ingestion.verify.removed import Removed
from ingestion.verify.timelines import Pools, Timelines
from photofeed import database
from photofeed.counted_ids import counted_key
from photofeed.database import Database
from photofeed.dead_letters import DeadLetter, count_waiting
from photofeed.erasures import nobody
from photofeed.event_log import Message
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.explore_pools import topic_key
from photofeed.feature_store import close_feature_store, load_counter_views, open_feature_store
from photofeed.ids import decode_id, encode_id
from photofeed.object_store import S3ObjectStore
from photofeed.offline_store.lake import Lake, LakeFolder, open_lake
from photofeed.offline_store.spilling import spilling
from photofeed.offline_store.tables import QUARANTINE
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.keys import KeyEncoder
from photofeed.online_store.reader import PackedReader
from photofeed.redis_client import RedisClient, connect_redis
from photofeed.timelines import FRESH_POOL, author_key, timeline_key
from photofeed.topics import ENGAGEMENT, FANOUT_GROUP, FEED_SERVED, GRAPH_CHANGED, SUBSCRIPTIONS, dead_letters
from tests.api.feed_world import FeedWorld
from tests.api.pictures import picture
from tests.command_line import set_up, with_own_feature_repo
from tests.doubles.event_log import InMemoryEventLog
from tests.served_pages import PAGE

if TYPE_CHECKING:
    from photofeed.settings import Settings
    from tests.api.conftest import App, Person

pytestmark = pytest.mark.reads_all
AT_ONCE = Patience(0)


def found(check: Check, about: str = "") -> list[tuple[str, str]]:
    """Check and subject of the disagreements whose subject contains a text: other tests leave disagreements behind."""
    return [(one.check, one.subject) for one in check.run() if about in one.subject]


@pytest.fixture
def pool(settings: "Settings") -> Iterator[Database]:
    with database.pool(settings) as pool:
        yield pool


@pytest.fixture
def client(settings: "Settings") -> Iterator[RedisClient]:
    with connect_redis(settings) as client:
        yield client


@pytest.fixture
def world(settings: "Settings") -> FeedWorld:
    return FeedWorld(settings)


def test_what_is_on_its_way_is_no_disagreement() -> None:
    arriving = [{"a", "b", "c"}, {"b", "c", "d"}, {"c", "d"}]
    waited: list[float] = []

    def find() -> list[Disagreement]:
        return [Disagreement("check", name, "", "") for name in sorted(arriving.pop(0))]

    assert [one.subject for one in Patience(20, waited.append).persisting(find)] == ["c"]
    assert waited == [10, 10]


def test_counters_of_posts_and_people(settings: "Settings", pool: Database, world: FeedWorld) -> None:
    author, liker = world.people(2)
    world.follow(liker, [author])
    (post,) = world.posts([author])
    check = Counts(settings, pool, AT_ONCE)
    name, person = encode_id(post.post_id), encode_id(author)
    assert found(check, name) + found(check, person) == []
    with pool.connection() as connection:
        connection.execute("insert into likes values (%s, %s, now())", (liker, post.post_id))
        connection.execute("update users set follower_count = 3 where id = %s", (author,))
    wrong = [one for one in check.run() if one.subject in (name, person)]
    assert [(one.check, one.subject) for one in wrong] == [
        ("postgres.like_count", name),
        ("postgres.follower_count", person),
    ]
    with pool.connection() as connection:
        for one in wrong:
            connection.execute(one.repair.encode())
    assert found(check, name) + found(check, person) == []


def test_photos_that_stay_in_work_and_messages_that_are_not_published(
    settings: "Settings", pool: Database, world: FeedWorld
) -> None:
    (author,) = world.people(1)
    (post,) = world.posts([author])
    long_ago = datetime.now(UTC) - timedelta(seconds=3 * settings.processing_stuck_seconds)
    stuck = "update photos set status = %s, completed_at = %s where id = %s"
    with pool.connection() as connection:
        connection.execute(stuck, ("processing", long_ago, post.post_id))
        waiting = connection.execute(
            "insert into outbox (topic, key, envelope) values ('t', 'k', '') returning id"
        ).fetchone()
    try:
        kinds = [kind for kind, _ in found(Counts(settings, pool, AT_ONCE))]
        assert {"postgres.stuck_photo", "postgres.outbox"} <= set(kinds)
    finally:
        with pool.connection() as connection:
            connection.execute(stuck, ("ready", long_ago, post.post_id))
            connection.execute("delete from outbox where id = %s", (waiting and waiting["id"],))


def test_messages_that_are_published_meanwhile_are_no_disagreement(settings: "Settings", pool: Database) -> None:
    def publish_one(_: float) -> None:
        with pool.connection() as connection:
            connection.execute("delete from outbox where id = (select min(id) from outbox)")

    with pool.connection() as connection:
        connection.execute("delete from outbox")
        for _ in range(5):
            connection.execute("insert into outbox (topic, key, envelope) values ('t', 'k', '')")
    try:
        checks = [kind for kind, _ in found(Counts(settings, pool, Patience(0, publish_one)))]
    finally:
        with pool.connection() as connection:
            connection.execute("delete from outbox")
    assert "postgres.outbox" not in checks


@dataclass
class Photo:
    """A ready photo, and the check of object storage."""

    id: str
    owner: "Person"
    check: Objects
    objects: S3ObjectStore
    variant: str
    original: str

    def found(self) -> list[tuple[str, str]]:
        return found(replace(self.check), self.id)


@pytest.fixture
def photo(app: "App", settings: "Settings", pool: Database) -> Iterator[Photo]:
    owner = app.person()
    photo_id = owner.upload(picture(uuid.uuid4().int % 2**32))
    app.work()
    with pool.connection() as connection:
        query = "select original_key, variants, claimed_keys from photos where id = %s"
        row = connection.execute(query, (decode_id(photo_id),)).fetchone()
    assert row is not None
    objects = S3ObjectStore.connect(settings)
    duckdb_config = spilling(open_lake(settings).cache_dir, 256)
    # posts of other tests have no files
    check = Objects(settings, pool, objects, AT_ONCE, duckdb_config, shown=1_000_000)
    yield Photo(photo_id, owner, check, objects, row["variants"][0]["key"], row["original_key"])
    with pool.connection() as connection:  # feeds of other tests show it
        connection.execute(
            "update photos set variants = %s, claimed_keys = %s where id = %s",
            (Jsonb(row["variants"]), row["claimed_keys"], decode_id(photo_id)),
        )


def test_objects_that_photos_name(settings: "Settings", photo: Photo) -> None:
    assert photo.found() == []
    photo.objects.delete(settings.bucket_variants, photo.variant)
    photo.objects.delete(settings.bucket_originals, photo.original)
    assert sorted(photo.found()) == [
        ("storage.missing_original", f"{photo.id} {settings.bucket_originals}/{photo.original}"),
        ("storage.missing_variant", f"{photo.id} {settings.bucket_variants}/{photo.variant}"),
    ]


@pytest.mark.parametrize(("query", "table"), [(objects._PHOTOS, "photos"), (objects._REMOVED, "removed_photos")])
def test_photos_are_read_page_by_page(
    settings: "Settings", pool: Database, world: FeedWorld, monkeypatch: pytest.MonkeyPatch, query: str, table: str
) -> None:
    made = [post.post_id for post in world.posts(world.people(1), each=5)]
    key, wanted = ("id", "true") if table == "photos" else ("photo_id", "purged_at is null")
    nothing: Any = None
    with pool.connection() as connection:
        if table == "removed_photos":
            connection.execute("delete from photos where id = any(%s)", (made,))
        rows = connection.execute(f"select {key} as id from {table} where {wanted} order by 1".encode()).fetchall()  # noqa: S608
    monkeypatch.setattr(objects, "_AT_ONCE", len(rows) // 3)
    pages = list(Objects(settings, pool, nothing, AT_ONCE, {})._pages(query))
    assert len(pages) >= 3
    assert [row["id"] for page in pages for row in page] == [row["id"] for row in rows]


def test_objects_that_no_photo_names(settings: "Settings", photo: Photo) -> None:
    key, parked = f"completed/7/{uuid.uuid4().int % 2**60}", f"uploads/{1_000_000:010d}-7-{uuid.uuid4().int % 2**60}"
    for name in (key, parked):
        photo.objects.put(settings.bucket_originals, name, b"x", "image/jpeg")
    assert found(photo.check, "-7-") == [("storage.parked_upload", f"{settings.bucket_originals}/{parked}")]
    assert found(photo.check, key) == [("storage.unnamed_object", f"{settings.bucket_originals}/{key}")]
    for name in (key, parked):
        photo.objects.delete(settings.bucket_originals, name)
    assert found(photo.check, key) + found(photo.check, "-7-") == []


@pytest.mark.parametrize(
    "named",
    [
        "update photos set variants = variants || jsonb_build_array(jsonb_build_object('key', %(key)s::text))",
        "update photos set claimed_keys = claimed_keys || %(key)s::text",
    ],
)
def test_an_object_that_a_photo_names_meanwhile_is_no_disagreement(
    settings: "Settings", photo: Photo, pool: Database, named: str
) -> None:
    """A worker stores files before it names them."""
    key = f"aa/{uuid.uuid4().hex}.jpg"
    photo.objects.put(settings.bucket_variants, key, b"x", "image/jpeg")

    def name_it(_: float) -> None:
        with pool.connection() as connection:
            connection.execute(f"{named} where id = %(id)s".encode(), {"key": key, "id": decode_id(photo.id)})

    left = ("storage.unnamed_object", f"{settings.bucket_variants}/{key}")
    assert found(replace(photo.check), key) == [left]
    assert found(replace(photo.check, patience=Patience(0, name_it)), key) == []


def test_a_missing_object_that_no_photo_names_any_more_is_no_disagreement(
    settings: "Settings", photo: Photo, pool: Database
) -> None:
    def rename(_: float) -> None:
        with pool.connection() as connection:
            connection.execute("update photos set variants = '[]' where id = %s", (decode_id(photo.id),))

    photo.objects.delete(settings.bucket_variants, photo.variant)
    missing = ("storage.missing_variant", f"{photo.id} {settings.bucket_variants}/{photo.variant}")
    assert photo.found() == [missing]
    assert found(replace(photo.check, patience=Patience(0, rename)), photo.id) == []


def test_what_a_removed_photo_names_is_expected_until_it_is_purged(
    settings: "Settings", photo: Photo, pool: Database
) -> None:
    assert photo.owner.call("DELETE", f"/v1/photos/{photo.id}").status_code == 204
    assert found(replace(photo.check), photo.variant) == []
    with pool.connection() as connection:
        connection.execute("update removed_photos set purged_at = now() where photo_id = %s", (decode_id(photo.id),))
    left = ("storage.unnamed_object", f"{settings.bucket_variants}/{photo.variant}")
    assert found(replace(photo.check), photo.variant) == [left]
    photo.objects.delete(settings.bucket_variants, photo.variant)


def test_timelines_and_own_posts_and_the_fresh_pool(
    settings: "Settings", pool: Database, client: RedisClient, world: FeedWorld
) -> None:
    viewer, author, stranger = world.people(3)
    world.follow(viewer, [author])
    post, lost = world.posts([author], 2, timedelta(minutes=1))
    (foreign,) = world.posts([stranger])
    world.deliver([post, lost], [viewer])
    world.deliver([foreign], [])
    check = Timelines(pool, client, settings.timeline_length, AT_ONCE)
    mine = [timeline_key(viewer), author_key(author)]
    assert [one for key in mine for one in found(check, f"{key} ")] == []
    client.zrem(timeline_key(viewer), lost.member())
    client.zrem(author_key(author), lost.member())
    client.zrem(FRESH_POOL, lost.member())
    client.zadd(timeline_key(viewer), {foreign.member(): foreign.posted_ms})
    gone = encode_id(lost.post_id)
    every = {(one.check, one.subject) for one in check.run()}
    assert {
        ("redis.missing_post", f"{timeline_key(viewer)} {gone}"),
        ("redis.missing_post", f"{author_key(author)} {gone}"),
        ("redis.missing_post", f"{FRESH_POOL} {gone}"),
        ("redis.wrong_post", f"{timeline_key(viewer)} {encode_id(foreign.post_id)}"),
    } <= every


def test_posts_that_a_full_timeline_has_no_room_for_are_not_missing(
    pool: Database, client: RedisClient, world: FeedWorld
) -> None:
    viewer, author = world.people(2)
    world.follow(viewer, [author])
    posts = world.posts([author], 5)
    client.zadd(timeline_key(viewer), {post.member(): post.posted_ms for post in posts[2:]})
    assert found(Timelines(pool, client, 3, AT_ONCE), f"{timeline_key(viewer)} ") == []
    assert len(found(Timelines(pool, client, 4, AT_ONCE), f"{timeline_key(viewer)} ")) == 1


def test_posts_that_had_to_leave_a_full_timeline_for_those_of_a_celebrity_are_not_missing(
    pool: Database, client: RedisClient, world: FeedWorld
) -> None:
    """Posts of an account that became a celebrity stay in timelines, and PostgreSQL's list does not have them."""
    viewer, author, celebrity = world.people(3)
    world.follow(viewer, [author, celebrity])
    posts, (newer,) = world.posts([author], 3, timedelta(hours=2)), world.posts([celebrity])
    with pool.connection() as connection:
        connection.execute("update users set pulled = true where id = %s", (celebrity,))
    client.zadd(timeline_key(viewer), {post.member(): post.posted_ms for post in (*posts[1:], newer)})
    assert found(Timelines(pool, client, 3, AT_ONCE), f"{timeline_key(viewer)} ") == []
    missing = [("redis.missing_post", f"{timeline_key(viewer)} {encode_id(posts[0].post_id)}")]
    assert found(Timelines(pool, client, 4, AT_ONCE), f"{timeline_key(viewer)} ") == missing


def test_pools_with_posts_that_were_deleted_long_ago(pool: Database, client: RedisClient, world: FeedWorld) -> None:
    (author,) = world.people(1)
    old, recent, kept = world.posts([author], 3)
    topic = uuid.uuid4().int % 2**40
    client.set(topic_key(topic), b"".join(post.member() for post in (old, recent, kept)), ex=60)
    with pool.connection() as connection:
        connection.execute("delete from photos where id = any(%s)", ([old.post_id, recent.post_id],))
        two_days = (
            "update removed_photos set removed_at = now() - interval '2 days', purged_at = now() where photo_id = %s"
        )
        connection.execute(two_days, (old.post_id,))
        connection.execute("update removed_photos set purged_at = now() where photo_id = %s", (recent.post_id,))
    expected = [("redis.deleted_post", f"{topic_key(topic)} {encode_id(old.post_id)}")]
    assert found(Pools(pool, client, AT_ONCE), topic_key(topic)) == expected


def test_what_is_left_of_deleted_photos_also_at_the_edge(
    settings: "Settings", photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert photo.owner.call("DELETE", f"/v1/photos/{photo.id}").status_code == 204
    edge = httpx.MockTransport(lambda request: httpx.Response(200 if request.url.path.endswith("/640") else 404))
    cdn = HttpPurgeCdn(httpx.Client(base_url="http://cdn.test", transport=edge))
    with open_leftovers(settings) as leftovers:
        removed = next(one for batch in leftovers.batches() for one in batch if one["photo_id"] == decode_id(photo.id))
        monkeypatch.setattr(Leftovers, "batches", lambda _: iter([[removed]]))  # not those of other tests
        left = found(Removed(replace(leftovers, cdn=cdn), AT_ONCE), photo.id)
    assert ("removed.cdn", f"{photo.id} 640") in left
    assert ("removed.variant", f"{photo.id} {photo.variant}") in left


class Offsets:
    """Offsets of a group: (committed, end) of one partition, by reading."""

    def __init__(self, *readings: tuple[int, int]) -> None:
        self._readings = list(readings)

    def read(self) -> Mapping[tuple[str, int], tuple[int, int]]:
        reading = self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]
        return {(GRAPH_CHANGED.name, 1): reading}

    def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize(
    ("readings", "lag"),
    [([(5, 9), (5, 9)], "4 messages"), ([(5, 9), (9, 20)], ""), ([(5, 9), (7, 20)], "2 messages"), ([(9, 9)], "")],
)
def test_groups_that_do_not_handle_their_messages(readings: Sequence[tuple[int, int]], lag: str) -> None:
    """Messages that came after the first look do not count."""
    one = Offsets(*readings)
    check = Groups(lambda _: one, InMemoryEventLog(), AT_ONCE, frozenset(SUBSCRIPTIONS) - {FANOUT_GROUP})
    texts = [each.text for each in check.run()]
    assert [text.split(" of ")[0] for text in texts] == ([lag] if lag else [])


def test_dead_letters_that_wait() -> None:
    log, topic = InMemoryEventLog(), dead_letters(GRAPH_CHANGED.name, FANOUT_GROUP)
    letters = [
        DeadLetter.about(Message(GRAPH_CHANGED.name, 0, place, "k", b"{}"), FANOUT_GROUP, ValueError("x"))
        for place in range(3)
    ]
    log.publish(topic, [letter.to_envelope() for letter in letters])
    log.publish(topic, [Envelope("dead_letter.replayed", "k", {"letterId": letters[0].id})])
    assert list(count_waiting(log)) == [(GRAPH_CHANGED.name, FANOUT_GROUP, 2)]
    check = Groups(lambda _: Offsets((0, 0)), log, AT_ONCE)
    assert [(one.check, one.subject, one.text.split()[0]) for one in check.run()] == [
        ("kafka.dead_letters", f"{FANOUT_GROUP} {GRAPH_CHANGED.name}", "2")
    ]


@dataclass
class Counting:
    """Events that are in the log, archived and counted."""

    settings: "Settings"
    store: Any
    client: RedisClient
    log: InMemoryEventLog
    person: int
    events: list[EngagementEvent]
    counted: RedisCountedEvents
    pipeline: EngagementPipeline

    def handle(self, *batches: Sequence[EngagementEvent]) -> None:
        """Publish one message per batch; count and archive them."""
        self.log.publish(ENGAGEMENT.name, [engagement_envelope(self.person, list(batch)) for batch in batches])
        archive = Archive(open_lake(self.settings), self.settings.bucket_lake)
        for group, handle in (("features", self.pipeline.handle), ("archive", archive.handle)):
            consumer = self.log.consumer(group, [ENGAGEMENT])
            for message in consumer.poll(100, 0):
                handle([Envelope.decode(message.value, message.partition, offset=message.offset)])
            consumer.commit()
        self.pipeline.flush()

    def features(self, *, erasures: int = 0, events_at_once: int = 1_000_000) -> Features:
        views = load_counter_views(self.store)
        schemas = {one.name: row_schema(self.store.get_feature_view(one.name), self.store.project) for one in views}
        readers = {name: PackedReader([schema], client=self.client) for name, schema in schemas.items()}
        log = LakeEvents(open_lake(self.settings), self.settings.bucket_lake)
        return Features(log, views, readers, AT_ONCE, 0, erasures, events_at_once)

    def wrong(self, check: Features) -> list[str]:
        """Disagreements about the person, the author and the posts of these events."""
        names = {encode_id(self.person + number) for number in range(5)}
        return [one.text for one in check.run() if any(name in one.subject for name in names)]

    def forget_row(self, view: str, **keys: int) -> None:
        schema = row_schema(self.store.get_feature_view(view), self.store.project)
        (key,) = KeyEncoder(schema).encode({name: [value] for name, value in keys.items()})
        assert self.client.delete(key) == 1


@pytest.fixture(scope="module")
def apart(settings_apart: Callable[[int], "Settings"], tmp_path_factory: pytest.TempPathFactory) -> "Settings":
    """A lake, a Redis and a registry without the events of other tests, which take minutes to compare."""
    settings = with_own_feature_repo(settings_apart(11), tmp_path_factory.mktemp("verify"), "verifying")
    set_up(settings)
    return settings


@pytest.fixture
def counting(apart: "Settings") -> Iterator[Counting]:
    with connect_redis(apart) as client:
        yield from _counting(apart, client)


def _counting(settings: "Settings", client: RedisClient) -> Iterator[Counting]:
    person, store, log = uuid.uuid4().int % 2**40 + 2**57, open_feature_store(settings), InMemoryEventLog()
    now = datetime.now(UTC) - timedelta(minutes=5)
    events = [
        EngagementEvent(
            f"{person}-{place}",
            action,
            person,
            person + 1,
            now + timedelta(seconds=place),
            person + 2 + place % 3,
            9,
            "photo",
            dwell_ms=900 if action is Action.DWELL else None,
        )
        for place, action in enumerate([Action.IMPRESSION, Action.LIKE, Action.DWELL, Action.UNLIKE, Action.LIKE] * 4)
    ]
    pipeline = engagement_pipeline(settings, store, client)
    counted = RedisCountedEvents(client, uuid.uuid4().hex)
    pipeline.counted = counted
    pipeline.become_leader()
    counting = Counting(settings, store, client, log, person, events, counted, pipeline)
    counting.handle(*(events[start : start + 5] for start in (0, 5, 10, 15)))
    yield counting
    close_feature_store(store)


def test_counters_that_are_not_those_of_the_lake(counting: Counting) -> None:
    name = encode_id(counting.person)
    check = counting.features()
    assert found(check, name) == []
    assert check.compared > 3
    assert check.notes == []
    counting.forget_row("user_activity", user_id=counting.person)
    expected = [("features.user_activity", f"user_id={name}")]
    assert found(counting.features(), name) == expected
    assert found(counting.features(events_at_once=3), name) == expected  # in several passes
    assert found(counting.features(erasures=1), name) == expected  # less than the lake: no deleted account explains it


@pytest.mark.parametrize("seconds", [-300, 60])
def test_an_event_is_counted_as_its_first_copy_in_the_log_has_it(counting: Counting, seconds: int) -> None:
    """A client that repeats a request without times has an event with two times, and may send another post with it."""
    early, late = counting.events[0], counting.events[1]
    other = replace(late, post_id=counting.person + 4, content_type="reel")
    copies = [replace(one, occurred_at=one.occurred_at + timedelta(seconds=seconds)) for one in (early, other)]
    counting.handle(copies, [counting.events[2]])
    assert counting.wrong(counting.features()) == []
    assert counting.wrong(counting.features(events_at_once=3)) == []  # in several passes
    counting.handle([replace(one, id=f"{early.id}-new") for one in (early, copies[0])])  # both in one message
    assert counting.wrong(counting.features()) == []


def test_counters_of_a_moment_ago_are_not_compared(counting: Counting) -> None:
    name = encode_id(counting.person)
    counting.forget_row("user_activity", user_id=counting.person)
    check = replace(counting.features(), patience=Patience(3_600, lambda _: None))
    assert found(check, name) == []
    assert any("user_activity" in note for note in check.notes)


def test_counters_that_know_events_of_deleted_accounts(counting: Counting) -> None:
    """The lake has forgotten those events; the counters of the posts that they were about have not."""
    more = [replace(counting.events[1], id=uuid.uuid4().hex, user_id=counting.person + 50)]
    pipeline = engagement_pipeline(counting.settings, counting.store, counting.client)
    pipeline.counted = RedisCountedEvents(counting.client, uuid.uuid4().hex)
    pipeline.become_leader()
    pipeline.handle([engagement_envelope(counting.person + 50, more)])
    pipeline.flush()
    post = f"post_id={encode_id(counting.events[1].post_id or 0)}"
    assert found(counting.features(), post) == [("features.post_engagement", post)]
    check = counting.features(erasures=1)
    assert found(check, post) == []
    assert any("post_engagement" in note for note in check.notes)


def test_events_that_are_in_the_log_and_not_in_the_lake(counting: Counting) -> None:
    settings, lake = counting.settings, open_lake(counting.settings)
    config = spilling(lake.cache_dir, 256)
    check = LogInLake(counting.log, lake, settings.bucket_lake, nobody, config)
    assert found(check) == []
    assert check.compared == len(counting.events)
    lost = replace(counting.events[0], id=f"{counting.person}-lost")
    counting.log.publish(ENGAGEMENT.name, [engagement_envelope(counting.person, [lost])])
    assert found(replace(check)) == []  # the archive has not committed it
    consumer = counting.log.consumer("archive", [ENGAGEMENT])
    consumer.poll(100, 0)
    consumer.commit()
    assert found(replace(check)) == [("lake.engagement", lost.id)]
    erased = replace(check, erased=lambda _: frozenset({counting.person}))
    assert found(erased) == []
    other = replace(lost, id=f"{counting.person}-other")
    _set_aside(lake, settings.bucket_lake, "feed_served", {"slate_id": lost.id, "position": 0, "id": lost.id})
    _set_aside(lake, settings.bucket_lake, "engagement", {"id": other.id})
    assert found(replace(check)) == [("lake.engagement", lost.id)]  # what is aside is of another table, or another row
    _set_aside(lake, settings.bucket_lake, "engagement", {"id": lost.id})
    assert found(replace(check)) == []


def test_served_posts_that_are_in_the_log_and_not_in_the_lake(counting: Counting) -> None:
    settings, lake, log = counting.settings, open_lake(counting.settings), counting.log
    check = LogInLake(log, lake, settings.bucket_lake, nobody, spilling(lake.cache_dir, 256))
    now = datetime.now(UTC)
    kept, lost = (
        replace(PAGE, slate_id=f"{counting.person}-{name}", served_at=now, ranked_at=now) for name in ("kept", "lost")
    )
    log.publish(FEED_SERVED.name, [page.to_envelope() for page in (kept, lost)])
    consumer = log.consumer("archive", [FEED_SERVED])
    consumer.poll(100, 0)
    consumer.commit()
    Archive(lake, settings.bucket_lake).handle([kept.to_envelope()])
    first, second = (f"{lost.slate_id} {item.position}" for item in lost.items)
    pages = str(counting.person)
    assert sorted(found(replace(check), pages)) == [("lake.feed_served", first), ("lake.feed_served", second)]
    _set_aside(lake, settings.bucket_lake, "engagement", {"id": first})  # of another table
    row = {"slate_id": lost.slate_id, "position": lost.items[0].position}
    _set_aside(lake, settings.bucket_lake, "feed_served", row)
    assert found(replace(check), pages) == [("lake.feed_served", second)]


def _set_aside(lake: Lake, bucket: str, table: str, row: dict[str, object]) -> None:
    """Write a row to the quarantine, as the archive does with rows that break the contract of their table."""
    now = pa.array([datetime.now(UTC)], pa.timestamp("us", tz="UTC"))
    columns = {"table": [table], "reason": ["it is a test"], "row": [json.dumps(row)], "quarantined_at": now}
    lake.append(LakeFolder(bucket, QUARANTINE), pa.table(columns), "quarantined_at")


def test_events_that_were_committed_and_not_counted(counting: Counting) -> None:
    check = LogCounted(counting.log, counting.counted, nobody)
    assert found(check) == []
    assert check.compared == len(counting.events)
    lost = counting.events[3]
    assert counting.client.srem(counted_key(lost.occurred_at.date()), lost.id) == 1
    assert found(replace(check)) == [("redis.uncounted_event", lost.id)]
