"""Lists, page by page: the cursor is the id of the last item of the page before or, in lists by time, time and id.

Queries read one row more than a page has: only then there is a next page.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from fastapi import Query

from photofeed.errors import InvalidError, NotFoundError
from photofeed.ids import ENCODED_LENGTH, decode_id, encode_id
from serving.posts import VisiblePost

Row = TypeVar("Row")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AFTER_ALL = datetime(9999, 12, 31, tzinfo=UTC)

Limit = Annotated[int, Query(ge=1, le=100, description="Maximum number of items")]
CursorText = Annotated[
    str | None, Query(max_length=1000, alias="cursor", description="`nextCursor` of the page before")
]


def before(cursor: str | None) -> int:
    """The id below which the page starts.

    Raises:
        InvalidError: the cursor is not an id.
    """
    return 2**63 - 1 if cursor is None else cursor_id(cursor)


def after(cursor: str | None) -> int:
    """The id above which the page of a list by ascending id starts.

    Raises:
        InvalidError: the cursor is not an id.
    """
    return 0 if cursor is None else cursor_id(cursor)


def cursor_id(text: str) -> int:
    """An id in a cursor.

    Raises:
        InvalidError: it is not an id.
    """
    try:
        return decode_id(text)
    except NotFoundError as error:
        raise InvalidError("The cursor is not valid for this list.", code="cursor_invalid") from error


def before_moment(cursor: str | None) -> tuple[datetime, int]:
    """Time and id before which the page of a list by descending time and id starts.

    Raises:
        InvalidError: the cursor is not one of `moment_cursor`.
    """
    if cursor is None:
        return _AFTER_ALL, 0
    microseconds, item_id = cursor_id(cursor[:ENCODED_LENGTH]), cursor_id(cursor[ENCODED_LENGTH:])
    try:
        return _EPOCH + timedelta(microseconds=microseconds), item_id
    except OverflowError as error:
        raise InvalidError("The cursor is not valid for this list.", code="cursor_invalid") from error


def moment_cursor(moment: datetime, item_id: int) -> str:
    """The cursor of a list by time: microseconds since the epoch, then the id of the item."""
    return encode_id((moment - _EPOCH) // timedelta(microseconds=1)) + encode_id(item_id)


def page_json(items: Sequence[dict[str, Any]], limit: int) -> dict[str, Any]:
    """A page of at most `limit` of up to `limit` + 1 items, each of which has an id."""
    return page_of(items, limit, lambda item: item, lambda item: item["id"])


def posts_page(posts: Sequence[VisiblePost], limit: int) -> dict[str, Any]:
    """A page of at most `limit` of up to `limit` + 1 posts."""
    return page_of(posts, limit, lambda post: post.fragment, lambda post: encode_id(post.id))


def page_of(
    rows: Sequence[Row], limit: int, show: Callable[[Row], Any], cursor_of: Callable[[Row], str]
) -> dict[str, Any]:
    """A page of at most `limit` of up to `limit` + 1 rows."""
    shown = rows[:limit]
    return {"items": [show(row) for row in shown], "nextCursor": cursor_of(shown[-1]) if len(rows) > limit else None}
