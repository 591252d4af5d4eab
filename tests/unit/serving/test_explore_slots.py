import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.feed.rerankers.explore_slots import draw_explore, explore_count, spread_explore


@given(st.integers(0, 600), st.floats(0.05, 0.3), st.integers(10, 200), st.integers(0, 30))
def test_explore_has_its_share_and_more_only_to_fill_a_short_slate(
    followed: int, share: float, length: int, shortest: int
) -> None:
    from_graph, explore = explore_count(followed, share, length, shortest)
    assert from_graph <= followed
    total = from_graph + explore
    assert total >= shortest
    assert total <= max(length + 1, shortest)
    if from_graph and total > shortest:
        assert abs(explore / total - share) <= 0.5 / total + 0.01


@given(st.integers(0, 150), st.integers(0, 30), st.integers(0, 2**32))
def test_explore_posts_are_spread_over_the_slate(from_graph: int, explore: int, seed: int) -> None:
    slots = spread_explore(from_graph, explore, np.random.default_rng(seed))
    assert len(slots) == explore
    assert slots == sorted(set(slots))
    assert all(0 <= slot < from_graph + explore for slot in slots)
    if explore >= 2 and from_graph >= 2 * explore:
        assert slots[0] > 0
        assert slots[0] < (from_graph + explore) / 2 <= slots[-1] + (from_graph + explore) / explore


def test_a_full_page_has_one_in_ten() -> None:
    assert explore_count(500, 0.1, 30, 10) == (27, 3)


def test_somebody_who_follows_nobody_explores_only() -> None:
    assert explore_count(0, 0.1, 150, 30) == (0, 30)


def test_propensities_are_the_frequencies_with_which_posts_are_drawn_first() -> None:
    scores = np.array([2.0, 0.0, 1.0])
    rng = np.random.default_rng(0)
    draws = [draw_explore(scores, 1, rng) for _ in range(20_000)]
    firsts = np.bincount([draw.places[0] for draw in draws], minlength=3) / len(draws)
    logged = {int(draw.places[0]): float(draw.propensities[0]) for draw in draws}
    np.testing.assert_allclose(firsts, [logged[0], logged[1], logged[2]], atol=0.015)
    assert logged[0] > logged[2] > logged[1]


@given(st.lists(st.floats(-50, 50), max_size=40), st.integers(0, 50))
def test_draws_have_no_post_twice_and_true_probabilities(scores: list[float], count: int) -> None:
    draw = draw_explore(np.array(scores), count, np.random.default_rng(1))
    assert len(draw.places) == min(count, len(scores)) == len(set(draw.places.tolist()))
    assert ((draw.propensities > 0) & (draw.propensities <= 1 + 1e-12)).all()
