import numpy as np

from photofeed.posts import PostRef
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


def test_no_candidates_merge_to_no_candidates() -> None:
    assert len(Candidates.merge([Candidates.empty(), Candidates.empty()])) == 0
