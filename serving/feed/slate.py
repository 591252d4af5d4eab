"""Slates: the order decided for one request, kept so that its pages stay stable."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import orjson

from photofeed.errors import InvalidError
from photofeed.settings import Settings
from serving.feed.candidates import Source

KEPT_FOR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class SlateItem:
    """One post of a slate, with what decided its place. `features` in the order of FEATURE_NAMES, or empty."""

    post_id: int
    author_id: int
    source: Source
    score: float
    propensity: float
    features: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Slate:
    """An ordered answer to one request; `ranked_at` is the moment that its features are true at."""

    id: str
    user_id: int
    ranking: str
    model_name: str | None
    model_version: str | None
    engine: str | None
    items: tuple[SlateItem, ...]
    ranked_at: datetime
    skipped_sources: tuple[str, ...] = ()


class SlateStore:
    """Keeps slates in Redis for as long as somebody may scroll."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    async def keep(self, slate: Slate) -> None:
        """Keep a slate."""
        items = [[i.post_id, i.author_id, i.source, i.score, i.propensity, i.features] for i in slate.items]
        ranked_at = slate.ranked_at.isoformat()
        document = [slate.user_id, slate.ranking, slate.model_name, slate.model_version, slate.engine, items, ranked_at]
        await self._redis.set(f"slate:{slate.id}", orjson.dumps(document), ex=KEPT_FOR)

    async def load(self, slate_id: str) -> Slate:
        """A kept slate.

        Raises:
            InvalidError: it is no longer kept.
        """
        saved = await self._redis.get(f"slate:{slate_id}")
        if saved is None:
            raise InvalidError("This page is too old. Please load the feed anew.", code="cursor_expired")
        user_id, ranking, model_name, model_version, engine, items, ranked_at = orjson.loads(saved)
        return Slate(
            slate_id,
            user_id,
            ranking,
            model_name,
            model_version,
            engine,
            tuple(
                SlateItem(post, author, Source(source), score, propensity, tuple(features))
                for post, author, source, score, propensity, features in items
            ),
            datetime.fromisoformat(ranked_at),
        )


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a client is in a slate."""

    slate_id: str
    user_id: int
    offset: int


class CursorSigner:
    """Makes cursors opaque and unforgeable; each holds as long as its slate."""

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.cursor_secret.get_secret_value()

    def sign(self, cursor: Cursor) -> str:
        """The cursor as a client carries it."""
        claims = {"s": cursor.slate_id, "u": cursor.user_id, "o": cursor.offset, "exp": datetime.now(UTC) + KEPT_FOR}
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def read(self, text: str, user_id: int) -> Cursor:
        """The cursor in what a client sent.

        Raises:
            InvalidError: it is forged, somebody else's, or too old.
        """
        try:
            claims = jwt.decode(text, self._secret, algorithms=["HS256"], options={"require": ["exp"]})
            cursor = Cursor(claims["s"], claims["u"], claims["o"])
        except jwt.ExpiredSignatureError as error:
            raise InvalidError("This page is too old. Please load the feed anew.", code="cursor_expired") from error
        except (jwt.PyJWTError, KeyError) as error:
            raise InvalidError("This is no cursor of this feed.", code="cursor_invalid") from error
        if cursor.user_id != user_id:
            raise InvalidError("This is no cursor of this feed.", code="cursor_invalid")
        return cursor
