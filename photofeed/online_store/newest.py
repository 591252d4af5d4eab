"""Writes that keep the newest row: decided inside Redis, so concurrent writers cannot undo each other."""

from collections.abc import Sequence
from typing import Final

from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline

ROWS_PER_CALL: Final = 500
"""Rows of one script call: it blocks Redis for about a millisecond."""

# A row is newer by (event timestamp, created timestamp); bytes 6-21 of a value hold both in byte order (codec.py).
# A row of another schema (bytes 1-5) can no longer be read, so anything may replace it.
KEEP_NEWEST: Final = """
local ttl, written = tonumber(ARGV[1]), 0
for i, key in ipairs(KEYS) do
  local new, old = ARGV[i + 1], redis.call('GETRANGE', key, 0, 20)
  if string.sub(old, 1, 5) ~= string.sub(new, 1, 5) or string.sub(old, 6) < string.sub(new, 6, 21) then
    if ttl > 0 then redis.call('SET', key, new, 'EX', ttl) else redis.call('SET', key, new) end
    written = written + 1
  end
end
return written
"""


def append_newest(
    pipeline: Pipeline | AsyncPipeline, keys: Sequence[bytes], values: Sequence[bytes], ttl_seconds: int | None
) -> None:
    """Append the writes of these rows to a pipeline; each reply is how many of up to 500 rows were newer."""
    for start in range(0, len(keys), ROWS_PER_CALL):
        chunk = keys[start : start + ROWS_PER_CALL]
        pipeline.eval(KEEP_NEWEST, len(chunk), *chunk, ttl_seconds or 0, *values[start : start + ROWS_PER_CALL])
