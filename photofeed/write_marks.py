"""Marks in Redis that tell a writer whether Redis has lost writes: a store that goes back in time is noticed.

A server that restarts from an older state, and a replica that is promoted without the last writes, both lose the last
writes and keep the earlier ones, since both replay what was written in order. So a writer numbers its work, and writes
the number as a mark after the work. A mark below the number that was written means that the work behind it is lost. A
cluster loses the writes of one primary, so every primary has a mark of its own, in a slot that it holds.

The number alone does not tell that writes since the last mark were lost. But servers only lose writes when another
process takes over, and each process has an id (INFO, `run_id`). If the ids differ before and after the work, the work
is repeated.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Protocol

from redis.cluster import RedisCluster
from redis.crc import key_slot

from photofeed.redis_client import RedisClient

_PREFIX = "mark:"
# A mark is only raised from where the writer knows it to be: never over lost writes.
_RAISE: Final = """
local mark = tonumber(redis.call('GET', KEYS[1]) or '0')
if mark >= tonumber(ARGV[1]) and mark < tonumber(ARGV[2]) then redis.call('SET', KEYS[1], ARGV[2]) end
return mark
"""


@dataclass(frozen=True, slots=True)
class MarkState:
    """What the primaries say.

    Attributes:
        servers: the id of each server process.
        lowest: the lowest mark of any of them; 0 if one has none.
    """

    servers: frozenset[str]
    lowest: int


class Marks(Protocol):
    """The marks of one writer."""

    def look(self) -> MarkState:
        """The servers and the marks now."""

    def raise_to(self, number: int, *, known: int) -> MarkState:
        """Set marks that are at least `known` to `number`; returns the state before."""


@dataclass(slots=True)
class NoMarks:
    """Of a store that loses nothing."""

    _state: MarkState = field(default=MarkState(frozenset({""}), 2**62))

    def look(self) -> MarkState:
        """Always the same."""
        return self._state

    def raise_to(self, number: int, *, known: int) -> MarkState:  # noqa: ARG002
        """Nothing to set."""
        return self._state


@dataclass(slots=True)
class WriteMarks:
    """The marks of one writer; `owner` is its name in the keys."""

    redis: RedisClient
    owner: str

    def look(self) -> MarkState:
        """The servers and the marks now.

        Raises:
            redis.RedisError: a primary does not answer.
        """
        return self._ask(lambda pipeline, key: pipeline.get(key))

    def raise_to(self, number: int, *, known: int) -> MarkState:
        """Set marks that are at least `known` to `number`; returns the state before.

        Raises:
            redis.RedisError: a primary does not answer; some marks may be set.
        """
        return self._ask(lambda pipeline, key: pipeline.eval(_RAISE, 1, key, known, number))

    def forget(self) -> None:
        """Remove the marks."""
        for server, key in self._primaries():
            server.delete(key)

    def _ask(self, about: Any) -> MarkState:
        servers, marks = [], []
        for server, key in self._primaries():
            with server.pipeline(transaction=False) as pipeline:
                about(pipeline, key)
                pipeline.info("server")  # last: the process that answers it has answered the mark, or is another one
                mark, info = pipeline.execute()
            servers.append(str(info["run_id"]))
            marks.append(int(mark or 0))
        return MarkState(frozenset(servers), min(marks))

    def _primaries(self) -> list[tuple[RedisClient, str]]:
        """A client of each primary, and the key of its mark."""
        if not isinstance(self.redis, RedisCluster):
            return [(self.redis, f"{_PREFIX}{self.owner}")]
        manager: Any = self.redis.nodes_manager
        first: dict[str, int] = {}
        for slot, (node, *_) in sorted(manager.slots_cache.items()):
            first.setdefault(node.name, slot)
        cluster: Any = self.redis
        return [
            (cluster.get_redis_connection(manager.nodes_cache[name]), f"{_PREFIX}{self.owner}:{{{_tag(slot)}}}")
            for name, slot in first.items()
        ]


@cache
def _tag(slot: int) -> str:
    """A short text that a cluster maps to this slot."""
    number = 0
    while key_slot(b"%d" % number) != slot:
        number += 1
    return str(number)
