from typing import Any

import numpy as np
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


@given(st.tuples(_ids, _ids, _flags, _numbers, _numbers, _flags, _reasons, _features))
def test_a_slate_is_loaded_as_it_was_stored(columns: tuple[NDArray[Any], ...]) -> None:
    kept = SlateItems(*columns)
    back = SlateItems.from_bytes(kept.to_bytes(), len(kept))
    for name in SlateItems.__slots__:
        assert np.array_equal(getattr(back, name), getattr(kept, name), equal_nan=name == "features")
    assert back.take([3, 1]).post_ids.tolist() == kept.post_ids[[3, 1]].tolist()


def test_an_empty_slate_is_loaded_empty() -> None:
    columns: list[NDArray[Any]] = [np.zeros(0, kind) for kind in ("i8", "i8", "i1", "f8", "f8", "i1")]
    columns += [np.zeros((0, 3), np.float32), np.zeros((0, 46), np.float32)]
    empty = SlateItems(*columns)
    assert len(SlateItems.from_bytes(empty.to_bytes(), 0)) == 0
