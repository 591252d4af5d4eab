"""A post as the feed path knows it before it reads any feature: ids and time, 32 bytes."""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import PoisonError

_LAYOUT = struct.Struct(">QQQ")

# One row a post; the big-endian ids are the member of a Redis sorted set, its score is `posted_ms`.
POST_DTYPE = np.dtype([("post_id", ">u8"), ("author_id", ">u8"), ("topic_id", ">u8")])


@dataclass(frozen=True, slots=True)
class PostRef:
    """Which post, whose, about what, posted when."""

    post_id: int
    author_id: int
    topic_id: int
    posted_ms: int

    def member(self) -> bytes:
        """The post as a member of a Redis sorted set: 24 bytes, the same wherever it is written."""
        return _LAYOUT.pack(self.post_id, self.author_id, self.topic_id)


def decode_members(members: list[bytes]) -> NDArray[np.void]:
    """Sorted-set members as a structured array of POST_DTYPE, (n,)."""
    return np.frombuffer(b"".join(members), dtype=POST_DTYPE)


@dataclass(frozen=True, slots=True)
class PublishedPost:
    """What `photo.processed` says once a photo is ready: enough for fan-out and for the post's content features."""

    ref: PostRef
    content_type: str
    caption_length: int
    tag_count: int
    public: bool
    imported: bool
    aspect: float
    sharpness: float
    brightness: float
    entropy: float
    perceptual_hash: int = 0

    @property
    def posted_at(self) -> datetime:
        """When it was posted."""
        return datetime.fromtimestamp(self.ref.posted_ms / 1000, tz=UTC)

    def to_payload(self) -> dict[str, Any]:
        """The payload of a `photo.processed` envelope."""
        return {
            "photoId": self.ref.post_id,
            "userId": self.ref.author_id,
            "topicId": self.ref.topic_id,
            "postedMs": self.ref.posted_ms,
            "contentType": self.content_type,
            "captionLength": self.caption_length,
            "tagCount": self.tag_count,
            "public": self.public,
            "imported": self.imported,
            "quality": {
                "aspect": self.aspect,
                "sharpness": self.sharpness,
                "brightness": self.brightness,
                "entropy": self.entropy,
            },
            "perceptualHash": self.perceptual_hash,
        }

    @staticmethod
    def from_payload(payload: dict[str, Any]) -> "PublishedPost":
        """The post in a payload.

        Raises:
            PoisonError: a field is missing or of the wrong kind.
        """
        try:
            quality = payload["quality"]
            return PublishedPost(
                ref=PostRef(
                    int(payload["photoId"]), int(payload["userId"]), int(payload["topicId"]), int(payload["postedMs"])
                ),
                content_type=str(payload["contentType"]),
                caption_length=int(payload["captionLength"]),
                tag_count=int(payload["tagCount"]),
                public=bool(payload["public"]),
                imported=bool(payload["imported"]),
                aspect=float(quality["aspect"]),
                sharpness=float(quality["sharpness"]),
                brightness=float(quality["brightness"]),
                entropy=float(quality["entropy"]),
                perceptual_hash=int(payload.get("perceptualHash", 0)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise PoisonError(f"not a published post: {error!r}") from error
