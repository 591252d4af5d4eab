"""Tests run compiled code with bounds checks: an index out of bounds raises, instead of reading what lies behind."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from photofeed.compiled import compiled
from photofeed.models.scorer import kernel as scorer_kernel


def _item(values: NDArray[np.int64], index: int) -> Any:
    return values[index]


@pytest.mark.parametrize("compile_function", [compiled, scorer_kernel._compiled])
def test_an_index_out_of_bounds_raises(compile_function: Callable[..., Any]) -> None:
    item = compile_function(_item)
    assert item(np.arange(3), 2) == 2
    with pytest.raises(IndexError, match="out of bounds"):
        item(np.arange(3), 3)
