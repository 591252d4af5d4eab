"""The message `photo.uploaded`: an original is complete and waits to be processed."""

from datetime import UTC, datetime

from photofeed.events import Envelope
from photofeed.ids import encode_id


def uploaded(photo_id: int, original_key: str, owner_id: int, *, at: datetime | None = None) -> Envelope:
    """The message about a completed original.

    `photoId` and `userId` are numbers of up to 63 bits, which JavaScript rounds. `photoRef` and `userRef` are the same
    ids as the API writes them.
    """
    payload = {
        "photoId": photo_id,
        "s3Key": original_key,
        "userId": owner_id,
        "photoRef": encode_id(photo_id),
        "userRef": encode_id(owner_id),
    }
    return Envelope("photo.uploaded", str(photo_id), payload, occurred_at=at or datetime.now(UTC))
