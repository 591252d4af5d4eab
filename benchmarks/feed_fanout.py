"""Cost of fan-out: the worker's handler delivers posts to many followers. Times of worker and Redis are separate."""

import time
from dataclasses import dataclass

import numpy as np
from feed_world import World
from resource_usage import redis_processor_seconds

from ingestion.celebrities import Celebrities
from ingestion.fanout import Fanout
from photofeed import database
from photofeed.events import Envelope
from photofeed.ids import IdGenerator
from photofeed.posts import PostRef, PublishedPost
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.timelines import TimelineWriter


@dataclass(frozen=True, slots=True)
class FanoutCost:
    """Deliveries per second of the worker's processor time, of Redis' processor time, and of wall time."""

    followers: int
    per_core_second: float
    per_redis_core_second: float
    per_second: float


def fanout_cost(settings: Settings, world: World, posts: int) -> FanoutCost:
    """Fan out `posts` posts of the account with the most followers below a celebrity, then remove them."""
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
        redis_before, before, started = redis_processor_seconds(redis), time.process_time(), time.perf_counter()
        for envelope in envelopes:
            fanout.handle([envelope])
        took, cpu = time.perf_counter() - started, time.process_time() - before
        redis_cpu = redis_processor_seconds(redis) - redis_before
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
