"""The bytes of an upload: sent in chunks, so that progress is known, and readable again for a retry."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

Progress = Callable[[int, int], None]
"""Called with the bytes sent so far and the bytes of the file."""

CHUNK_BYTES = 64 * 1024


def read_file(file: bytes | Path) -> bytes:
    """The bytes of a file."""
    return file if isinstance(file, bytes) else file.read_bytes()


class Chunks:
    """The chunks of a file. Each iteration begins at the start and reports its progress."""

    def __init__(self, data: bytes, on_progress: Progress | None) -> None:
        self._data = data
        self._on_progress = on_progress

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._data), CHUNK_BYTES):
            yield self._data[start : start + CHUNK_BYTES]
            self._report(min(start + CHUNK_BYTES, len(self._data)))

    def _report(self, sent: int) -> None:
        if self._on_progress is not None:
            self._on_progress(sent, len(self._data))


class AsyncChunks:
    """The same for asyncio."""

    def __init__(self, data: bytes, on_progress: Progress | None) -> None:
        self._chunks = Chunks(data, on_progress)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
