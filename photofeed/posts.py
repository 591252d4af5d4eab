"""Posts as the feed path knows them before it reads features: ids, perceptual hash, type and time."""

import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import PoisonError

ITEM = "item"
"""Content type of an item: a post without a picture, which is ranked for its service and shown on no page (ADR 51)."""

_LAYOUT = struct.Struct(">QQQq?")

# One row per post; in this layout it is the member of a Redis sorted set, with `posted_ms` as score.
POST_DTYPE = np.dtype(
    [("post_id", ">u8"), ("author_id", ">u8"), ("topic_id", ">u8"), ("perceptual_hash", ">i8"), ("is_reel", "?")]
)


@dataclass(frozen=True, slots=True)
class PostRef:
    """A post: its ids, time, perceptual hash (0 if unknown) and type."""

    post_id: int
    author_id: int
    topic_id: int
    posted_ms: int
    perceptual_hash: int = 0
    is_reel: bool = False

    def member(self) -> bytes:
        """The post as a member of a Redis sorted set: 33 bytes, the same for every writer."""
        return _LAYOUT.pack(self.post_id, self.author_id, self.topic_id, self.perceptual_hash, self.is_reel)

    def bare(self) -> "PostRef":
        """The post without hash and type, as engagement events know it, which have only its ids."""
        return replace(self, perceptual_hash=0, is_reel=False)


def decode_members(members: list[bytes]) -> NDArray[np.void]:
    """Sorted-set members as a structured array of POST_DTYPE, (n,); members of an older layout are left out."""
    if set(map(len, members)) - {POST_DTYPE.itemsize}:
        members = [member for member in members if len(member) == POST_DTYPE.itemsize]
    return np.frombuffer(b"".join(members), dtype=POST_DTYPE)


def post_of(member: bytes) -> int:
    """The id of the post of a sorted-set member."""
    return int.from_bytes(member[:8])


def author_of(member: bytes) -> int:
    """The author id of a sorted-set member."""
    return int.from_bytes(member[8:16])


@dataclass(frozen=True, slots=True)
class PublishedPost:
    """The content of `photo.processed`, sent when a photo is ready: input of fan-out and of content features."""

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

    @property
    def posted_at(self) -> datetime:
        """The time of posting."""
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
            "perceptualHash": self.ref.perceptual_hash,
        }

    @staticmethod
    def from_payload(payload: dict[str, Any]) -> "PublishedPost":
        """The post of a payload.

        Raises:
            PoisonError: a field is missing or has the wrong type.
        """
        try:
            quality = payload["quality"]
            return PublishedPost(
                ref=PostRef(
                    int(payload["photoId"]),
                    int(payload["userId"]),
                    int(payload["topicId"]),
                    int(payload["postedMs"]),
                    int(payload.get("perceptualHash", 0)),
                    payload["contentType"] == "reel",
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
            )
        except (KeyError, TypeError, ValueError) as error:
            raise PoisonError(f"not a published post: {error!r}") from error
