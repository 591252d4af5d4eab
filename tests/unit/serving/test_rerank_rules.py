"""Properties of every slate, for any candidates, scores and perceptual hashes."""

from collections import Counter
from itertools import combinations, groupby
from random import Random
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from photofeed.ids import EPOCH_MS, RANDOM_BITS
from serving.bootstrap import reranking_rules
from serving.feed.candidates import Candidates
from serving.feed.rerankers import Ranking, best_first, rerank, warm
from serving.feed.rerankers.author_spacing import MAX_IN_A_ROW
from serving.feed.rerankers.diversity import AUTHORS, KINDS, diversify
from serving.feed.rerankers.explore_slots import pick_posts, split, spread_explore
from serving.feed.rerankers.freshness import Freshness, freshen
from serving.feed.rerankers.near_duplicates import MAX_DIFFERENT_BITS, NearDuplicates, distinct
from serving.feed.rerankers.order_kernel import rows_of_keys, sort_keys
from serving.feed.rerankers.repeats import Repeats
from serving.feed.source_table import SOURCES, Source
from tests.long_lists import lists_up_to

# score, author, look, source; few authors and looks a bit apart make every rule have something to do
LOOKS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 0xFF), st.just(0))
POSTS = st.lists(
    st.tuples(
        st.floats(-100, 100), st.integers(1, 6), LOOKS, st.sampled_from(list(Source)), st.booleans(), st.booleans()
    ),
    max_size=120,
)
Post = tuple[float, int, int, Source, bool, bool]


def _ranking(posts: list[Post], shortest: int = 30) -> Ranking:
    """A ranking of posts with the ids 1, 2, 3 ...; the last flag says whether a post was recently seen."""
    scores = np.array([post[0] for post in posts], np.float64)
    order = np.argsort(-scores, kind="stable")
    seen = np.array([post[5] for post in posts], np.bool_)
    rows = order[~seen[order]]
    return Ranking(
        Candidates(
            np.array(
                [
                    (number, author, author % 3, look, is_reel, source)
                    for number, (_, author, look, source, is_reel, _) in enumerate(posts, 1)
                ],
                np.int64,
            )
            .reshape(len(posts), 6)
            .T.copy()
        ),
        scores,
        np.ones(len(scores)),
        rows,
        order[seen[order]],
        np.zeros(len(posts), np.int64),
        2e9,
        shortest,
    )


def _slate(posts: list[Post], seed: int, shortest: int = 30) -> Ranking:
    ranking, _ = rerank(_ranking(posts, shortest), reranking_rules(0.1, np.random.default_rng(seed)))
    return ranking


def test_soft_rules_come_before_those_that_select_and_order() -> None:
    assert [rule.name for rule in reranking_rules(0.1, np.random.default_rng(0))] == [
        "shown less",
        "freshness",
        "author diversity",
        "topic diversity",
        "kind diversity",
        "near duplicates",
        "explore slots",
        "repeats",
        "author spacing",
    ]


def _bits(one: int, other: int) -> int:
    return ((one ^ other) & (2**64 - 1)).bit_count()


@given(POSTS, st.integers(0, 2**32), st.integers(0, 40))
def test_no_slate_breaks_a_hard_rule(posts: list[Post], seed: int, shortest: int) -> None:
    slate = _slate(posts, seed, shortest)
    rows = slate.rows.tolist()
    assert len(set(rows)) == len(rows)
    authors = [posts[row][1] for row in rows]
    if len({post[1] for post in posts}) > 1:  # where one author has all candidates, nothing can stand between
        assert max((len(list(run)) for _, run in groupby(authors)), default=0) <= MAX_IN_A_ROW
    looks = [posts[row][2] for row in rows if posts[row][2]]
    assert all(_bits(one, other) > MAX_DIFFERENT_BITS for one, other in combinations(looks, 2))
    assert ((slate.propensities > 0) & (slate.propensities <= 1 + 1e-12)).all()
    for row in rows:
        assert posts[row][3].is_explore or slate.propensities[row] == 1


