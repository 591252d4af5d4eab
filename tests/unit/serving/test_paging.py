from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from serving.feed.paging import Progress, turn_page
from serving.feed.rerankers.author_spacing import MAX_IN_A_ROW
from tests.long_lists import lists_of_runs, lists_up_to

POSTS = st.tuples(st.integers(1, 4), st.booleans())
SLATES = st.one_of(lists_up_to(POSTS, 80), lists_of_runs(POSTS, 30))


@given(SLATES, st.integers(1, 50))
def test_whatever_posts_vanish_none_is_repeated_or_lost_and_authors_stay_spaced(
    slate: list[tuple[int, bool]], limit: int
) -> None:
    authors = [author for author, _ in slate]
    visible = {place for place, (_, is_visible) in enumerate(slate) if is_visible}
    progress, shown = Progress(), list[int]()
    while not progress.is_over(authors):
        order, after = turn_page(authors, visible, progress, limit)
        assert len(order) <= limit
        assert after.shown == progress.shown + len(order)
        assert after.offset > progress.offset or order
        shown += order
        progress = after
    assert len(set(shown)) == len(shown)
    assert set(shown) | set(progress.waiting) == visible
    assert max((len(list(run)) for _, run in groupby(authors[place] for place in shown)), default=0) <= MAX_IN_A_ROW
    assert len({authors[place] for place in progress.waiting}) <= 1


@given(lists_up_to(st.integers(1, 1000), 60, unique=True), st.integers(1, 20))
def test_pages_of_many_authors_are_consecutive_parts_of_the_slate(authors: list[int], limit: int) -> None:
    order, progress = turn_page(authors, range(len(authors)), Progress(), limit)
    assert order == list(range(min(limit, len(authors))))
    assert progress.waiting == ()
