"""Redis: looks at every key, and removes keys, members and fields that name a person.

An id is written in four ways: in decimal, in the API's letters, and as eight bytes in either order. Ids have 63 bits,
mostly random, so another value does not contain them by chance.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ingestion.erasure import Finding, Subject
from photofeed.counted_ids import COUNTED_PREFIX
from photofeed.ids import encode_id
from photofeed.posts import POST_DTYPE
from photofeed.redis_client import RedisClient, primaries
from photofeed.timelines import ACTIVE_PEOPLE

_SCANNED_AT_ONCE = 1_000
_TAG_BYTES, _ID_BYTES = 6, 8  # of the keys of packed rows: photofeed/online_store/keys.py
_POOLS = re.compile(rb"(explore|near):")
# Read apart: too large to be read as a whole, or digests that name nobody.
_APART = re.compile(rf"{ACTIVE_PEOPLE}$|(\{{\w+\}})?{COUNTED_PREFIX}".encode())  # on a cluster with a hash tag
_READERS = {
    b"string": ("GET",),
    b"zset": ("ZRANGE", 0, -1),
    b"set": ("SMEMBERS",),
    b"hash": ("HKEYS",),
    b"list": ("LRANGE", 0, -1),
}


@dataclass(frozen=True, slots=True)
class _Match:
    """A key that names a person: the key itself, or these of its members or fields; the value of a string or list."""

    key: bytes
    kind: bytes
    members: tuple[bytes, ...] = ()
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class MemoryStore:
    """Timelines, histories, slates, credits, online rows of features, limits: whatever is in Redis."""

    redis: RedisClient
    name: str = "Redis"

    def erase(self, people: Sequence[Subject]) -> None:
        """Remove everything that names the people."""
        for match in self._matches(people):
            self._remove(match, people)
        if people:
            self.redis.zrem(ACTIVE_PEOPLE, *(person.user_id for person in people))

    def find(self, person: Subject) -> Iterator[Finding]:
        """Keys that name the person, counted by the first part of their name."""
        counts: dict[str, int] = {}
        for match in self._matches([person]):
            kind = match.key.partition(b":")[0].decode() if match.key.isascii() else "features"
            counts[kind] = counts.get(kind, 0) + 1
        if self.redis.zscore(ACTIVE_PEOPLE, person.user_id) is not None:
            counts[ACTIVE_PEOPLE] = 1
        yield from (Finding(kind, count) for kind, count in sorted(counts.items()))

    def _matches(self, people: Sequence[Subject]) -> Iterator[_Match]:
        if not people:
            return
        ids = [person.user_id for person in people]
        names, values = _text_pattern(ids), _value_pattern(ids)
        packed = {struct.pack("<q", one) for one in (*ids, *(post for person in people for post in person.posts))}
        posts = {b"%d" % post for person in people for post in person.posts}
        for server in primaries(self.redis):
            waiting: list[bytes] = []
            for key in server.scan_iter(count=_SCANNED_AT_ONCE):
                if _is_text(key):
                    if names.search(key) or key.rpartition(b":")[2] in posts:
                        yield _Match(key, b"key")
                    elif not _APART.match(key):
                        waiting.append(key)
                elif _is_packed_row_of(key, packed):
                    yield _Match(key, b"key")
                if len(waiting) >= _SCANNED_AT_ONCE:
                    yield from _within(server, waiting, values)
                    waiting = []
            yield from _within(server, waiting, values)

    def _remove(self, match: _Match, people: Sequence[Subject]) -> None:
        key = match.key
        match match.kind:
            case b"zset":
                self.redis.zrem(key, *match.members)
            case b"set":
                self.redis.srem(key, *match.members)
            case b"hash":
                self.redis.hdel(key, *match.members)
            case b"list":  # batches of features that are pushed within seconds
                return
            case b"string" if _POOLS.match(key):
                kept = _without(match.value, _value_pattern([person.user_id for person in people]))
                self.redis.set(key, kept, keepttl=True, xx=True)
            case _:
                self.redis.unlink(key)


def _within(server: RedisClient, keys: Sequence[bytes], values: re.Pattern[bytes]) -> Iterator[_Match]:
    """The keys whose values name a person."""
    asking: Any = server.pipeline(transaction=False)
    for key in keys:
        asking.type(key)
    kinds = asking.execute()
    reading: Any = server.pipeline(transaction=False)
    read = [(key, kind) for key, kind in zip(keys, kinds, strict=True) if kind in _READERS]
    for key, kind in read:
        command, *rest = _READERS[kind]
        reading.execute_command(command, key, *rest)
    for (key, kind), found in zip(read, reading.execute(raise_on_error=False), strict=True):
        if isinstance(found, bytes):
            if values.search(found):
                yield _Match(key, kind, value=found)
        elif isinstance(found, list | set):
            members = tuple(one for one in found if values.search(one))
            if members:
                yield _Match(key, kind, members)


def _is_text(key: bytes) -> bool:
    return key.isascii() and key.decode().isprintable()


def _is_packed_row_of(key: bytes, ids: set[bytes]) -> bool:
    parts = key[_TAG_BYTES:]
    if len(parts) % _ID_BYTES:
        return False
    return any(parts[start : start + _ID_BYTES] in ids for start in range(0, len(parts), _ID_BYTES))


def _text_pattern(ids: Sequence[int]) -> re.Pattern[bytes]:
    """Finds the ids as words of a text."""
    words = "|".join(f"{one}|{encode_id(one)}" for one in ids)
    return re.compile(rf"(?<![0-9A-Za-z])(?:{words})(?![0-9A-Za-z])".encode())


def _value_pattern(ids: Sequence[int]) -> re.Pattern[bytes]:
    """Finds the ids in a value, in any of their spellings."""
    packed = (struct.pack(order, one) for one in ids for order in ("<q", ">q"))
    return re.compile(b"|".join([_text_pattern(ids).pattern, *map(re.escape, packed)]))


def _without(pool: bytes, pattern: re.Pattern[bytes]) -> bytes:
    """A pool of explore without the members that name a person."""
    size = POST_DTYPE.itemsize
    members = (pool[start : start + size] for start in range(0, len(pool), size))
    return b"".join(member for member in members if not pattern.search(member))
