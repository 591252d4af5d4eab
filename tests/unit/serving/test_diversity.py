import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.feed.candidates import Ids
from serving.feed.rerankers import best_first
from serving.feed.rerankers.diversity import (
    SAME_AUTHOR,
    SAME_TOPIC,
    RepetitionPenalty,
    diversify,
    seen_by_author,
)
from serving.feed.scorers import Scores
from tests.long_lists import lists_up_to

POSTS = lists_up_to(st.tuples(st.floats(-100, 100), st.integers(1, 5)), 40)


def _lowered(scores: Scores, groups: Ids, cost: RepetitionPenalty) -> Scores:
    none = np.zeros_like(groups)
    return diversify(scores, best_first(scores), none > 0, groups, none, cost.step, cost.shrink)


@given(POSTS)
def test_the_best_post_of_an_author_keeps_its_score_and_the_order_within_an_author_stays(
    posts: list[tuple[float, int]],
) -> None:
    scores = np.array([score for score, _ in posts])
    authors = np.array([author for _, author in posts], dtype=np.int64)
    lowered = _lowered(scores, authors, SAME_AUTHOR)
    assert (lowered <= scores).all()
    for author in set(authors.tolist()):
        mine, theirs = scores[authors == author], lowered[authors == author]
        assert theirs.max() == mine.max()
        order = np.argsort(-mine, kind="stable")
        assert (np.diff(theirs[order]) <= 1e-9).all()


def test_an_author_with_the_best_posts_does_not_fill_the_top() -> None:
    scores = np.concatenate([np.linspace(1.0, 0.8, 10), np.linspace(0.7, 0.1, 20)])
    authors = np.array([1] * 10 + list(range(2, 22)), dtype=np.int64)
    top = authors[np.argsort(-_lowered(scores, authors, SAME_AUTHOR))][:10]
    assert top[0] == 1
    assert (top == 1).sum() <= 5


def test_equal_scores_stay_equal() -> None:
    scores = np.zeros(5)
    assert _lowered(scores, np.ones(5, dtype=np.int64), SAME_AUTHOR).tolist() == [0.0] * 5


def test_a_favourite_topic_leads_but_leaves_room_for_others() -> None:
    scores = np.concatenate([np.linspace(1.0, 0.5, 20), np.linspace(0.55, 0.3, 10)])
    topics = np.array([1] * 20 + list(range(2, 12)), dtype=np.int64)
    top = topics[np.argsort(-_lowered(scores, topics, SAME_TOPIC))][:15]
    assert top[0] == 1
    assert 5 <= (top == 1).sum() < 15


def test_the_nth_post_of_a_group_loses_n_minus_one_terms_counting_posts_shown_before_except_explore() -> None:
    scores, explore = np.array([4.0, 3.0, 2.0, 1.0, 9.0]), np.array([False, False, False, False, True])
    groups, shown = np.array([7, 8, 7, 7, 7]), np.array([0, 2, 0, 0, 0])
    terms = np.array([0.0, 1 + 0.5, 1.0, 1 + 0.5, 0.0])
    lowered = diversify(scores, best_first(scores), explore, groups, shown, 0.1, 0.5)
    np.testing.assert_allclose(lowered, scores - 0.1 * terms * np.std(scores[~explore]))


def _drawn(seed: int, length: int, different: int) -> list[tuple[float, int, bool, int]]:
    rng = np.random.default_rng(seed)
    groups = rng.choice(rng.integers(-(2**63), 2**63 - 1, different), length)
    columns = rng.normal(size=length), groups, rng.random(length) < 0.1, rng.integers(0, 9, length)
    return list(zip(*(column.tolist() for column in columns), strict=True))


_POST = st.tuples(st.floats(-100, 100), st.integers(1, 5), st.booleans(), st.integers(0, 9))
_MANY = st.builds(_drawn, st.integers(0, 2**32 - 1), st.integers(0, 300), st.integers(1, 200))


@given(st.one_of(lists_up_to(_POST, 40), _MANY))
def test_any_posts_lose_what_their_number_in_the_group_costs(posts: list[tuple[float, int, bool, int]]) -> None:
    scores, explore = np.array([post[0] for post in posts]), np.array([post[2] for post in posts], np.bool_)
    groups, shown = (np.array([post[column] for post in posts], np.int64) for column in (1, 3))
    rows, step, shrink = best_first(scores), SAME_AUTHOR.step, SAME_AUTHOR.shrink
    expected, counted = scores.copy(), rows[~explore[rows]]
    for rank, row in enumerate(counted):
        repeated = shown[row] + np.count_nonzero(groups[counted[:rank]] == groups[row])
        expected[row] -= np.std(scores[counted]) * step * (1 - shrink**repeated) / (1 - shrink)
    lowered = diversify(scores, rows, explore, groups, shown, step, shrink)
    np.testing.assert_allclose(lowered, expected, rtol=1e-12, atol=1e-12)


@given(lists_up_to(st.tuples(st.integers(1, 5), st.booleans()), 60))
def test_every_post_seen_of_an_author_counts_for_all_of_that_author(posts: list[tuple[int, bool]]) -> None:
    authors = np.array([author for author, _ in posts], np.int64)
    seen = np.array([was_seen for _, was_seen in posts], np.bool_)
    expected = [sum(was_seen for other, was_seen in posts if other == author) for author, _ in posts]
    assert seen_by_author(authors, authors[seen]).tolist() == expected
