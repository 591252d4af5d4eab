"""Each filter removes what it names, and nothing else."""

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from photofeed.posts import PostRef
from serving.feed.candidates import Candidates
from serving.feed.filters.hidden_authors import HiddenAuthors
from serving.feed.filters.hidden_posts import HiddenPosts
from serving.feed.filters.own import OwnPosts
from serving.feed.history import History
from serving.feed.query import FeedQuery, Viewer
from serving.feed.source_table import Source

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
