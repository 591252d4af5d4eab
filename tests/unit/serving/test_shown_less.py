"""Less of what somebody hid: authors, topics and looks of hidden posts lose, and it wears off."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photofeed.turned_away import SkippedPost
from serving.bootstrap import reranking_rules
from serving.feed.candidates import Candidates, Ids
from serving.feed.dislikes import HALF_LIFE_SECONDS, LARGEST_SKIP_WEIGHT, Dislikes
from serving.feed.history import HistoryReader
from serving.feed.reasons import reason
from serving.feed.rerankers import Ranking, best_first, rerank
from serving.feed.rerankers.shown_less import (
    AUTHOR_LOSS,
    BY_AUTHOR,
    ENOUGH_OTHERS,
    OF_TOPIC,
    TOPIC_LOSS,
    ShownLess,
    dislike_flags,
)
from serving.feed.source_table import Source

NOW = 2e9
LOOK = 0x0F0F0F0F0F0F0F0F
HIDDEN_AUTHOR, HIDDEN_TOPIC = 900, 70


def _ranking(count: int, *, by_hidden: int, seed: int = 0, explore: bool = False) -> Ranking:
    """Posts of different authors, topics and looks; the best `by_hidden` of them are by HIDDEN_AUTHOR."""
    scores = np.sort(np.random.default_rng(seed).normal(size=count))[::-1].copy()
    authors = np.arange(1, count + 1)
    authors[:by_hidden] = HIDDEN_AUTHOR
    unknown = np.zeros(count, np.int64)
    sources = np.full(count, Source.FRESH if explore else Source.FOLLOWING)
    candidates = Candidates(
        np.array([np.arange(1, count + 1), authors, np.arange(100, 100 + count), unknown, unknown, sources])
    )
    rows = np.arange(count)
    return Ranking(candidates, scores, np.ones(count), rows, rows[:0], np.zeros(count, np.int64), NOW, 30)


def _dislikes(hides: int, *, age: float = 0.0, weight: float = 1.0, look: int = 0) -> Dislikes:
    ids: Ids = np.arange(5000, 5000 + hides)
    return Dislikes(
        ids,
        np.full(hides, HIDDEN_AUTHOR),
        np.full(hides, HIDDEN_TOPIC),
        np.full(hides, look),
        np.full(hides, weight),
        np.full(hides, NOW - age),
    )


def _with(candidates: Candidates, *, topics: Sequence[int] = (), hashes: Sequence[int] | Ids = ()) -> Candidates:
    """Candidates with other topics or looks, if they are given."""
    changed = Candidates(candidates.columns.copy())
    if len(topics):
        changed.topic_ids[:] = topics
    if len(hashes):
        changed.hashes[:] = hashes
    return changed


def _after(ranking: Ranking, dislikes: Dislikes) -> Ranking:
    return ShownLess().apply(ranking._replace(dislikes=dislikes))


def test_without_hidden_posts_nothing_changes() -> None:
    ranking = _ranking(50, by_hidden=5)
    assert ShownLess().apply(ranking) is ranking
    assert dislike_flags(ranking.candidates, ranking.dislikes).tolist() == [0] * 50


def test_one_hide_lowers_the_author_and_nobody_else() -> None:
    ranking = _ranking(50, by_hidden=1)
    slate = _after(ranking, _dislikes(1))
    assert slate.rows[0] != 0
    assert slate.scores[0] == pytest.approx(ranking.scores[0] - AUTHOR_LOSS * np.std(ranking.scores))
    assert np.array_equal(slate.scores[1:], ranking.scores[1:])


def test_a_hide_wears_off_with_a_half_life_of_30_days() -> None:
    assert HALF_LIFE_SECONDS == 30 * 24 * 3600
    ranking = _ranking(50, by_hidden=1)
    fresh, month_old = (
        ranking.scores[0] - _after(ranking, _dislikes(1, age=age)).scores[0] for age in (0, HALF_LIFE_SECONDS)
    )
    assert month_old == pytest.approx(fresh / 2)


@pytest.mark.parametrize("explore", [False, True])
@pytest.mark.parametrize("dislikes", [_dislikes(2), _dislikes(1, weight=3.0)], ids=["two hides", "a report"])
@given(seed=st.integers(0, 1000), by_hidden=st.integers(1, 20))
def test_two_hides_or_a_report_keep_the_author_out_where_there_are_enough_others(
    dislikes: Dislikes, explore: bool, seed: int, by_hidden: int
) -> None:
    ranking = _ranking(ENOUGH_OTHERS + by_hidden, by_hidden=by_hidden, seed=seed, explore=explore)
    ranking = ranking._replace(dislikes=dislikes)
    slate, _ = rerank(ranking, reranking_rules(0.1, np.random.default_rng(seed)))
    assert HIDDEN_AUTHOR not in slate.candidates.author_ids[slate.rows]


def test_with_too_few_others_the_author_comes_last_rather_than_nobody() -> None:
    ranking = _ranking(ENOUGH_OTHERS, by_hidden=3)
    slate = _after(ranking, _dislikes(2))
    assert len(slate.rows) == ENOUGH_OTHERS
    assert set(slate.rows[-3:].tolist()) == {0, 1, 2}


def test_posts_seen_before_are_among_the_others_that_keep_a_slate_long_enough() -> None:
    ranking = _ranking(ENOUGH_OTHERS + 3, by_hidden=3)
    ranking = ranking._replace(rows=ranking.rows[:10], repeats=ranking.rows[10:])
    slate = _after(ranking, _dislikes(2))
    assert HIDDEN_AUTHOR not in slate.candidates.author_ids[np.concatenate([slate.rows, slate.repeats])]
    too_few = _after(ranking._replace(repeats=ranking.repeats[1:]), _dislikes(2))
    assert set(too_few.rows[-3:].tolist()) == {0, 1, 2}


def test_two_hides_of_a_season_ago_no_longer_keep_the_author_out() -> None:
    ranking = _ranking(60, by_hidden=3)
    assert len(_after(ranking, _dislikes(2, age=3 * HALF_LIFE_SECONDS)).rows) == 60


def test_a_topic_loses_less_than_an_author_and_many_hides_do_not_remove_it() -> None:
    ranking = _ranking(50, by_hidden=0)
    ranking = ranking._replace(candidates=_with(ranking.candidates, topics=[HIDDEN_TOPIC] * 50))
    spread = np.std(ranking.scores)
    assert (ranking.scores - _after(ranking, _dislikes(1)).scores) / spread == pytest.approx(np.full(50, TOPIC_LOSS))
    assert len(_after(ranking, _dislikes(40)).rows) == 50
    assert ((ranking.scores - _after(ranking, _dislikes(40)).scores) / spread).max() < AUTHOR_LOSS


def test_posts_without_a_topic_have_no_topic_in_common() -> None:
    ranking = _ranking(50, by_hidden=0)
    ranking = ranking._replace(candidates=_with(ranking.candidates, topics=[0] * 50))
    dislikes = replace(_dislikes(1), topic_ids=np.zeros(1, np.int64))
    assert np.array_equal(_after(ranking, dislikes).scores, ranking.scores)
    assert not dislike_flags(ranking.candidates, dislikes).any()


@pytest.mark.parametrize(("look", "alike"), [(LOOK, True), (LOOK ^ 0b111, True), (-1, False), (0, False)])
def test_what_looks_like_a_hidden_post_loses(look: int, alike: bool) -> None:
    ranking = _ranking(50, by_hidden=0)
    hashes = np.zeros(50, np.int64)
    hashes[0] = look
    ranking = ranking._replace(candidates=_with(ranking.candidates, hashes=hashes))
    slate = _after(ranking, _dislikes(1, look=LOOK))
    assert (slate.scores[0] < ranking.scores[0]) == alike


def test_a_look_that_is_not_known_is_like_no_other() -> None:
    ranking = _ranking(50, by_hidden=0)  # all looks are 0
    assert np.array_equal(_after(ranking, _dislikes(1, look=0b111)).scores, ranking.scores)


def test_equal_scores_still_let_a_hide_be_felt() -> None:
    ranking = _ranking(50, by_hidden=2)
    ranking = ranking._replace(scores=np.zeros(50))
    assert set(_after(ranking, _dislikes(1)).rows[-2:].tolist()) == {0, 1}


def test_repeats_are_lowered_too() -> None:
    ranking = _ranking(10, by_hidden=1)
    ranking = ranking._replace(rows=ranking.rows[:0], repeats=best_first(ranking.scores))
    assert _after(ranking, _dislikes(1)).repeats[0] != 0


def test_a_reason_never_says_that_somebody_likes_what_they_hid() -> None:
    candidates = _ranking(3, by_hidden=1).candidates
    candidates = _with(candidates, topics=[1, HIDDEN_TOPIC, 2])
    flags = dislike_flags(candidates, _dislikes(1))
    assert flags.tolist() == [BY_AUTHOR, OF_TOPIC, 0]
    often, topical = (0.9, 0.0, 0.0), (0.0, 0.9, 0.0)

    def why(features: tuple[float, float, float], disliked: int) -> str:
        given, name = reason(Source.FOLLOWING, features, "ana", "forest", followed=True, disliked=disliked)
        return given.sentence + name

    assert (why(often, 0), why(topical, 0)) == ("Because you often like @ana", "Because you like forest")
    assert why(often, BY_AUTHOR) == why(topical, OF_TOPIC) == "You follow @ana"


def test_nothing_to_rank_is_left_alone_whatever_was_hidden() -> None:
    nothing = _ranking(0, by_hidden=0)
    assert ShownLess().apply(nothing) is nothing


def _skips(count: int) -> Dislikes:
    return Dislikes.turned_away(
        {}, {SkippedPost(5000 + post, HIDDEN_AUTHOR, HIDDEN_TOPIC): NOW for post in range(count)}
    )


def test_an_unfollow_weighs_like_a_hide_of_the_author() -> None:
    ranking = _ranking(50, by_hidden=2)
    unfollowed = Dislikes.turned_away({HIDDEN_AUTHOR: NOW}, {})
    assert np.array_equal(_after(ranking, unfollowed).scores, _after(ranking, _dislikes(1)).scores)
    assert dislike_flags(ranking.candidates, unfollowed)[:3].tolist() == [BY_AUTHOR, BY_AUTHOR, 0]


def test_quick_skips_lower_an_author_less_than_a_hide_and_never_remove_them() -> None:
    ranking = _ranking(60, by_hidden=1)
    losses = [ranking.scores[0] - _after(ranking, skips).scores[0] for skips in (_skips(1), _skips(3), _skips(50))]
    assert 0 < losses[0] < losses[1] < losses[2] < ranking.scores[0] - _after(ranking, _dislikes(1)).scores[0]
    assert losses[2] == pytest.approx(AUTHOR_LOSS * LARGEST_SKIP_WEIGHT * np.std(ranking.scores))
    assert len(_after(ranking, _skips(50)).rows) == 60
    assert not dislike_flags(ranking.candidates, _skips(50)).any()  # a reason may say what one likes
    assert not _skips(3).post_ids.any()  # a skipped post may be shown again


def test_what_one_hid_and_turned_away_from_adds_up() -> None:
    both = _dislikes(1).followed_by(Dislikes.turned_away({HIDDEN_AUTHOR: NOW}, {}))
    assert both.weights.tolist() == [1.0, 1.0]
    assert len(_after(_ranking(60, by_hidden=2), both).rows) == 58
    assert len(Dislikes().followed_by(Dislikes.turned_away({}, {}))) == 0


def test_the_history_has_unfollows_and_skips_with_their_times() -> None:
    class Redis:
        async def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
            assert [name for name, *_ in commands] == ["ZREVRANGEBYSCORE", "SMEMBERS", "ZRANGE", "ZRANGE"]
            return [[b"1"], {b"2"}, [b"900", b"7.5"], [SkippedPost(5, 901, 70).member(), b"8.5"]]

    redis: Any = Redis()
    history = asyncio.run(HistoryReader(redis).read(11, NOW))
    assert (history.seen.tolist(), history.hidden.tolist()) == ([1], [2])
    assert history.dislikes.author_ids.tolist() == [900, 901]
    assert history.dislikes.topic_ids.tolist() == [0, 70]
    assert history.dislikes.seconds.tolist() == [7.5, 8.5]
