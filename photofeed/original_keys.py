"""Keys of originals in object storage: where clients upload, and where workers read.

A client's upload address is valid for `uploads/...` only. When the upload is completed, the object is copied to
`completed/...`, for which no address is ever signed. So nobody can replace an original once it has been completed.
"""

from datetime import UTC, datetime

UPLOADS = "uploads/"
_COMPLETED = "completed/"


def upload_key(owner_id: int, photo_id: int, expires_at: datetime) -> str:
    """The key to upload to. Keys sort by the time at which their address expires."""
    return f"{UPLOADS}{int(expires_at.timestamp()):010d}-{owner_id}-{photo_id}"


def address_expiry(key: str) -> datetime:
    """The time at which the address of an upload key expires, to the second.

    Raises:
        ValueError: this is no upload key.
    """
    return datetime.fromtimestamp(int(key.removeprefix(UPLOADS).partition("-")[0]), UTC)


def completed_key(owner_id: int, photo_id: int) -> str:
    """The key of a completed original."""
    return f"{_COMPLETED}{owner_id}/{photo_id}"


def possible_keys(owner_id: int, photo_id: int, *recorded: str | None) -> list[str]:
    """Every key at which an original may exist: the recorded ones, and that of a copy whose transaction failed."""
    known = [key for key in recorded if key is not None]
    return list(dict.fromkeys([*known, completed_key(owner_id, photo_id)]))
