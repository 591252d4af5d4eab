"""Fields of requests that a database could not hold though their type allows it: refused by name, not by a 500."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

from photofeed.ids import EPOCH_MS

_IDS_BEGIN = datetime.fromtimestamp(EPOCH_MS / 1000, UTC)
_AHEAD = timedelta(minutes=5)  # clocks of others are a little wrong


def _storable(text: str | None) -> str | None:
    if text and "\0" in text:
        raise ValueError("may have no NUL character")  # PostgreSQL keeps none
    return text


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # the first and the last day of the calendar, seen from elsewhere
        raise ValueError("is beyond the calendar") from None


def _of_our_time(moment: datetime) -> datetime:
    if not _IDS_BEGIN <= moment <= datetime.now(UTC) + _AHEAD:
        raise ValueError(f"must be after {_IDS_BEGIN:%Y-%m-%d}, and not in the future")
    return moment


STORABLE = AfterValidator(_storable)
"""Stands last among the annotations of a text, so that its length is judged, and refused, as a text's."""
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment with its offset, turned to UTC."""
CreationMoment = Annotated[Moment, AfterValidator(_of_our_time)]
"""When something was made whose id is to sort by it: ids begin with 2020."""
