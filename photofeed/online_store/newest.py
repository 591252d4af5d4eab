"""Writes that keep the newest row. Redis compares, so concurrent writers cannot overwrite a newer row."""

from collections.abc import Sequence
from typing import Final

from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.asyncio.cluster import ClusterPipeline as AsyncClusterPipeline
from redis.client import Pipeline
from redis.cluster import ClusterPipeline

ROWS_PER_CALL: Final = 500
"""Rows per script call, which blocks Redis for about a millisecond."""

# A row is newer by (event timestamp, created timestamp); bytes 6-21 of a value hold both in byte order (codec.py).
# An equally new row of another layout (bytes 2-5) is replaced: the writer's layout is the one that is declared now.
# A row of another format (byte 1) is unreadable, so any row replaces it.
KEEP_NEWEST: Final = """
local ttl, written = tonumber(ARGV[1]), 0
for i, key in ipairs(KEYS) do
  local new, old = ARGV[i + 1], redis.call('GETRANGE', key, 0, 20)
  local was, is = string.sub(old, 6), string.sub(new, 6, 21)
  local relaid = was == is and string.sub(old, 1, 5) ~= string.sub(new, 1, 5)
  if string.sub(old, 1, 1) ~= string.sub(new, 1, 1) or was < is or relaid then
    if ttl > 0 then redis.call('SET', key, new, 'EX', ttl) else redis.call('SET', key, new) end
    written = written + 1
  end
end
return written
"""


def append_newest(
    pipeline: Pipeline | AsyncPipeline | ClusterPipeline | AsyncClusterPipeline,
    keys: Sequence[bytes],
    values: Sequence[bytes],
    ttl_seconds: int | None,
) -> None:
    """Append the writes of these rows to a pipeline; each reply is the number of rows written, of up to 500.

    A cluster runs a script only for keys of one slot, so there each row is one call; redis-py sends the calls to one
    node together. EVAL, not EVALSHA, because a node that has just joined or restarted has no scripts.
    """
    rows_per_call = 1 if isinstance(pipeline, ClusterPipeline | AsyncClusterPipeline) else ROWS_PER_CALL
    for start in range(0, len(keys), rows_per_call):
        chunk = keys[start : start + rows_per_call]
        arguments: list[bytes | int] = [*chunk, ttl_seconds or 0, *values[start : start + rows_per_call]]
        pipeline.execute_command("EVAL", KEEP_NEWEST, len(chunk), *arguments)
