from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.feed.rerankers.explore_slots import (
    count_slots,
    draw_from_pools,
    pick_posts,
    slots_for,
    spread_explore,
)
from serving.feed.source_table import Source


@given(st.integers(0, 600), st.floats(0.05, 0.3), st.integers(10, 200), st.integers(0, 30))
def test_explore_exceeds_its_share_only_in_a_short_slate(
    followed: int, share: float, length: int, shortest: int
) -> None:
    from_graph, explore = count_slots(followed, share, length, shortest)
    assert from_graph <= followed
    total = from_graph + explore
    assert total >= shortest
    assert total <= max(length + 1, shortest)
    if from_graph and total > shortest:
        assert abs(explore / total - share) <= 0.5 / total + 0.01


@given(st.integers(0, 3_000), st.floats(0.0, 0.5))
def test_a_slate_made_for_so_many_posts_has_slots_for_all_of_them(followed: int, share: float) -> None:
    length = slots_for(followed, share)
    assert count_slots(followed, share, length, 0)[0] == followed
    assert length <= followed / (1 - share) + 2


CHANCES = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, 150), st.lists(CHANCES, max_size=30))
def test_explore_posts_are_spread_over_the_slate_and_both_orders_stay(from_graph: int, chances: list[float]) -> None:
    graph, drawn = np.arange(from_graph), -1 - np.arange(len(chances))
    slate = spread_explore(graph, drawn, np.array(chances))
    assert slate[slate >= 0].tolist() == graph.tolist()
    assert slate[slate < 0].tolist() == drawn.tolist()
    if len(drawn):
        stretches = np.flatnonzero(slate < 0) * len(drawn) / len(slate)
        assert (np.abs(stretches - np.arange(len(drawn))) <= 1).all()
    if len(drawn) and from_graph >= 2 * len(drawn):
        assert slate[0] >= 0


def test_a_full_page_has_one_in_ten() -> None:
    assert count_slots(500, 0.1, 30, 10) == (27, 3)


def test_without_followed_posts_all_slots_are_explore() -> None:
    assert count_slots(0, 0.1, 150, 30) == (0, 30)


# one post is alone in its pool, one pool has no spread, and FRESH has nothing to offer
MIXED = np.array([Source.TOPICS] * 3 + [Source.TRENDING] * 2 + [Source.NEIGHBOURS] + [Source.POPULAR] * 2, np.int64)
MIXED_SCORES = np.array([2.0, 0.0, 1.0, 5.0, 5.0, -3.0, 0.3, 0.1])


def test_propensities_are_the_frequencies_with_which_posts_are_drawn() -> None:
    """Of the first draw, and of the second draw given the first: a draw changes the rest of its pool."""
    rng = np.random.default_rng(0)
    draws: dict[tuple[int, ...], list[tuple[int, float]]] = defaultdict(list)
    for _ in range(20_000):
        draw = draw_from_pools(MIXED_SCORES, MIXED, 2, rng)
        first, second = draw.indices.tolist()
        draws[()].append((first, float(draw.propensities[0])))
        draws[(first,)].append((second, float(draw.propensities[1])))
    assert set(draws) == {(), (0,), (1,), (2,), (3,), (4,), (5,)}
    for drawn in draws.values():
        logged = dict(drawn)
        assert all(abs(logged[place] - propensity) < 1e-12 for place, propensity in drawn)
        assert abs(sum(logged.values()) - 1) < 1e-8
        for place, count in Counter(place for place, _ in drawn).items():
            spread = np.sqrt(logged[place] * (1 - logged[place]) / len(drawn))
            assert abs(count / len(drawn) - logged[place]) < 5 * spread


def test_a_pools_share_goes_to_its_better_posts_more_often() -> None:
    shares = {
        int(place): float(propensity)
        for seed in range(200)
        for draw in [draw_from_pools(MIXED_SCORES, MIXED, 1, np.random.default_rng(seed))]
        for place, propensity in zip(draw.indices, draw.propensities, strict=True)
    }
    assert shares[0] > shares[2] > shares[1]
    assert shares[3] == shares[4]
    assert shares[5] == pytest.approx(0.3 / (0.3 + 0.2 + 0.2))  # neighbours, of those with topics and trending


EXPLORE_SOURCES = [source for source in Source if source.is_explore]
POOLED = st.lists(st.tuples(st.floats(-50, 50), st.sampled_from(EXPLORE_SOURCES)), max_size=40)


@given(POOLED, st.integers(0, 50))
def test_a_draw_repeats_no_post_and_has_valid_propensities(posts: list[tuple[float, Source]], count: int) -> None:
    scores, pools = np.array([score for score, _ in posts]), np.array([pool for _, pool in posts], np.int64)
    draw = draw_from_pools(scores, pools, count, np.random.default_rng(1))
    assert len(draw.indices) == min(count, len(scores)) == len(set(draw.indices.tolist()))
    assert ((draw.propensities > 0) & (draw.propensities <= 1 + 1e-12)).all()


@given(st.integers(0, 2**32 - 1), st.integers(0, 400), st.integers(1, 7), st.integers(0, 60))
def test_each_slot_shows_the_best_post_left_of_its_pool(seed: int, length: int, count: int, slots: int) -> None:
    rng = np.random.default_rng(seed)
    pools, noise = rng.integers(0, count, length).astype(np.int64), rng.gumbel(size=length)
    shares, chances = rng.random(count) + 0.01, rng.random(min(slots, length))
    indices, propensities = pick_posts(np.zeros(length), pools, shares, noise, chances)
    left = set(range(length))
    for index, propensity in zip(indices.tolist(), propensities.tolist(), strict=True):
        same = [post for post in left if pools[post] == pools[index]]
        assert index == max(same, key=lambda post: (noise[post], -post))
        total = sum(shares[pool] for pool in {int(pools[post]) for post in left})
        assert propensity == pytest.approx(shares[pools[index]] / total / len(same))
        left.remove(index)


def test_a_pool_without_a_share_raises_instead_of_reading_past_the_shares() -> None:
    flat = np.zeros(3)
    with pytest.raises(IndexError, match="out of bounds"):
        pick_posts(flat, np.array([0, 1, 2], np.int64), np.array([0.5, 0.5]), flat, flat)


def test_older_popular_posts_are_drawn_last() -> None:
    sources = np.array([Source.POPULAR, Source.NEIGHBOURS, Source.NEIGHBOURS], np.int64)
    rng = np.random.default_rng(0)
    assert all(draw_from_pools(np.zeros(3), sources, 3, rng).indices[-1] == 0 for _ in range(200))


@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=6), st.sampled_from([0.0, float(np.nextafter(1.0, 0.0))]))
def test_the_smallest_and_largest_chance_pick_pools_with_posts(shares: list[float], chance: float) -> None:
    pools = np.arange(len(shares), dtype=np.int64)
    flat = np.zeros(len(shares))
    places, _ = pick_posts(flat, pools, np.array(shares), flat, np.full(len(shares), chance))
    assert sorted(places.tolist()) == pools.tolist()
