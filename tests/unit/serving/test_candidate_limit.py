import numpy as np

from photofeed.posts import PostRef
from serving.feed.candidates import Candidates
from serving.feed.pipeline import newest_of_graph, outside_graph
from serving.feed.source_table import Source


def _candidates(first: int, count: int, source: Source) -> Candidates:
    posts = range(first, first + count)
    return Candidates.from_members([PostRef(post, post, 1, 0).member() for post in posts], source)


def test_the_newest_posts_of_the_graph_and_all_explore_posts_are_kept() -> None:
    parts = [
        _candidates(100, 10, Source.FOLLOWING),
        _candidates(105, 10, Source.CELEBRITY),
        _candidates(1, 5, Source.FRESH),
    ]
    kept = newest_of_graph(Candidates.merge(parts), 17)
    assert sorted(kept.post_ids[~kept.explore].tolist()) == list(range(103, 115))
    assert np.array_equal(kept.post_ids[kept.explore], np.arange(1, 6))


def test_candidates_within_the_limit_are_unchanged() -> None:
    few = _candidates(100, 10, Source.FOLLOWING)
    assert newest_of_graph(few, 10) is few


def test_explore_that_fills_the_limit_alone_leaves_no_room() -> None:
    parts = [_candidates(100, 10, Source.FOLLOWING), _candidates(1, 5, Source.FRESH)]
    assert newest_of_graph(Candidates.merge(parts), 5).post_ids.tolist() == [1, 2, 3, 4, 5]


def test_explore_has_no_posts_by_authors_that_the_follow_graph_brings() -> None:
    """Including posts that only a pool has, because the timeline is too short."""
    followed = PostRef(1, author_id=5, topic_id=1, posted_ms=0), PostRef(2, author_id=6, topic_id=1, posted_ms=0)
    pool = [PostRef(3, 5, 1, 0), PostRef(4, 6, 1, 0), PostRef(5, 7, 1, 0)]
    parts = [
        Candidates.from_members([followed[0].member()], Source.FOLLOWING),
        Candidates.from_members([followed[1].member()], Source.CELEBRITY),
        Candidates.from_members([post.member() for post in pool], Source.FRESH),
    ]
    assert outside_graph(Candidates.merge(parts)).post_ids.tolist() == [1, 2, 5]
