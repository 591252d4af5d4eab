"""People as lists show them."""

from typing import Any

from psycopg.rows import DictRow

from photofeed.ids import encode_id

AVATAR_PIXELS = 320


def person_json(row: DictRow, public_url: str) -> dict[str, Any]:
    """A person as lists show them, from a row with `id`, `handle`, `display_name` and `avatar_id`."""
    return {
        "id": encode_id(row["id"]),
        "handle": row["handle"],
        "displayName": row["display_name"],
        "avatarUrl": avatar_url(row["avatar_id"], public_url),
    }


def avatar_url(photo_id: int | None, public_url: str) -> str | None:
    """The address of a profile picture, square; another picture has another address. None without one."""
    return None if photo_id is None else f"{public_url}/photos/{encode_id(photo_id)}/{AVATAR_PIXELS}"
