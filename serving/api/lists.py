"""Lists in falling order of ids, page by page: the cursor is the id that the page before ended with."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query

from photofeed.errors import InvalidError, NotFoundError
from photofeed.ids import decode_id

Limit = Annotated[int, Query(ge=1, le=100)]
CursorText = Annotated[str | None, Query(max_length=1000, alias="cursor")]


def before(cursor: str | None) -> int:
    """The id below which a page begins.

    Raises:
        InvalidError: the cursor is of no such list.
    """
    if cursor is None:
        return 2**63 - 1
    try:
        return decode_id(cursor)
    except NotFoundError as error:
        raise InvalidError("This is no cursor of this list.", code="cursor_invalid") from error


def page_json(items: Sequence[dict[str, Any]], limit: int) -> dict[str, Any]:
    """A page of at most `limit` items, each with its id."""
    return {"items": items, "nextCursor": items[-1]["id"] if len(items) == limit else None}
