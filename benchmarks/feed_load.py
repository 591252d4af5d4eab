"""Loads a world into photofeed's stores: PostgreSQL by COPY, Redis by pipelines with the production codecs."""

import struct
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import psycopg
from feed_world import PAIR_SHARE, TOPICS, Ids, World, feature_rows
from numpy.typing import NDArray

from ingestion.pools import neighbours, new_creators, topics, trending
from photofeed.explore_pools import (
    LIKED_LAYOUT,
    LIKED_LENGTH,
    NEW_CREATORS_KEY,
    TRENDING_POOL_KEY,
    join_members,
    liked_key,
    neighbours_key,
    topic_key,
)
from photofeed.features.functions import DAY_SECONDS
from photofeed.features.manifest import FeatureManifest
from photofeed.ids import EPOCH_MS, RANDOM_BITS, topic_id
from photofeed.online_store.writer import PackedWriter
from photofeed.photo_sizes import PHOTO_PIXELS
from photofeed.posts import POST_DTYPE
from photofeed.timelines import (
    AUTHOR_LENGTH,
    FRESH_POOL,
    POOL_LENGTH,
    TRENDING_POOL,
    author_key,
    seen_key,
    timeline_key,
    trending_score,
)

BATCH = 10_000
SEEN = 200  # posts that each viewer has seen within a day
VIEWERS_AT_ONCE = 100
_POSTGRES_EPOCH_US = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp() * 1e6)
_BINARY_HEAD, _BINARY_END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


def load_database(world: World, connection: psycopg.Connection[Any], celebrity_followers: int) -> None:
    """Load users, follows, photos and posts. Foreign keys hold by construction and are not checked."""
    connection.execute("set session_replication_role = replica")
    connection.execute("set synchronous_commit = off")
    # only deletion of photos reads this index, and it takes most of the time of loading them
    connection.execute("drop index if exists photos_by_variant")
    connection.execute("truncate users, follows, photos, posts cascade")
    users = "users (id, handle, display_name, follower_count, following_count, created_at, pulled)"
    _copy(connection, users, _people(world, celebrity_followers))
    _copy_follows(connection, world)
    photos = (
        "photos (id, owner_id, status, original_key, width, height, blurhash, dominant_color, variants, created_at)"
    )
    _copy(connection, photos, _photos(world))
    posts = "posts (id, author_id, caption, tags, topic, topic_id, content_type, posted_at, visible, like_count)"
    connection.execute("alter table posts enable always trigger post_takes_picture")
    _copy(connection, posts, _posts(world))
    connection.execute("alter table posts enable trigger post_takes_picture")
    connection.commit()
    connection.autocommit = True
    connection.execute("vacuum analyze")


def _copy(connection: psycopg.Connection[Any], target: str, lines: Iterable[str]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"copy {target} from stdin") as copy:
        batch: list[str] = []
        for line in lines:
            batch.append(line)
            if len(batch) == BATCH:
                copy.write("".join(batch))
                batch.clear()
        copy.write("".join(batch))


def _copy_follows(connection: psycopg.Connection[Any], world: World) -> None:
    rows = np.empty(
        len(world.followers),
        [("fields", ">i2"), ("w1", ">i4"), ("a", ">i8"), ("w2", ">i4"), ("b", ">i8"), ("w3", ">i4"), ("at", ">i8")],
    )
    rows["fields"], rows["w1"], rows["w2"], rows["w3"] = 3, 8, 8, 8
    rows["a"], rows["b"] = world.people[world.followers], world.people[world.followees]
    rows["at"] = world.now_ms * 1000 - _POSTGRES_EPOCH_US
    target = "follows (follower_id, followee_id, created_at)"
    with connection.cursor() as cursor, cursor.copy(f"copy {target} from stdin (format binary)") as copy:
        copy.write(_BINARY_HEAD)
        for start in range(0, len(rows), 100 * BATCH):
            copy.write(rows[start : start + 100 * BATCH].tobytes())
        copy.write(_BINARY_END)


