"""What fan-out costs: the worker's own handler, one post to many followers, its processor time and Redis' apart."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from feed_world import World

from ingestion.celebrities import Celebrities
from ingestion.fanout import Fanout
from photofeed import database
from photofeed.events import Envelope
from photofeed.ids import IdGenerator
from photofeed.posts import PostRef, PublishedPost
from photofeed.settings import Settings
from photofeed.timelines import TimelineWriter, connect_redis


@dataclass(frozen=True, slots=True)
class FanoutCost:
    """Deliveries a second: of the worker's processor time, of Redis', and by the clock."""

    followers: int
    per_core_second: float
    per_redis_core_second: float
    per_second: float


def fanout_cost(settings: Settings, world: World, posts: int) -> FanoutCost:
    """Publish `posts` posts of the account with the most followers who is no celebrity yet; then take them away."""
    normal = np.where(world.follower_counts < settings.celebrity_followers, world.follower_counts, -1)
    author = int(np.argmax(normal))
    followers, ids = int(world.follower_counts[author]), IdGenerator()
    envelopes = [
        _published(PostRef(ids.next(), int(world.people[author]), 1, int(time.time() * 1000))) for _ in range(posts)
    ]
    with database.pool(settings) as pool, connect_redis(settings) as redis:
        timelines = TimelineWriter(redis, settings.timeline_length)
        fanout = Fanout(pool, timelines, Celebrities(pool, timelines, settings.celebrity_followers))
        fanout.handle(envelopes[:1])
        redis_before, before, started = _redis_seconds(redis), time.process_time(), time.perf_counter()
        for envelope in envelopes:
            fanout.handle([envelope])
        took, cpu = time.perf_counter() - started, time.process_time() - before
        redis_cpu = _redis_seconds(redis) - redis_before
        fanout.handle([Envelope("photo.removed", one.key, one.payload) for one in envelopes])
    deliveries = followers * posts
    return FanoutCost(followers, deliveries / cpu, deliveries / redis_cpu, deliveries / took)


def _published(ref: PostRef) -> Envelope:
    post = PublishedPost(
        ref=ref,
        content_type="photo",
        caption_length=10,
        tag_count=1,
        public=True,
        imported=False,
        aspect=1.0,
        sharpness=1.0,
        brightness=0.5,
        entropy=7.0,
    )
    return Envelope("photo.processed", str(ref.post_id), post.to_payload())


def _redis_seconds(redis: Any) -> float:
    used = redis.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])
