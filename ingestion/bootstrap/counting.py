"""What the features worker remembers of counted events, apart from that worker, which loads the compiler."""

from ingestion.engagement.counted_events import FEATURES, RedisCountedEvents
from photofeed.counted_ids import features_tag
from photofeed.redis_client import RedisClient, is_cluster
from photofeed.settings import Settings


def counted_events(settings: Settings, client: RedisClient, partition: int | None = None) -> RedisCountedEvents:
    """The memory of the features worker in Redis; of one partition, if features are counted in two stages."""
    return RedisCountedEvents(client, FEATURES, features_tag(is_cluster=is_cluster(settings), partition=partition))
