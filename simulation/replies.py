"""Replies of the public API: the fields that the simulation reads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import photofeed_client
from photofeed_client.generated.models import EventsOutcome

READY = "ready"
FINAL_STATUSES = frozenset({READY, "review", "rejected", "failed"})  # of a photo
RANKED_BY_MODEL = "model"  # `ranking` of a feed


@dataclass(frozen=True, slots=True)
class Photo:
    """The state of an upload. `failure` is the API's reason or empty. `width` and `height` are 0 until known."""

    id: str
    status: str
    failure: str
    width: int
    height: int
    dominant_color: str
    variants: int

    @classmethod
    def read(cls, photo: photofeed_client.Photo) -> Self:
        """Read a reply."""
        return cls(
            id=photo.id,
            status=str(photo.status),
            failure=photo.failure.reason if photo.failure else "",
            width=photo.width or 0,
            height=photo.height or 0,
            dominant_color=photo.dominant_color or "",
            variants=len(photo.variants),
        )


@dataclass(frozen=True, slots=True)
class EventsReply:
    """The result of a batch of events: the number accepted, and the reason for each refusal."""

    accepted: int
    refused: tuple[str, ...]

    @classmethod
    def read(cls, outcome: EventsOutcome) -> Self:
        """Read a reply."""
        return cls(outcome.accepted, tuple(f"{one.code}: {one.reason}" for one in outcome.refused))


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One item of a feed: the post, and why it is there."""

    source: str
    score: float | None
    reason: str
    receipt: str
    post_id: str
    author_id: str
    author_handle: str
    author_followed: bool
    caption: str
    topic: str
    content_type: str
    posted_at: datetime
    width: int
    height: int
    dominant_color: str
    liked: bool
    saved: bool

    @classmethod
    def read(cls, item: photofeed_client.FeedItem) -> Self:
        """Read one item of a reply."""
        post, author = item.post, item.post.author
        return cls(
            source=str(item.source),
            score=item.score,
            reason=item.reason,
            receipt=item.receipt,
            post_id=post.id,
            author_id=author.id,
            author_handle=author.handle,
            author_followed=author.followed_by_me,
            caption=post.caption,
            topic=post.topic,
            content_type=str(post.content_type),
            posted_at=post.posted_at,
            width=post.width or 0,
            height=post.height or 0,
            dominant_color=post.dominant_color or "",
            liked=post.liked_by_me,
            saved=post.saved_by_me,
        )


@dataclass(frozen=True, slots=True)
class Feed:
    """One page of a person's feed. `model_version` is empty if no model ranked it."""

    slate_id: str
    ranking: str
    model_version: str
    items: tuple[FeedItem, ...]

    @classmethod
    def read(cls, page: photofeed_client.FeedPage) -> Self:
        """Read a reply."""
        return cls(
            slate_id=page.slate_id,
            ranking=page.ranking,
            model_version=page.model.version if page.model else "",
            items=tuple(FeedItem.read(item) for item in page.items),
        )


@dataclass(frozen=True, slots=True)
class WorkersProgress:
    """The workers' progress: events counted into features."""

    events_in_features: int

    @classmethod
    def read(cls, body: dict[str, Any]) -> Self:
        """Read a reply."""
        return cls(body["eventsInFeatures"])
