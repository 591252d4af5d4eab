import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from photofeed.posts import PostRef
from serving.feed.candidates import Candidates
from serving.feed.source_table import Source
from tests.long_lists import lists_up_to


def _candidates(first: int, count: int, source: Source) -> Candidates:
    posts = range(first, first + count)
    return Candidates.from_members([PostRef(post, post, 1, 0).member() for post in posts], source)


def test_the_newest_posts_of_the_graph_and_all_explore_posts_are_kept() -> None:
    parts = [
        _candidates(100, 10, Source.FOLLOWING),
        _candidates(105, 10, Source.CELEBRITY),
        _candidates(1, 5, Source.FRESH),
    ]
    kept = Candidates.merge(parts).ranked(17)
    assert sorted(kept.post_ids[~kept.explore].tolist()) == list(range(103, 115))
    assert np.array_equal(kept.post_ids[kept.explore], np.arange(1, 6))


def test_candidates_within_the_limit_are_unchanged() -> None:
    few = _candidates(100, 10, Source.FOLLOWING)
    assert few.ranked(10) is few


def test_explore_that_fills_the_limit_alone_leaves_no_room() -> None:
    parts = [_candidates(100, 10, Source.FOLLOWING), _candidates(1, 5, Source.FRESH)]
    assert Candidates.merge(parts).ranked(5).post_ids.tolist() == [1, 2, 3, 4, 5]


def test_explore_has_no_posts_by_authors_that_the_follow_graph_brings() -> None:
    """Including posts that only a pool has, because the timeline is too short."""
    followed = PostRef(1, author_id=5, topic_id=1, posted_ms=0), PostRef(2, author_id=6, topic_id=1, posted_ms=0)
    pool = [PostRef(3, 5, 1, 0), PostRef(4, 6, 1, 0), PostRef(5, 7, 1, 0)]
    parts = [
        Candidates.from_members([followed[0].member()], Source.FOLLOWING),
        Candidates.from_members([followed[1].member()], Source.CELEBRITY),
        Candidates.from_members([post.member() for post in pool], Source.FRESH),
    ]
    assert Candidates.merge(parts).ranked(10).post_ids.tolist() == [1, 2, 5]


@given(lists_up_to(st.tuples(st.integers(1, 40), st.booleans()), 200), st.integers(0, 120))
def test_what_is_ranked_follows_from_authors_ages_and_the_limit(posts: list[tuple[int, bool]], limit: int) -> None:
    """Posts are (author, whether a pool found it); a larger id is newer."""
    ids = np.random.default_rng(len(posts)).permutation(len(posts)) + 1
    refs = [PostRef(int(post), author, 1, 0) for post, (author, _) in zip(ids, posts, strict=True)]
    candidates = Candidates.from_members([ref.member() for ref in refs], Source.FOLLOWING)
    candidates.sources[[explore for _, explore in posts]] = Source.FRESH
    followed = {author for author, explore in posts if not explore}
    new = [
        ref.post_id for ref, (author, explore) in zip(refs, posts, strict=True) if explore and author not in followed
    ]
    graph = sorted(ref.post_id for ref, (_, explore) in zip(refs, posts, strict=True) if not explore)
    room = max(limit - len(new), 0)
    kept = {*new, *graph[len(graph) - min(room, len(graph)) :]}
    ranked = candidates.ranked(limit)
    assert ranked.post_ids.tolist() == [ref.post_id for ref in refs if ref.post_id in kept]
