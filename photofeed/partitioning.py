"""Which partition of a topic a key belongs to, as Kafka's clients choose it."""

from functools import lru_cache

_REMEMBERED = 1_000_000


@lru_cache(_REMEMBERED)
def partition_of(key: str, partitions: int) -> int:
    """The partition of a message with this key, in a topic of so many partitions."""
    from kafka.partitioner import murmur2  # noqa: PLC0415  slow to import, rarely needed

    hashed: int = murmur2(key.encode())
    return (hashed & 0x7FFFFFFF) % partitions


@lru_cache
def key_of(partition: int, partitions: int) -> str:
    """The shortest number that is a key of this partition."""
    number = 0
    while partition_of(str(number), partitions) != partition:
        number += 1
    return str(number)
