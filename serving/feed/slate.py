"""Slates: the order of posts computed for one request, stored so that its pages stay stable."""

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from hashlib import blake2b
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from photofeed.errors import InvalidError
from photofeed.experiments import Assignment
from photofeed.models.registry import CHAMPION
from photofeed.settings import Settings
from serving.feed.candidates import Ids
from serving.feed.features import REASON_FEATURES
from serving.feed.paging import Progress
from serving.feed.source_table import SOURCES, Source
from serving.pipelined_redis import RedisCommands

KEPT_SECONDS = 10 * 60  # after its last page was requested: a slate has 34 KB, and few are scrolled to the end
EXPIRED = "This page has expired. Please reload the feed."
_SEAL_BYTES = 16


@dataclass(frozen=True, slots=True)
class SlateItems:
    """The posts of a slate in order, as columns of equal length (n,), with the data they were ranked by.

    `disliked` has flags of `rerankers.shown_less`. `reasons` is float32 (n, REASON_FEATURES). `features` is float32
    (n, features), the input of the ranker, or (n, 0) without features.
    """

    post_ids: Ids
    author_ids: Ids
    sources: NDArray[np.int8]
    scores: NDArray[np.float64]
    propensities: NDArray[np.float64]
    disliked: NDArray[np.int8]
    reasons: NDArray[np.float32]
    features: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.post_ids)

    @property
    def each_source(self) -> list[Source]:
        """The source of each post."""
        return [SOURCES[number] for number in self.sources.tolist()]

    def take(self, indices: Sequence[int]) -> Self:
        """The posts at these indices. Nothing is copied if they follow each other, as those of most pages do.

        Raises:
            IndexError: there is no post at one of them.
        """
        rows = self._rows(indices)
        return type(self)(
            self.post_ids[rows],
            self.author_ids[rows],
            self.sources[rows],
            self.scores[rows],
            self.propensities[rows],
            self.disliked[rows],
            self.reasons[rows],
            self.features[rows],
        )

    def _rows(self, indices: Sequence[int]) -> slice | NDArray[np.intp]:
        if indices:
            first, end = indices[0], indices[0] + len(indices)
            if 0 <= first < end <= len(self) and list(indices) == list(range(first, end)):
                return slice(first, end)
        return np.array(indices, np.intp)

    def to_bytes(self) -> bytes:
        """The columns one after the other, little-endian."""
        columns = zip((getattr(self, name) for name in self.__slots__), _COLUMN_TYPES, strict=True)
        return b"".join([np.ascontiguousarray(column, kind).data for column, kind in columns])

    @classmethod
    def from_bytes(cls, data: bytes, count: int) -> Self:
        """The items that `to_bytes` encoded."""
        columns: list[NDArray[Any]] = []
        offset = 0
        for kind in _COLUMN_TYPES[:-2]:
            columns.append(np.frombuffer(data, kind, count, offset))
            offset += columns[-1].nbytes
        width = len(REASON_FEATURES)
        columns.append(np.frombuffer(data, _COLUMN_TYPES[-2], count * width, offset).reshape(count, width))
        offset += columns[-1].nbytes
        features = np.frombuffer(data, _COLUMN_TYPES[-1], offset=offset)
        columns.append(features.reshape(count, features.size // count if count else 0))
        return cls(*columns)


_COLUMN_TYPES = tuple(map(np.dtype, ("<i8", "<i8", "<i1", "<f8", "<f8", "<i1", "<f4", "<f4")))


class Surface(Enum):
    """The surface that a slate is ranked for."""

    FEED = "feed"
    EXPLORE = "explore"  # only posts from outside the follow graph
    GIVEN = "given"  # candidates that the request brought along


@dataclass(frozen=True, slots=True)
class Slate:
    """The ranked posts of one request; `ranked_at` is the time of their features.

    Attributes:
        instead_of: the ranker that was asked for, if another one ranked.
        ranker: the ranker that was asked for.
        feed_id: the id of the feed's first slate; None if this is the first.
        earlier: number of posts that the earlier slates of the feed have used.
        complete: whether ranking left out no post that a later slate could show.
        one_author: whether all candidates were by one author, so that nothing can stand between their posts.
        repeats: number of recently seen posts, because there are too few others.
        feature_names: the columns of the items' features.
    """

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
    instead_of: str | None = None
    surface: Surface = Surface.FEED
    ranker: str = CHAMPION
    feed_id: str | None = None
    earlier: int = 0
    complete: bool = False
    one_author: bool = False
    repeats: int = 0
    feature_names: tuple[str, ...] = ()


class SlateStore:
    """Stores slates in Redis while the viewer may still request pages of them."""

    def __init__(self, redis: RedisCommands) -> None:
        self._redis = redis

    async def keep(self, slate: Slate) -> bool:
        """Store a slate for KEPT_SECONDS. False, and nothing is stored, if there is a slate with its id."""
        head = [
            slate.user_id,
            slate.ranking,
            slate.model_name,
            slate.model_version,
            slate.engine,
            slate.ranked_at,
            len(slate.items),
            slate.assignment,
            slate.instead_of,
            slate.surface,
            slate.ranker,
            slate.feed_id,
            slate.earlier,
            slate.complete,
            slate.one_author,
            slate.repeats,
            slate.feature_names,
        ]
        document = b"\n".join((orjson.dumps(head), slate.items.to_bytes()))
        (stored,) = await self._redis.ask(("SET", _key(slate.id), document, "EX", KEPT_SECONDS, "NX"))
        return stored is not None

    async def load(self, slate_id: str) -> Slate:
        """A stored slate; it is kept for another KEPT_SECONDS.

        Raises:
            InvalidError: it has expired.
        """
        (saved,) = await self._redis.ask(("GETEX", _key(slate_id), "EX", KEPT_SECONDS))
        if saved is None:
            raise InvalidError(EXPIRED, code="cursor_expired")
        head, _, columns = saved.partition(b"\n")
        user_id, ranking, name, version, engine, ranked_at, count, assigned, instead_of, surface, *feed, names = (
            orjson.loads(head)
        )
        items = SlateItems.from_bytes(columns, count)
        moment = datetime.fromisoformat(ranked_at)
        assignment = Assignment(**assigned) if assigned else None
        model = (ranking, name, version, engine)
        of_feed = (Surface(surface), *feed, tuple(names))
        return Slate(slate_id, user_id, *model, items, moment, (), assignment, instead_of, *of_feed)


def _key(slate_id: str) -> str:
    """The key names the layout: a slate of a release with another layout is not found, like an expired one."""
    return f"slate:given:{slate_id}"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A client's progress in a slate."""

    slate_id: str
    user_id: int
    progress: Progress


class CursorSigner:
    """Makes cursors opaque and unforgeable; each is valid as long as its slate.

    The signature is keyed BLAKE2b (RFC 7693, section 2.9), put before the claims. It is as strong as an HMAC, which
    takes OpenSSL 0.07 ms per cursor.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        # a BLAKE2b key has at most 64 bytes, a secret any number
        self._key = blake2b(settings.cursor_secret.get_secret_value().encode()).digest()

    def sign(self, cursor: Cursor) -> str:
        """The cursor as the text that clients send back."""
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
        """The cursor in the text that a client sent.

        Raises:
            InvalidError: it is forged, expired, or belongs to another viewer.
        """
        try:
            sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:  # binascii.Error, or text that is not ASCII
            sealed = b""
        seal, claims = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(claims)):
            raise InvalidError("The cursor is not valid for this feed.", code="cursor_invalid")
        expires, slate_id, owner, offset, shown, before, waiting = orjson.loads(claims)
        if owner != user_id:
            raise InvalidError("The cursor is not valid for this feed.", code="cursor_invalid")
        if self._clock() >= expires:
            raise InvalidError(EXPIRED, code="cursor_expired")
        return Cursor(slate_id, owner, Progress(offset, shown, tuple(before), tuple(waiting)))

    def _seal(self, claims: bytes) -> bytes:
        return blake2b(claims, digest_size=_SEAL_BYTES, key=self._key).digest()
