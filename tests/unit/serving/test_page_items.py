"""The items of a page are written as text: they must be what an encoder would write of the declared shape."""

import asyncio
from typing import Any

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from photofeed.settings import Settings
from serving.api.schemas import FeedItem, Post
from serving.feed.page_items import items_json
from serving.feed.reasons import HOT_LIKES, reason
from serving.feed.slate import SlateItems
from serving.feed.source_table import SOURCES
from serving.image_addresses import ImageAddresses
from serving.posts import Posts, VisiblePost
from serving.reads import Reads, Row, Statement

VIEWER, FIRST_POST = 7, 914996317942472745
PICTURE = {"width": 40, "height": 30, "blurhash": None, "dominantColor": "#9f4938", "images": [[150, 150, 112]]}
TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(['"\\/', "\x00\x1f\x7f\n\t", "%b{0}</", "\U0001f30a\u2028é"]))
NAMES = st.one_of(st.just("sea"), TEXTS)  # of authors and topics; a topic may be empty
POSTS = st.tuples(NAMES, NAMES, TEXTS, st.booleans(), st.booleans())  # handle, topic, caption, followed, private
SCORES = st.floats(width=64)
RANKED = st.tuples(
    st.sampled_from(SOURCES),
    SCORES,
    st.tuples(*[st.sampled_from([0.0, HOT_LIKES])] * 3),  # each enough for its reason
    st.integers(0, 3),
)
ITEMS = st.lists(st.tuples(POSTS, RANKED), max_size=4)


class _Rows(Reads):
    def __init__(self, posts: list[tuple[Any, ...]]) -> None:
        self._posts = posts

    async def rows(self, statement: Statement, **arguments: object) -> list[Row]:  # noqa: ARG002  any statement
        return [_row(FIRST_POST + number, *post) for number, post in enumerate(self._posts)]


def _row(post_id: int, handle: str, topic: str, caption: str, followed: bool, is_private: bool) -> Row:
    content = [post_id, 5, handle, "Ann", None, caption, "", [topic], topic, "photo", "2026-11-29T21:48:42+00:00"]
    return (post_id, orjson.dumps([*content, PICTURE]).decode(), 39, 0, 1, True, False, followed, is_private)


def _posts(posts: list[tuple[Any, ...]]) -> dict[int, VisiblePost]:
    images = ImageAddresses(Settings(env="dev"), clock=lambda: 1_790_000_000.0)
    return asyncio.run(Posts(_Rows(posts), images).for_feed(VIEWER, []))


def _slate_items(ranked: list[tuple[Any, ...]]) -> SlateItems:
    count = len(ranked)
    return SlateItems(
        np.arange(FIRST_POST, FIRST_POST + count),
        np.zeros(count, np.int64),
        np.array([source for source, *_ in ranked], np.int8),
        np.array([score for _, score, *_ in ranked], np.float64),
        np.ones(count),
        np.array([disliked for *_, disliked in ranked], np.int8),
        np.array([features for _, _, features, _ in ranked], np.float32).reshape(count, 3),
        np.empty((count, 0), np.float32),
    )


def _members(shape: type[BaseModel]) -> list[str]:
    return [member.alias or name for name, member in shape.model_fields.items()]


@given(st.integers(0, 200), ITEMS)
def test_items_are_the_bytes_of_an_encoder(first: int, chosen: list[tuple[Any, ...]]) -> None:
    posts = _posts([post for post, _ in chosen])
    expected = []
    for position, ((handle, topic, _, followed, _), (source, score, features, disliked)) in enumerate(chosen, first):
        why, name = reason(source, features, handle, topic, followed=followed, disliked=disliked)
        values = (position, source.label, score, why.sentence + name, why.code, f"receipt {position}")
        post = posts[FIRST_POST + position - first].fragment
        expected.append(dict(zip(_members(FeedItem), (*values, post), strict=True)))
    receipts = [item["receipt"] for item in expected]
    assert items_json(first, _slate_items([ranked for _, ranked in chosen]), posts, receipts) == orjson.dumps(expected)


@given(st.lists(POSTS, min_size=1, max_size=3))
def test_posts_have_the_declared_members_and_the_bytes_of_an_encoder(chosen: list[tuple[Any, ...]]) -> None:
    for post, (handle, topic, caption, followed, _) in zip(_posts(chosen).values(), chosen, strict=True):
        shown = orjson.loads(post.json)
        assert Post.model_validate(shown)
        assert [*shown] == _members(Post)
        assert post.json == orjson.dumps(shown)
        assert (shown["author"]["handle"], shown["topic"], shown["caption"]) == (handle, topic, caption)
        assert (shown["author"]["followedByMe"], post.followed) == (followed, followed)
