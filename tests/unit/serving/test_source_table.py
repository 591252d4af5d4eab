import re

import numpy as np
import pytest

from photofeed.posts import PostRef
from serving.feed.candidates import Candidates
from serving.feed.rerankers.explore_slots import draw_from_pools
from serving.feed.source_table import (
    EXPLORE,
    FIRST_EXPLORE,
    POOL_SHARES,
    SOURCES,
    Source,
    SourceTable,
    checked,
)


@pytest.mark.parametrize("source", Source)
def test_lookups_by_number_have_every_source(source: Source) -> None:
    assert SOURCES[source] is source
    assert source.is_explore == (source >= FIRST_EXPLORE) == (source.share is not None)
    assert source.label == (EXPLORE if source.is_explore else source.pool)
    assert source.pool == source.name.lower()
    if source.is_explore:
        assert POOL_SHARES[source - FIRST_EXPLORE] == source.share


@pytest.mark.parametrize("source", Source)
def test_candidates_know_for_every_source_whether_it_is_explore(source: Source) -> None:
    candidates = Candidates.from_members([PostRef(1, 2, 3, 0, 0, is_reel=False).member()], source)
    assert candidates.explore.tolist() == [source.is_explore]


@pytest.mark.parametrize("source", [source for source in Source if source.is_explore])
def test_every_explore_source_is_drawn_from_with_a_true_propensity(source: Source) -> None:
    sources = np.array([Source.FRESH] * 20 + [source] * 180, np.int64)
    draw = draw_from_pools(np.linspace(0, 1, 200), sources, 30, np.random.default_rng(0))
    assert len(set(draw.indices.tolist())) == 30
    assert draw.indices.min() >= 0
    assert ((draw.propensities > 0) & (draw.propensities <= 1)).all()


class NoShare(SourceTable):
    FOLLOWING = 0, "following", "following"
    FRESH = 1, EXPLORE, "fresh", 1.0
    NEARBY = 2, EXPLORE, "nearby"


class ZeroShare(SourceTable):
    FRESH = 0, EXPLORE, "fresh", 1.0
    NEARBY = 1, EXPLORE, "nearby", 0.0


class GraphSourceWithShare(SourceTable):
    FOLLOWING = 0, "following", "following", 0.5
    FRESH = 1, EXPLORE, "fresh", 0.5


class GraphSourceAfterExplore(SourceTable):
    FRESH = 0, EXPLORE, "fresh", 1.0
    FOLLOWING = 1, "following", "following"


class GapInNumbers(SourceTable):
    FOLLOWING = 0, "following", "following"
    FRESH = 2, EXPLORE, "fresh", 1.0


class NumberTwice(SourceTable):
    FRESH = 0, EXPLORE, "fresh", 1.0
    NEARBY = 0, EXPLORE, "nearby", 0.2


class SharesOverOne(SourceTable):
    FRESH = 0, EXPLORE, "fresh", 0.9
    NEARBY = 1, EXPLORE, "nearby", 0.2


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (NoShare, "NoShare.NEARBY is an explore source without a share"),
        (ZeroShare, "ZeroShare.NEARBY is an explore source without a share"),
        (GraphSourceWithShare, "GraphSourceWithShare.FOLLOWING has a share, and is not an explore source"),
        (GraphSourceAfterExplore, "GraphSourceAfterExplore.FOLLOWING must stand before all explore sources"),
        (GapInNumbers, "GapInNumbers.FRESH must have the number 1"),
        (NumberTwice, "NumberTwice.NEARBY has the number of FRESH"),
        (SharesOverOne, "the shares of FRESH, NEARBY sum to 1.1"),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused_by_the_name_of_the_source(
    table: type[SourceTable], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        checked(table)