@given(POSTS, st.integers(0, 2**32), st.integers(0, 12))
def test_seen_posts_only_fill_a_slate_that_new_posts_leave_short(posts: list[Post], seed: int, shortest: int) -> None:
    rows = _slate(posts, seed, shortest).rows.tolist()
    repeated = [row for row in rows if posts[row][5]]
    if repeated:
        assert len(rows) <= shortest
        assert len(rows) - len(repeated) < shortest


def test_a_short_slate_gets_the_best_seen_posts_after_the_new_ones_and_no_more_than_it_lacks() -> None:
    new = [(float(-row), row, 0, Source.FOLLOWING, False, False) for row in range(3)]
    seen = [(float(score), 10 + score, 0, Source.FOLLOWING, False, True) for score in range(9)]
    filled = [Repeats().apply(_ranking([*new, *seen], shortest)).rows.tolist() for shortest in (3, 4, 7, 99)]
    best = [11, 10, 9, 8, 7, 6, 5, 4, 3]
    assert filled == [[0, 1, 2, *best[:lacks]] for lacks in (0, 1, 4, 9)]


def _copies(seed: int, length: int, changed: int) -> list[int]:
    """Looks of 20 pictures, in each of which up to `changed` random bits are turned."""
    rng = np.random.default_rng(seed)
    looks = rng.integers(-(2**63), 2**63 - 1, 20)[rng.integers(0, 20, length)]
    for _ in range(changed):
        looks ^= np.int64(1) << rng.integers(0, 64, length)
    looks[rng.random(length) < 0.1] = 0
    return [int(look) for look in looks]


_MANY_COPIES = st.builds(_copies, st.integers(0, 2**32 - 1), st.integers(0, 200), st.integers(0, 12))


@given(st.one_of(lists_up_to(LOOKS, 100), _MANY_COPIES))
def test_of_near_duplicates_only_the_first_stays(looks: list[int]) -> None:
    kept = distinct(np.array(looks, np.int64))
    for row, look in enumerate(looks):
        like_a_better = any(
            kept[other] and looks[other] and look and _bits(look, looks[other]) <= MAX_DIFFERENT_BITS
            for other in range(row)
        )
        assert kept[row] == (not like_a_better)


def _close(seed: int, length: int, steps: int) -> list[float]:
    """Scores up to `steps` of the smallest steps above 1, so that only their last bits differ, of either sign."""
    rng = np.random.default_rng(seed)
    scores = (1 + rng.integers(0, steps, length) * np.finfo(np.float64).eps) * rng.choice([-1.0, 1.0], length)
    return [float(score) for score in scores]


_SCORE = st.sampled_from([-1.0, -0.0, 0.0, 1.0, 2.0]) | st.floats(allow_nan=False, allow_infinity=False)
_CLOSE = st.builds(_close, st.integers(0, 2**32 - 1), st.integers(0, 1_500), st.sampled_from([2, 100, 10**4, 10**9]))


@given(st.one_of(lists_up_to(_SCORE, 80), _CLOSE))
def test_best_first_keeps_the_order_of_equals(scores: list[float]) -> None:
    assert best_first(np.array(scores)).tolist() == sorted(range(len(scores)), key=lambda place: -scores[place])


@given(POSTS, st.randoms(use_true_random=False))
def test_a_ranking_with_new_scores_keeps_the_order_of_equals(posts: list[Post], random: Random) -> None:
    ranking = _ranking(posts)
    scores = [random.choice([-1.0, -0.0, 0.0, 1.0, 2.0]) for _ in posts]
    rows = sorted(ranking.rows.tolist(), key=lambda row: -scores[row])
    assert ranking.scored(np.array(scores)).rows.tolist() == rows


@given(POSTS, st.integers(0, 2**32))
def test_each_post_that_is_not_shown_has_one_reason(posts: list[Post], seed: int) -> None:
    ranking = _ranking(posts)
    slate, steps = rerank(ranking, reranking_rules(0.1, np.random.default_rng(seed)))
    gone = Counter(row for step in steps for row in step.left_out.tolist())
    assert set(gone.values()) <= {1}
    assert gone.keys().isdisjoint(slate.rows.tolist())
    assert gone.keys() | set(slate.rows.tolist()) >= set(ranking.rows.tolist())


