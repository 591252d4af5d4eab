"""Each filter removes what it names, and nothing else."""

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from photofeed.posts import PostRef
from serving.feed.candidates import Candidates
from serving.feed.explanation import Explanation
from serving.feed.filters import apply_filters
from serving.feed.filters.hidden_authors import HiddenAuthors
from serving.feed.filters.hidden_posts import HiddenPosts
from serving.feed.filters.own import OwnPosts
from serving.feed.history import History
from serving.feed.query import FeedQuery, Viewer
from serving.feed.source_table import Source
from tests.metric_values import metric

VIEWER = 3
POSTS = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 6)), unique_by=lambda post: post[0], max_size=20)
IDS = st.sets(st.integers(1, 30), max_size=10)


def _candidates(posts: list[tuple[int, int]]) -> Candidates:
    refs = [PostRef(post_id, author_id, topic_id=7, posted_ms=0) for post_id, author_id in posts]
    return Candidates.from_members([ref.member() for ref in refs], Source.FOLLOWING)


def _query(*, hidden_posts: Iterable[int] = (), hidden_authors: Iterable[int] = ()) -> FeedQuery:
    history = History(hidden=np.array(sorted(hidden_posts), np.int64), seen=np.arange(1, 31))
    return FeedQuery(VIEWER, datetime.now(UTC), Viewer(frozenset(), frozenset(hidden_authors), 0), history)


@given(POSTS, IDS)
def test_hidden_and_reported_posts_are_removed(posts: list[tuple[int, int]], hidden: set[int]) -> None:
    keep = HiddenPosts().keep(_query(hidden_posts=hidden), _candidates(posts))
    assert keep.tolist() == [post_id not in hidden for post_id, _ in posts]


@given(POSTS, IDS)
def test_posts_of_muted_and_blocked_people_are_removed(posts: list[tuple[int, int]], hidden: set[int]) -> None:
    keep = HiddenAuthors().keep(_query(hidden_authors=hidden), _candidates(posts))
    assert keep.tolist() == [author_id not in hidden for _, author_id in posts]


@given(POSTS)
def test_posts_of_the_viewer_are_removed(posts: list[tuple[int, int]]) -> None:
    keep = OwnPosts().keep(_query(), _candidates(posts))
    assert keep.tolist() == [author_id != VIEWER for _, author_id in posts]


def test_what_filters_remove_is_counted_by_the_first_reason_and_explained() -> None:
    filters = (OwnPosts(), HiddenAuthors(), HiddenPosts())
    posts = [(1, VIEWER), (2, 5), (3, 6), (4, 6), (5, 5), (6, VIEWER), (7, 5)]
    query, explanation = _query(hidden_posts=[1, 3, 7], hidden_authors=[6]), Explanation()
    before = {one.reason: metric("photofeed_feed_candidates_dropped_total", reason=one.reason) for one in filters}
    left = apply_filters(filters, query, _candidates(posts), explanation)
    again = apply_filters(filters, query, left, Explanation())
    assert left.post_ids.tolist() == again.post_ids.tolist() == [2, 5]
    dropped = {
        reason: metric("photofeed_feed_candidates_dropped_total", reason=reason) - count
        for reason, count in before.items()
    }
    assert dropped == {OwnPosts.reason: 2, HiddenAuthors.reason: 2, HiddenPosts.reason: 1}
    assert explanation.left_out() == {
        1: OwnPosts.reason,
        6: OwnPosts.reason,
        3: HiddenAuthors.reason,
        4: HiddenAuthors.reason,
        7: HiddenPosts.reason,
    }