def _people(world: World, celebrity_followers: int) -> Iterator[str]:
    columns = zip(world.people.tolist(), world.follower_counts.tolist(), world.following_counts.tolist(), strict=True)
    for number, (user_id, followers, following) in enumerate(columns):
        moment, pulled = _moment((user_id >> RANDOM_BITS) + EPOCH_MS), followers >= celebrity_followers
        yield f"{user_id}\tperson{number}\tPerson {number}\t{followers}\t{following}\t{moment}\t{pulled}\n"


def _photos(world: World) -> Iterator[str]:
    columns = zip(world.posts.tolist(), world.people[world.authors].tolist(), world.posted_ms.tolist(), strict=True)
    for photo_id, owner_id, posted_ms in columns:
        variants = [
            {
                "size": size,
                "format": kind,
                "key": f"{photo_id:016x}{size:04x}{photo_id:044x}.{kind}",
                "width": size,
                "height": size * 3 // 4,
                "bytes": size * 100,
            }
            for size in PHOTO_PIXELS
            for kind in ("jpeg", "webp")
        ]
        yield (
            f"{photo_id}\t{owner_id}\tready\toriginals/{photo_id}\t4032\t3024\tLQIzbn[VM|xv.m9[NHxaOrXSRjIo\t#9f4938\t"
            f"{orjson.dumps(variants).decode()}\t{_moment(posted_ms)}\n"
        )


def _posts(world: World) -> Iterator[str]:
    columns = zip(
        world.posts.tolist(),
        world.people[world.authors].tolist(),
        world.topics.tolist(),
        world.topic_ids.tolist(),
        world.posted_ms.tolist(),
        strict=True,
    )
    for post_id, author_id, topic, number, posted_ms in columns:
        caption = f"What I saw of {TOPICS[topic]} on an afternoon in the hills, number {post_id % 1000}"
        yield (
            f"{post_id}\t{author_id}\t{caption}\t{{{TOPICS[topic]},light,walk}}\t{TOPICS[topic]}\t{number}\tphoto\t"
            f"{_moment(posted_ms)}\tt\t{post_id % 97}\n"
        )


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, tz=UTC).isoformat()


def load_redis(
    world: World, client: Any, manifest: FeatureManifest, celebrity_followers: int, timeline_length: int
) -> None:
    """Load timelines and relations of the viewers, and features of everything that can be a candidate."""
    client.flushdb()
    load_timelines(world, client, celebrity_followers, timeline_length)
    random = np.random.default_rng(world.seed + 1)
    now_us = world.now_ms * 1000
    for view in manifest.views:
        writer = PackedWriter(view.schema)
        entities, known = _entities(world, {key.name for key in view.schema.join_keys}, random)
        rows = feature_rows(view, len(next(iter(entities.values()))), now_us, known, random)
        for start in range(0, len(rows), BATCH):
            batch = slice(start, start + BATCH)
            pipeline = client.pipeline(transaction=False)
            part = rows[batch]
            writer.write(
                pipeline, {name: ids[batch] for name, ids in entities.items()}, part, np.full(len(part), now_us)
            )
            pipeline.execute()


def _entities(
    world: World, keys: set[str], random: np.random.Generator
) -> tuple[dict[str, Ids], dict[str, NDArray[Any]]]:
    """The entities with a row in a view of these join keys, and the columns that the world determines."""
    viewers = world.people[world.viewers]
    if keys == {"post_id"}:
        known = {
            "author_id": world.people[world.authors],
            "topic_id": world.topic_ids,
            "posted_at": world.posted_ms * 1000,
            "is_reel": np.zeros(len(world.posts)),
        }
        return {"post_id": world.posts}, known
    if keys == {"creator_id"}:
        return {"creator_id": world.people[np.unique(world.authors)]}, {}
    if keys == {"user_id"}:
        return {"user_id": viewers}, {}
    if keys == {"user_id", "topic_id"}:
        numbers = np.array([topic_id(name) for name in TOPICS], dtype=np.int64)
        some = random.random((len(viewers), len(numbers))) < PAIR_SHARE
        user, topic = np.nonzero(some)
        return {"user_id": viewers[user], "topic_id": numbers[topic]}, {}
    pairs = np.isin(world.followers, world.viewers) & (random.random(len(world.followers)) < PAIR_SHARE)
    return {"user_id": world.people[world.followers[pairs]], "creator_id": world.people[world.followees[pairs]]}, {}


