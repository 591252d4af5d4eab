import numpy as np

from photofeed.posts import POST_DTYPE, PostRef
from serving.feed import candidate_kernel
from serving.feed.candidate_kernel import columns_of_posts
from serving.feed.candidates import Candidates
from serving.feed.source_table import Source


def _candidates(source: Source, *posts: tuple[int, int]) -> Candidates:
    return Candidates.from_members([PostRef(post, author, 7, 0).member() for post, author in posts], source)


def test_a_post_that_two_sources_found_keeps_the_better_source() -> None:
    merged = Candidates.merge(
        [
            _candidates(Source.FRESH, (1, 10), (2, 20)),
            _candidates(Source.FOLLOWING, (3, 30), (1, 10)),
            Candidates.empty(),
        ]
    )
    assert dict(zip(merged.post_ids.tolist(), merged.sources.tolist(), strict=True)) == {
        1: Source.FOLLOWING,
        2: Source.FRESH,
        3: Source.FOLLOWING,
    }


def test_ids_of_63_bits_survive_redis_members() -> None:
    large = 2**63 - 1
    candidates = _candidates(Source.FOLLOWING, (large, large - 1))
    assert candidates.post_ids.tolist() == [large]
    assert candidates.author_ids.tolist() == [large - 1]
    assert candidates.post_ids.dtype == np.int64


def test_stored_posts_become_columns() -> None:
    posts = [PostRef(2**63 - 1, 2, 2**62 + 1, 0, -(2**63), is_reel=True), PostRef(5, 6, 0, 0, 2**63 - 1)]
    data = b"".join(post.member() for post in posts)
    stored = np.frombuffer(data, POST_DTYPE)
    for rows in (stored, stored.copy(), stored[np.array([0, 1])]):
        candidates = Candidates.from_posts(rows, Source.TOPICS)
        assert candidates.columns.T.tolist() == [
            [2**63 - 1, 2, 2**62 + 1, -(2**63), 1, Source.TOPICS],
            [5, 6, 0, 2**63 - 1, 0, Source.TOPICS],
        ]


def test_no_request_waits_for_a_compiler() -> None:
    candidate_kernel.warm()
    known = len(columns_of_posts.signatures)  # type: ignore[attr-defined]
    stored = np.frombuffer(PostRef(1, 2, 3, 0).member(), POST_DTYPE)
    for rows in (stored, stored.copy(), stored[:0], stored[np.array([0, 0])]):
        Candidates.from_posts(rows, Source.FRESH)
    assert len(columns_of_posts.signatures) == known  # type: ignore[attr-defined]


def test_no_candidates_merge_to_no_candidates() -> None:
    assert len(Candidates.merge([Candidates.empty(), Candidates.empty()])) == 0
