import numpy as np

from photofeed.posts import PostRef
from serving.feed.candidates import Candidates, Source
from serving.feed.pipeline import newest_of_graph


def _candidates(first: int, count: int, source: Source) -> Candidates:
    posts = range(first, first + count)
    return Candidates.from_members([PostRef(post, post, 1, 0).member() for post in posts], source)


def test_the_graph_keeps_its_newest_posts_of_whatever_source_and_explore_keeps_all() -> None:
    parts = [
        _candidates(100, 10, Source.FOLLOWING),
        _candidates(105, 10, Source.CELEBRITY),
        _candidates(1, 5, Source.FRESH),
    ]
    kept = newest_of_graph(Candidates.merge(parts), 17)
    assert sorted(kept.post_ids[~kept.explore].tolist()) == list(range(103, 115))
    assert np.array_equal(kept.post_ids[kept.explore], np.arange(1, 6))


def test_what_is_within_the_limit_stays_as_it_is() -> None:
    few = _candidates(100, 10, Source.FOLLOWING)
    assert newest_of_graph(few, 10) is few


def test_explore_that_fills_the_limit_alone_leaves_no_room() -> None:
    parts = [_candidates(100, 10, Source.FOLLOWING), _candidates(1, 5, Source.FRESH)]
    assert newest_of_graph(Candidates.merge(parts), 5).post_ids.tolist() == [1, 2, 3, 4, 5]
