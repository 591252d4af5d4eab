"""Strategies that draw long lists as often as short ones.

`st.lists` draws few lists of more than ten elements, whatever `max_size` is: a fault that only long lists show passes.
"""

from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


def lists_up_to(elements: st.SearchStrategy[T], longest: int, *, unique: bool = False) -> st.SearchStrategy[list[T]]:
    """Lists of any length up to `longest`, all about equally likely."""
    return st.integers(0, longest).flatmap(
        lambda length: st.lists(elements, min_size=length, max_size=length, unique=unique)
    )


def lists_of_runs(elements: st.SearchStrategy[T], longest: int) -> st.SearchStrategy[list[T]]:
    """Lists in which up to `longest` equal elements follow each other."""
    runs = lists_up_to(st.tuples(elements, st.integers(1, longest)), 6)
    return runs.map(lambda drawn: [element for element, length in drawn for _ in range(length)])