def load_timelines(world: World, client: Any, celebrity_followers: int, timeline_length: int) -> None:
    """Load what fan-out and engagement write in production: timelines, celebrities' posts, pools, seen posts."""
    random = np.random.default_rng(world.seed + 2)
    members = post_members(world)
    celebrity = world.follower_counts >= celebrity_followers
    pipeline = client.pipeline(transaction=False)

    def add(key: str, posts: Ids) -> None:
        if len(posts):
            scores = world.posted_ms[posts].tolist()
            pipeline.zadd(key, dict(zip(members[posts].tolist(), scores, strict=True)))

    for viewer in world.viewers.tolist():
        followed = world.followed_by(viewer)
        user_id = int(world.people[viewer])
        add(timeline_key(user_id), world.posts_of(followed[~celebrity[followed]])[:timeline_length])
        seen = random.choice(world.posts, SEEN, replace=False).tolist()
        seen_at = world.now_ms / 1000 - random.random(SEEN) * DAY_SECONDS
        pipeline.zadd(seen_key(user_id), dict(zip(map(str, seen), seen_at.tolist(), strict=True)))
        if len(pipeline.command_stack) > VIEWERS_AT_ONCE:
            pipeline.execute()
    for author in np.flatnonzero(celebrity).tolist():
        add(author_key(int(world.people[author])), world.posts_of(np.array([author]))[:AUTHOR_LENGTH])
    add(FRESH_POOL, np.arange(len(world.posts))[-POOL_LENGTH:])
    hot = random.permutation(len(world.posts))[:POOL_LENGTH]
    likes = random.lognormal(1, 1.2, len(hot))
    scores = [trending_score(count, world.now_ms / 1000 - DAY_SECONDS / 2) for count in likes.tolist()]
    pipeline.zadd(TRENDING_POOL, dict(zip(members[hot].tolist(), scores, strict=True)))
    pipeline.set(TRENDING_POOL_KEY, join_members(members[hot[: trending.LENGTH]].tolist()))
    pipeline.set(NEW_CREATORS_KEY, join_members(members[hot[trending.LENGTH :][: new_creators.LENGTH]].tolist()))
    pipeline.execute()
    load_tastes(world, client)


def load_tastes(world: World, client: Any) -> None:
    """Load the viewers' recent likes, neighbours of the liked posts, and topic pools, in their production sizes."""
    random = np.random.default_rng(world.seed + 4)
    members = post_members(world)
    pipeline = client.pipeline(transaction=False)
    for viewer in world.viewers.tolist():
        liked = random.choice(len(world.posts), LIKED_LENGTH, replace=False)
        moments = (world.now_ms / 1000 - random.random(LIKED_LENGTH) * 7 * DAY_SECONDS).tolist()
        pairs = zip(world.posts[liked].tolist(), world.topic_ids[liked].tolist(), strict=True)
        entries = [struct.pack(LIKED_LAYOUT, *pair) for pair in pairs]
        pipeline.zadd(liked_key(int(world.people[viewer])), dict(zip(entries, moments, strict=True)))
        for post in world.posts[liked].tolist():
            near = random.choice(len(members), neighbours.NEIGHBOURS, replace=False)
            pipeline.set(neighbours_key(post), join_members(members[near].tolist()))
    for topic in np.unique(world.topic_ids).tolist():
        about = np.flatnonzero(world.topic_ids == topic)[-topics.LENGTH :]
        pipeline.set(topic_key(topic), join_members(members[about].tolist()))
    pipeline.execute()


def post_members(world: World) -> NDArray[Any]:
    """Every post as a member of a sorted set, (posts,) opaque items. Perceptual hashes are random and so distinct."""
    rows = np.zeros(len(world.posts), POST_DTYPE)
    rows["post_id"], rows["author_id"], rows["topic_id"] = world.posts, world.people[world.authors], world.topic_ids
    rows["perceptual_hash"] = np.random.default_rng(world.seed + 3).integers(1, 2**63 - 1, len(rows))
    return rows.view(f"V{POST_DTYPE.itemsize}")
