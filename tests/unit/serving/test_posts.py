"""The JSON of posts, byte for byte: what a process keeps of them is never older than what PostgreSQL says."""

import asyncio
from typing import Any

import orjson
import pytest

from photofeed.settings import Settings
from serving.image_addresses import ImageAddresses
from serving.posts import Posts, VisiblePost
from serving.reads import Reads, Row, Statement

VIEWER, POST = 7, 914996317942472745
PICTURE = {"width": 40, "height": 30, "blurhash": "L%I", "dominantColor": "#9f4938"}
PICTURE["images"] = [[320, 320, 240], [150, 150, 112]]
CONTENT: dict[str, Any] = {
    "id": POST,
    "author_id": 833821990740560264,
    "handle": "ann",
    "display_name": 'Ann "A" Ü',
    "avatar_id": 914996317942472700,
    "caption": "100 % sea\n\U0001f30a",
    "alt_text": "",
    "tags": ["sea", "light"],
    "topic": "sea",
    "content_type": "photo",
    "posted_at": "2026-11-29T21:48:42.07+00:00",
    "picture": PICTURE,
}
PUBLIC = (
    '{"id":"15agxI1cjP7","author":{"id":"0zaudjpiz6m","handle":"ann","displayName":"Ann \\"A\\" Ü",'
    '"avatarUrl":"http://127.0.0.1:8000/photos/15agxI1cjOO/320","followedByMe":true},'
    '"caption":"100 % sea\\n\U0001f30a","altText":"","tags":["sea","light"],"topic":"sea","contentType":"photo",'
    '"postedAt":"2026-11-29T21:48:42.070Z","width":40,"height":30,"blurhash":"L%I","dominantColor":"#9f4938",'
    '"images":{"150":{"url":"http://127.0.0.1:8000/photos/15agxI1cjP7/150","width":150,"height":112},'
    '"320":{"url":"http://127.0.0.1:8000/photos/15agxI1cjP7/320","width":320,"height":240}},'
    '"likeCount":39,"commentCount":2,"saveCount":1,"likedByMe":true,"savedByMe":false}'
)
SIGNED = "?s=4ImyagcAAAAAAAAA_7c7e2BoZcY_r5AD2X26qw"  # by the development secret, for VIEWER


class _OneRow(Reads):
    """Answers each statement with one row, which tests change."""

    def __init__(self) -> None:
        self.content = dict(CONTENT)
        self.reactions = {"likes": 39, "comments": 2, "saves": 1, "liked": True, "saved": False, "followed": True}
        self.is_private = False

    async def rows(self, statement: Statement, **arguments: object) -> list[Row]:  # noqa: ARG002  any statement
        content = orjson.dumps([*self.content.values()]).decode()
        return [(self.content["id"], content, *self.reactions.values(), self.is_private)]


@pytest.fixture
def table() -> _OneRow:
    return _OneRow()


@pytest.fixture
def posts(table: _OneRow) -> Posts:
    return Posts(table, ImageAddresses(Settings(env="dev"), clock=lambda: 1_790_000_000.0))


def read(posts: Posts) -> VisiblePost:
    return asyncio.run(posts.for_feed(VIEWER, [POST]))[POST]


def json(posts: Posts) -> str:
    return read(posts).json.decode()


def test_a_post_has_the_same_bytes_whether_it_is_kept_or_not(posts: Posts) -> None:
    assert [json(posts), json(posts)] == [PUBLIC, PUBLIC]


def test_images_of_a_private_account_are_signed_for_the_viewer(posts: Posts, table: _OneRow) -> None:
    json(posts)
    table.is_private = True
    assert json(posts) == PUBLIC.replace('/150",', f'/150{SIGNED}",').replace('P7/320",', f'P7/320{SIGNED}",')


@pytest.mark.parametrize(
    ("column", "value", "name"),
    [
        ("likes", 40, "likeCount"),
        ("comments", 0, "commentCount"),
        ("saves", 2, "saveCount"),
        ("liked", False, "likedByMe"),
        ("saved", True, "savedByMe"),
    ],
)
def test_counts_and_reactions_are_of_the_moment(
    posts: Posts, table: _OneRow, column: str, value: int, name: str
) -> None:
    json(posts)
    table.reactions[column] = value
    assert orjson.loads(json(posts)) == orjson.loads(PUBLIC) | {name: value}


@pytest.mark.parametrize(
    ("column", "value", "name"),
    [("caption", "Calm", "caption"), ("alt_text", "A lake", "altText"), ("tags", [], "tags")],
)
def test_edits_show_at_once(posts: Posts, table: _OneRow, column: str, value: object, name: str) -> None:
    json(posts)
    table.content[column] = value
    assert orjson.loads(json(posts)) == orjson.loads(PUBLIC) | {name: value}


@pytest.mark.parametrize(
    ("column", "value", "name", "shown"),
    [
        ("display_name", "Ann", "displayName", "Ann"),
        ("avatar_id", None, "avatarUrl", None),
    ],
)
def test_changes_of_the_author_show_at_once(
    posts: Posts, table: _OneRow, column: str, value: object, name: str, shown: object
) -> None:
    author = orjson.loads(json(posts))["author"]
    table.content[column] = value
    assert orjson.loads(json(posts))["author"] == author | {name: shown}


def test_a_follow_shows_at_once(posts: Posts, table: _OneRow) -> None:
    json(posts)
    table.reactions["followed"] = False
    assert json(posts) == PUBLIC.replace('"followedByMe":true', '"followedByMe":false')
    assert not read(posts).followed
