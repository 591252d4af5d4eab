"""Slates: the order decided for one request, kept so that its pages stay stable."""

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from photofeed.errors import InvalidError
from photofeed.experiments import Assignment
from photofeed.settings import Settings
from serving.feed.candidates import SOURCES, Ids, Source
from serving.feed.paging import Progress
from serving.pipelined_redis import PipelinedRedis

KEPT_SECONDS = 10 * 60  # after its last page was turned: a slate is 34 KB, and few are scrolled through
_SEAL_BYTES = 16


@dataclass(frozen=True, slots=True)
class SlateItems:
    """The posts of a slate in their order, as columns of equal length (n,), with what decided their places.

    `features` is float32 (n, features) in the order of FEATURE_NAMES, or (n, 0) where there are none.
    """

    post_ids: Ids
    author_ids: Ids
    sources: NDArray[np.int8]
    scores: NDArray[np.float64]
    propensities: NDArray[np.float64]
    features: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.post_ids)

    @property
    def each_source(self) -> list[Source]:
        """The source of each post."""
        return [SOURCES[number] for number in self.sources.tolist()]

    def take(self, places: Sequence[int]) -> Self:
        """The posts at these places."""
        rows = np.array(places, np.intp)
        return type(self)(*(getattr(self, name)[rows] for name in self.__slots__))

    def to_bytes(self) -> bytes:
        """Column after column, little-endian."""
        columns = zip((getattr(self, name) for name in self.__slots__), _COLUMN_TYPES, strict=True)
        return b"".join(np.ascontiguousarray(column, kind).tobytes() for column, kind in columns)

    @classmethod
    def from_bytes(cls, data: bytes, count: int) -> Self:
        """The items of which `to_bytes` made these bytes."""
        columns: list[NDArray[Any]] = []
        offset = 0
        for kind in _COLUMN_TYPES[:-1]:
            columns.append(np.frombuffer(data, kind, count, offset))
            offset += columns[-1].nbytes
        features = np.frombuffer(data, _COLUMN_TYPES[-1], offset=offset)
        columns.append(features.reshape(count, features.size // count if count else 0))
        return cls(*columns)


_COLUMN_TYPES = ("<i8", "<i8", "<i1", "<f8", "<f8", "<f4")


@dataclass(frozen=True, slots=True)
class Slate:
    """An ordered answer to one request; `ranked_at` is the moment that its features are true at."""

    id: str
    user_id: int
    ranking: str
    model_name: str | None
    model_version: str | None
    engine: str | None
    items: SlateItems
    ranked_at: datetime
    skipped_sources: tuple[str, ...] = ()
    assignment: Assignment | None = None


class SlateStore:
    """Keeps slates in Redis for as long as somebody may scroll."""

    def __init__(self, redis: PipelinedRedis) -> None:
        self._redis = redis

    async def keep(self, slate: Slate) -> None:
        """Keep a slate."""
        head = [
            slate.user_id,
            slate.ranking,
            slate.model_name,
            slate.model_version,
            slate.engine,
            slate.ranked_at,
            len(slate.items),
            slate.assignment,
        ]
        document = orjson.dumps(head) + b"\n" + slate.items.to_bytes()
        await self._redis.ask(("SET", _key(slate.id), document, "EX", KEPT_SECONDS))

    async def load(self, slate_id: str) -> Slate:
        """A kept slate.

        Raises:
            InvalidError: it is no longer kept.
        """
        (saved,) = await self._redis.ask(("GETEX", _key(slate_id), "EX", KEPT_SECONDS))
        if saved is None:
            raise InvalidError("This page is too old. Please load the feed anew.", code="cursor_expired")
        head, _, columns = saved.partition(b"\n")
        user_id, ranking, model_name, model_version, engine, ranked_at, count, assigned = orjson.loads(head)
        items = SlateItems.from_bytes(columns, count)
        moment = datetime.fromisoformat(ranked_at)
        assignment = Assignment(**assigned) if assigned else None
        return Slate(
            slate_id, user_id, ranking, model_name, model_version, engine, items, moment, assignment=assignment
        )


def _key(slate_id: str) -> str:
    """The name says the layout: one of another release is not found, which reads like one that expired."""
    return f"slate:arms:{slate_id}"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a client is in a slate."""

    slate_id: str
    user_id: int
    progress: Progress


class CursorSigner:
    """Makes cursors opaque and unforgeable; each holds as long as its slate.

    Keyed BLAKE2b (RFC 7693, section 2.9) in front of what it seals: it does what an HMAC does, of which OpenSSL needs
    0.07 ms to make one between two feeds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        # a key has 64 bytes at most, a secret as many as somebody likes
        self._key = blake2b(settings.cursor_secret.get_secret_value().encode()).digest()

    def sign(self, cursor: Cursor) -> str:
        """The cursor as a client carries it."""
        progress = cursor.progress
        claims = orjson.dumps(
            [
                int(self._clock()) + KEPT_SECONDS,
                cursor.slate_id,
                cursor.user_id,
                progress.offset,
                progress.shown,
                progress.before,
                progress.waiting,
            ]
        )
        return urlsafe_b64encode(self._seal(claims) + claims).rstrip(b"=").decode()

    def read(self, text: str, user_id: int) -> Cursor:
        """The cursor in what a client sent.

        Raises:
            InvalidError: it is forged, somebody else's, or too old.
        """
        try:
            sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:  # binascii.Error, or what is not ASCII
            sealed = b""
        seal, claims = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(claims)):
            raise InvalidError("This is no cursor of this feed.", code="cursor_invalid")
        expires, slate_id, owner, offset, shown, before, waiting = orjson.loads(claims)
        if owner != user_id:
            raise InvalidError("This is no cursor of this feed.", code="cursor_invalid")
        if self._clock() >= expires:
            raise InvalidError("This page is too old. Please load the feed anew.", code="cursor_expired")
        return Cursor(slate_id, owner, Progress(offset, shown, tuple(before), tuple(waiting)))

    def _seal(self, claims: bytes) -> bytes:
        return blake2b(claims, digest_size=_SEAL_BYTES, key=self._key).digest()
