from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from serving.feed.rerankers.author_spacing import MAX_IN_A_ROW, space_authors
from tests.long_lists import lists_of_runs, lists_up_to

AUTHORS = st.one_of(lists_up_to(st.integers(1, 4), 60), lists_of_runs(st.integers(1, 4), 30))


def _longest_run(authors: list[int]) -> int:
    return max((len(list(run)) for _, run in groupby(authors)), default=0)


@given(AUTHORS, st.lists(st.integers(1, 4), max_size=2))
def test_at_most_two_in_a_row_after_any_previous_page(authors: list[int], before: list[int]) -> None:
    order = space_authors(authors, before)
    shown = [authors[place] for place in order]
    run_before = before if _longest_run(before) <= MAX_IN_A_ROW else before[-MAX_IN_A_ROW:]
    assert _longest_run(run_before + shown) <= MAX_IN_A_ROW


@given(AUTHORS)
def test_no_post_is_repeated_and_only_posts_of_the_last_author_are_left_out(authors: list[int]) -> None:
    order = space_authors(authors)
    assert len(set(order)) == len(order)
    left_out = {authors[place] for place in range(len(authors)) if place not in order}
    assert len(left_out) <= 1
    if left_out:
        assert [authors[place] for place in order[-MAX_IN_A_ROW:]] == [*left_out] * MAX_IN_A_ROW


@given(lists_up_to(st.integers(1, 1000), 60, unique=True))
def test_a_valid_order_stays(authors: list[int]) -> None:
    assert space_authors(authors) == list(range(len(authors)))


def test_the_order_changes_as_little_as_possible() -> None:
    assert space_authors([1, 1, 1, 2, 3]) == [0, 1, 3, 2, 4]


def test_the_next_page_considers_the_authors_before_it() -> None:
    assert space_authors([1, 2], before=[1, 1]) == [1, 0]
