"""The Kafka topics and their consumer groups, declared once."""

from dataclasses import dataclass
from datetime import timedelta

# Kafka deletes whole segments, so a message may stay this much longer than the retention of its topic.
LONGEST_SEGMENT = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Topic:
    """A Kafka topic, as `photofeed.kafka_topics.create_topics` creates it.

    Attributes:
        key: the payload field that messages are keyed by. Messages with one key stay in order.
        retention: how long the broker keeps a message.
        replication: copies of each partition; None for the broker's default.
    """

    name: str
    key: str
    partitions: int = 4
    retention: timedelta = timedelta(days=7)
    replication: int | None = None

    @property
    def configs(self) -> dict[str, str]:
        """The topic's configuration, in Kafka's names and units."""
        return {"retention.ms": _ms(self.retention), "segment.ms": _ms(min(self.retention, LONGEST_SEGMENT))}


def _ms(duration: timedelta) -> str:
    return str(duration // timedelta(milliseconds=1))


PHOTO_UPLOADED = Topic("photo.uploaded", key="photoId", partitions=8)
PHOTO_PROCESSED = Topic("photo.processed", key="photoId")
PHOTO_ZOOM = Topic("photo.zoom", key="photoId", partitions=8)
ENGAGEMENT = Topic("engagement", key="userId")
# Sums of engagement for rows of other partitions, if features are counted in two stages. Its partitions are those of
# engagement: a worker has the same of both.
ENGAGEMENT_PARTIAL = Topic("engagement.partial", key="partition", partitions=ENGAGEMENT.partitions)
GRAPH_CHANGED = Topic("graph.changed", key="userId")
FEED_SERVED = Topic("feed.served", key="userId")
DEAD_LETTER_RETENTION = timedelta(days=30)

PHOTOS_GROUP = "photos"
ZOOM_GROUP = "zoom"
FEATURES_GROUP = "features"
FANOUT_GROUP = "fanout"
ARCHIVE_GROUP = "archive"
PURGE_GROUP = "purge"
REMOVAL_GROUP = "removal"

# The topics that each group reads.
SUBSCRIPTIONS: dict[str, tuple[Topic, ...]] = {
    PHOTOS_GROUP: (PHOTO_UPLOADED,),
    ZOOM_GROUP: (PHOTO_ZOOM,),
    FEATURES_GROUP: (ENGAGEMENT, PHOTO_PROCESSED, ENGAGEMENT_PARTIAL),
    FANOUT_GROUP: (PHOTO_PROCESSED, GRAPH_CHANGED),
    ARCHIVE_GROUP: (ENGAGEMENT, FEED_SERVED),
    PURGE_GROUP: (PHOTO_PROCESSED, GRAPH_CHANGED),
    REMOVAL_GROUP: (PHOTO_PROCESSED,),
}

# Nobody waits for what these groups do, so they ask the brokers less often while there is nothing to read: an idle
# stack of one machine spends most of its processor time on such questions.
UNHURRIED_GROUPS = frozenset({ZOOM_GROUP, ARCHIVE_GROUP, PURGE_GROUP, REMOVAL_GROUP})


def dead_letters(topic: str, group: str) -> str:
    """The topic of the messages of `topic` that `group` failed to handle."""
    return f"{topic}.{group}.dlq"


def all_topics() -> list[Topic]:
    """Every topic to create, including those of dead letters."""
    live = {topic.name: topic for topics in SUBSCRIPTIONS.values() for topic in topics}
    dead = [
        Topic(dead_letters(topic.name, group), key=topic.key, partitions=1, retention=DEAD_LETTER_RETENTION)
        for group, topics in SUBSCRIPTIONS.items()
        for topic in topics
    ]
    return [*live.values(), *dead]
