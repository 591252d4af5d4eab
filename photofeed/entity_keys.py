"""Keys of entities as users of Feast give them: integers, or the ids of the API as text."""

from photofeed.errors import InvalidError, NotFoundError
from photofeed.ids import decode_id

_FIRST_TOO_LARGE = 2**63


def integer_key(column: str, text: str) -> int:
    """The integer that Feast knows an entity by.

    Raises:
        InvalidError: the text is neither an id of the API nor a number; the message names the column.
    """
    try:
        return decode_id(text)
    except NotFoundError:
        if text.isdecimal() and int(text) < _FIRST_TOO_LARGE:
            return int(text)
    raise InvalidError(f"{column} {text[:40]!r} is neither an id of the API nor a number")
