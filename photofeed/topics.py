"""Names of the Kafka topics, their partitions and their consumer groups, declared once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """A Kafka topic; `key` says what its messages are keyed and therefore ordered by."""

    name: str
    key: str
    partitions: int = 4


PHOTO_UPLOADED = Topic("photo.uploaded", key="photoId", partitions=8)
PHOTO_PROCESSED = Topic("photo.processed", key="photoId")
PHOTO_ZOOM = Topic("photo.zoom", key="photoId", partitions=8)
ENGAGEMENT = Topic("engagement", key="userId")
GRAPH_CHANGED = Topic("graph.changed", key="userId")
FEED_SERVED = Topic("feed.served", key="userId")

PHOTOS_GROUP = "photos"
ZOOM_GROUP = "zoom"
FEATURES_GROUP = "features"
FANOUT_GROUP = "fanout"
ARCHIVE_GROUP = "archive"
PURGE_GROUP = "purge"
REMOVAL_GROUP = "removal"

# which group reads what
SUBSCRIPTIONS: dict[str, tuple[Topic, ...]] = {
    PHOTOS_GROUP: (PHOTO_UPLOADED,),
    ZOOM_GROUP: (PHOTO_ZOOM,),
    FEATURES_GROUP: (ENGAGEMENT, PHOTO_PROCESSED),
    FANOUT_GROUP: (PHOTO_PROCESSED, GRAPH_CHANGED),
    ARCHIVE_GROUP: (ENGAGEMENT, FEED_SERVED),
    PURGE_GROUP: (PHOTO_PROCESSED,),
    REMOVAL_GROUP: (PHOTO_PROCESSED,),
}


def dead_letters(topic: str, group: str) -> str:
    """The topic that holds what `group` could not do with messages of `topic`."""
    return f"{topic}.{group}.dlq"


def all_topics() -> list[Topic]:
    """Every topic to create, dead letters included."""
    live = {topic.name: topic for topics in SUBSCRIPTIONS.values() for topic in topics}
    dead = [
        Topic(dead_letters(topic.name, group), key=topic.key, partitions=1)
        for group, topics in SUBSCRIPTIONS.items()
        for topic in topics
    ]
    return [*live.values(), *dead]
