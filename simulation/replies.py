"""What the public API replies, as far as the simulation reads it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Upload:
    """A photo to be, and where to PUT its bytes."""

    photo_id: str
    url: str


@dataclass(frozen=True, slots=True)
class Photo:
    """What became of an upload. `failure` is the reason the API gives, empty if there is none; sizes 0 until known."""

    id: str
    status: str
    failure: str
    width: int
    height: int
    dominant_color: str
    variants: int

    @classmethod
    def read(cls, body: dict[str, Any]) -> Self:
        """The photo of a reply."""
        return cls(
            id=body["id"],
            status=body["status"],
            failure=(body.get("failure") or {}).get("reason", ""),
            width=body.get("width") or 0,
            height=body.get("height") or 0,
            dominant_color=body.get("dominantColor") or "",
            variants=len(body.get("variants") or ()),
        )


@dataclass(frozen=True, slots=True)
class EventsReply:
    """What the API made of a batch: counts, and the reason of each refusal."""

    accepted: int
    unchanged: int
    refused: tuple[str, ...]

    @classmethod
    def read(cls, body: dict[str, Any]) -> Self:
        """The counts of a reply."""
        refused = tuple(f"{item['code']}: {item['reason']}" for item in body["refused"])
        return cls(body["accepted"], body["unchanged"], refused)


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One position of a slate with the post on it."""

    source: str
    score: float | None
    reason: str
    post_id: str
    author_id: str
    author_handle: str
    author_name: str
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
    def read(cls, body: dict[str, Any]) -> Self:
        """One item of a reply."""
        post = body["post"]
        author = post["author"]
        return cls(
            source=body["source"],
            score=body.get("score"),
            reason=body.get("reason") or "",
            post_id=post["id"],
            author_id=author["id"],
            author_handle=author["handle"],
            author_name=author["displayName"],
            author_followed=author["followedByMe"],
            caption=post["caption"],
            topic=post["topic"],
            content_type=post["contentType"],
            posted_at=datetime.fromisoformat(post["postedAt"]),
            width=post["width"],
            height=post["height"],
            dominant_color=post["dominantColor"],
            liked=post["likedByMe"],
            saved=post["savedByMe"],
        )


@dataclass(frozen=True, slots=True)
class Feed:
    """One page of a person's feed. `model_version` is empty unless a model ranked it."""

    slate_id: str
    ranking: str
    model_version: str
    items: tuple[FeedItem, ...]
    next_cursor: str | None

    @classmethod
    def read(cls, body: dict[str, Any]) -> Self:
        """The page of a reply."""
        return cls(
            slate_id=body["slateId"],
            ranking=body["ranking"],
            model_version=str((body.get("model") or {}).get("version", "")),
            items=tuple(FeedItem.read(item) for item in body["items"]),
            next_cursor=body.get("nextCursor"),
        )


@dataclass(frozen=True, slots=True)
class WorkersProgress:
    """How far the workers are: events counted in the features, events archived, photos by status."""

    events_in_features: int
    archived_events: int
    photos: dict[str, int]

    @classmethod
    def read(cls, body: dict[str, Any]) -> Self:
        """The counts of a reply."""
        return cls(body["eventsInFeatures"], body["archivedEvents"], body["photos"])
