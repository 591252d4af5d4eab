"""Posts as members of Redis sorted sets, pools of them, and the score that orders trending posts."""

import pytest

from photofeed.explore_pools import join_members, posts_of_pools
from photofeed.posts import PostRef, author_of, decode_members
from photofeed.timelines import (
    TRENDING_HALF_LIFE_SECONDS,
    author_key,
    hidden_key,
    seen_key,
    timeline_key,
    trending_score,
)

FIRST = PostRef(11, 22, 33, 1_700_000_000_000, -5, is_reel=True)
SECOND = PostRef(2**62, 2**61, 0, 0)


def test_a_member_keeps_everything_except_the_time_which_is_its_score() -> None:
    assert len(FIRST.member()) == 33
    rows = decode_members([FIRST.member(), SECOND.member()])
    assert rows.tolist() == [(11, 22, 33, -5, True), (2**62, 2**61, 0, 0, False)]
    assert [author_of(post.member()) for post in (FIRST, SECOND)] == [22, 2**61]


def test_a_bare_post_is_the_member_that_engagement_events_write() -> None:
    assert FIRST.bare() == PostRef(11, 22, 33, 1_700_000_000_000)
    assert FIRST.bare().member() != FIRST.member()


def test_members_of_an_older_layout_are_left_out() -> None:
    assert decode_members([FIRST.member()[:-1], SECOND.member()])["post_id"].tolist() == [2**62]
    assert len(decode_members([])) == 0


def test_pools_are_read_one_after_the_other_without_missing_and_older_ones() -> None:
    one, two = join_members([FIRST.member()]), join_members([SECOND.member(), FIRST.member()])
    assert posts_of_pools(one, None, two[:-1], two)["post_id"].tolist() == [11, 2**62, 11]
    assert len(posts_of_pools(None)) == len(posts_of_pools()) == 0


def test_each_kind_of_key_is_a_person_s_own() -> None:
    assert [key(7) for key in (timeline_key, author_key, seen_key, hidden_key)] == [
        "tl:7",
        "author:7",
        "seen:7",
        "hidden:7",
    ]


def test_a_post_trends_like_one_with_twice_the_likes_a_half_life_earlier() -> None:
    later = 1_700_000_000.0
    earlier = later - TRENDING_HALF_LIFE_SECONDS
    assert trending_score(3.0, later) == pytest.approx(trending_score(6.0, earlier))
    assert trending_score(4.0, later) > trending_score(6.0, earlier)
    assert trending_score(0.0, later) < trending_score(0.001, later)
