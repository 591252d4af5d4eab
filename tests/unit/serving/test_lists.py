"""Pages of lists and their cursors."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photofeed.errors import InvalidError
from photofeed.ids import encode_id
from serving.api.lists import after, before, before_moment, moment_cursor, page_json, page_of

LARGEST = 2**63 - 1
IDS = st.integers(0, LARGEST)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, IDS)
def test_a_cursor_by_time_is_read_to_the_microsecond(moment: datetime, item: int) -> None:
    assert before_moment(moment_cursor(moment, item)) == (moment, item)


@given(IDS)
def test_a_cursor_by_id_is_read_in_both_directions(item: int) -> None:
    assert before(encode_id(item)) == after(encode_id(item)) == item


def test_without_a_cursor_a_list_begins_at_its_end() -> None:
    assert (before(None), after(None)) == (LARGEST, 0)
    moment, _ = before_moment(None)
    assert moment > datetime.now(UTC) + timedelta(days=365)


@pytest.mark.parametrize("cursor", ["", "nonsense", encode_id(7) + "!", encode_id(7), encode_id(LARGEST) * 2])
def test_other_texts_are_no_cursor_by_time(cursor: str) -> None:
    with pytest.raises(InvalidError) as refused:
        before_moment(cursor)
    assert refused.value.code == "cursor_invalid"


@pytest.mark.parametrize(("rows", "shown", "cursor"), [(0, 0, None), (2, 2, None), (3, 3, None), (4, 3, "after 2")])
def test_a_page_names_its_last_item_if_there_are_more(rows: int, shown: int, cursor: str | None) -> None:
    page = page_of(range(rows), 3, lambda row: {"row": row}, lambda row: f"after {row}")
    assert page == {"items": [{"row": row} for row in range(shown)], "nextCursor": cursor}


def test_a_page_of_items_continues_after_the_id_of_the_last() -> None:
    items = [{"id": "a"}, {"id": "b"}, {"id": "c"}]
    assert page_json(items, 2) == {"items": items[:2], "nextCursor": "b"}