def test_no_request_waits_for_a_compiler() -> None:
    """Rules compiled by `warm` are called with the same types by a real ranking."""
    rules = reranking_rules(0.1, np.random.default_rng(0))
    warm(rules)
    _slate([(float(n), n, n, SOURCES[n % len(SOURCES)], n % 2 == 0, n % 5 == 0) for n in range(60)], 1, 60)
    kernels: tuple[Any, ...] = (
        *(sort_keys, rows_of_keys),
        *(freshen, diversify, distinct),
        *(split, pick_posts, spread_explore),
    )
    assert [len(kernel.signatures) for kernel in kernels] == [1] * len(kernels)


def test_the_better_scored_of_two_copies_is_shown() -> None:
    copy = 0x0F0F_3C3C_5555_1234
    posts = [
        (1.0, 1, copy, Source.FOLLOWING, False, False),
        (2.0, 2, copy ^ 0b101, Source.FOLLOWING, False, False),
        (0.5, 3, ~copy, Source.FOLLOWING, False, False),
    ]
    slate = NearDuplicates().apply(_ranking(posts))
    assert slate.rows.tolist() == [1, 2]


def test_posts_of_a_recently_seen_author_lose_score() -> None:
    posts = [(1.0 - n / 100, 1 + n % 2, 0, Source.FOLLOWING, False, False) for n in range(40)]
    ranking = _ranking(posts)
    before = AUTHORS.apply(ranking).rows[:4]
    exposed = Ranking(
        ranking.candidates,
        ranking.scores,
        ranking.propensities,
        ranking.rows,
        ranking.repeats,
        np.where(ranking.candidates.author_ids == 1, 6, 0),
        ranking.seconds,
        ranking.shortest,
    )
    after = AUTHORS.apply(exposed).rows[:4]
    first_author = Counter(ranking.candidates.author_ids[before].tolist())[1]
    assert Counter(ranking.candidates.author_ids[after].tolist())[1] < first_author == 2


def test_a_slightly_better_content_type_does_not_fill_the_top() -> None:
    posts = [(n / 40 + 0.6 * (n % 2), n, 0, Source.FOLLOWING, n % 2 == 1, False) for n in range(40)]
    ranking = _ranking(posts)
    before, after = (rule.rows[:12] % 2 for rule in (ranking, KINDS.apply(ranking)))
    assert after[0] == 1
    assert 6 <= after.sum() < before.sum()


def test_among_equal_scores_recent_posts_come_first_even_if_a_clock_is_ahead() -> None:
    seconds = 2e9
    ages = [86_400.0, 60.0, -3_600.0]
    ids = np.array([int((seconds - age) * 1000 - EPOCH_MS) << RANDOM_BITS for age in ages], np.int64)
    posts = [(score, n, 0, Source.FOLLOWING, False, False) for n, score in enumerate([1.02, 1.01, 1.0])]
    plain = _ranking([*posts, (-1.0, 9, 0, Source.FOLLOWING, False, False)])
    dated = Candidates(plain.candidates.columns.copy())
    dated.post_ids[:] = [*ids, ids[0] - (10**10 << RANDOM_BITS)]
    ranking = Ranking(
        dated, plain.scores, plain.propensities, plain.rows, plain.repeats, plain.exposures, seconds, plain.shortest
    )
    assert Freshness().apply(ranking).rows.tolist() == [1, 2, 0, 3]


def test_new_creators_have_their_share_of_explore_despite_low_scores() -> None:
    posts = [(5.0, n, 0, Source.TRENDING, False, False) for n in range(100)]
    posts += [(-5.0, 100 + n, 0, Source.NEW_CREATORS, False, False) for n in range(100)]
    drawn = Counter(posts[row][3] for seed in range(40) for row in _slate(posts, seed).rows.tolist())
    assert 0.4 < drawn[Source.NEW_CREATORS] / drawn.total() < 0.6
