"""The chain of slates of one feed: when it goes on."""

from datetime import UTC, datetime

import numpy as np
import pytest

from serving.feed.chain import MOST_SHOWN, has_next
from serving.feed.slate import Slate, SlateItems


def _slate(count: int, *, earlier: int = 0, complete: bool = False) -> Slate:
    ids, numbers, flags = np.arange(count), np.zeros(count), np.zeros(count, np.int8)
    nothing = np.zeros((count, 0), np.float32)
    items = SlateItems(ids, ids, flags, numbers, numbers, flags, nothing, nothing)
    ranked_at = datetime(2026, 1, 1, tzinfo=UTC)
    return Slate("slate", 1, "model", None, None, None, items, ranked_at, earlier=earlier, complete=complete)


@pytest.mark.parametrize(
    ("slate", "goes_on"),
    [
        (_slate(500), True),
        (_slate(500, earlier=MOST_SHOWN - 501), True),
        (_slate(500, earlier=MOST_SHOWN - 500), False),
        (_slate(500, complete=True), False),
        (_slate(0), False),
    ],
    ids=["first", "one post short of the most", "at the most", "nothing left out", "empty"],
)
def test_a_feed_goes_on_until_nothing_is_left_or_it_is_as_long_as_it_may_be(slate: Slate, *, goes_on: bool) -> None:
    assert has_next(slate) is goes_on
