from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from serving.feed.slate import SlateItems

_ids = arrays.arrays(np.int64, 7, elements=st.integers(0, 2**63 - 1))
_numbers = arrays.arrays(np.float64, 7, elements=st.floats(allow_nan=False))
_features = st.integers(0, 5).flatmap(lambda width: arrays.arrays(np.float32, (7, width)))


_reasons = arrays.arrays(np.float32, (7, 3), elements=st.floats(0, 100, width=32))
_flags = arrays.arrays(np.int8, 7, elements=st.integers(0, 7))


def _span(first_and_length: tuple[int, int]) -> list[int]:
    first, length = first_and_length
    return list(range(first, min(first + length, 7)))


@given(st.tuples(_ids, _ids, _flags, _numbers, _numbers, _flags, _reasons, _features))
def test_a_slate_is_loaded_as_it_was_stored(columns: tuple[NDArray[Any], ...]) -> None:
    kept = SlateItems(*columns)
    back = SlateItems.from_bytes(kept.to_bytes(), len(kept))
    for name in SlateItems.__slots__:
        assert np.array_equal(getattr(back, name), getattr(kept, name), equal_nan=name == "features")
    assert back.take([3, 1]).post_ids.tolist() == kept.post_ids[[3, 1]].tolist()


def _seven() -> SlateItems:
    ids, numbers = np.arange(100, 107), np.arange(7.0)
    flags, reasons = np.arange(7, dtype=np.int8), np.arange(21, dtype=np.float32).reshape(7, 3)
    return SlateItems(ids, ids + 1, flags, numbers, numbers + 1, flags + 1, reasons, reasons + 1)


@given(st.lists(st.integers(0, 6), max_size=7) | st.tuples(st.integers(0, 6), st.integers(1, 7)).map(_span))
def test_posts_are_taken_in_the_order_of_their_indices(indices: list[int]) -> None:
    taken = _seven().take(indices)
    for name in SlateItems.__slots__:
        assert getattr(taken, name).tolist() == [getattr(_seven(), name)[index].tolist() for index in indices]


@pytest.mark.parametrize("indices", [[7], [5, 6, 7], range(5, 9)])
def test_an_index_that_no_post_has_is_an_error(indices: Sequence[int]) -> None:
    with pytest.raises(IndexError):
        _seven().take(indices)


def test_an_empty_slate_is_loaded_empty() -> None:
    columns: list[NDArray[Any]] = [np.zeros(0, kind) for kind in ("i8", "i8", "i1", "f8", "f8", "i1")]
    columns += [np.zeros((0, 3), np.float32), np.zeros((0, 46), np.float32)]
    empty = SlateItems(*columns)
    assert len(SlateItems.from_bytes(empty.to_bytes(), 0)) == 0
