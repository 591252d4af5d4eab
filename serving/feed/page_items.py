"""The items of a page as clients see them: `schemas.FeedItem`, written in one pass.

A page has thirty items of parts that are JSON already. Dicts of them, and an encoder, would take three times as long.
"""

from collections.abc import Mapping, Sequence

import orjson

from serving.feed.reasons import reason
from serving.feed.slate import SlateItems
from serving.posts import VisiblePost


def items_json(first: int, items: SlateItems, posts: Mapping[int, VisiblePost], receipts: Sequence[str]) -> bytes:
    """The JSON array of the posts of a page, with their receipts.

    Args:
        first: the position of the first post.
        items: the page's part of its slate, n posts.
        posts: by id; those of `items` and maybe others.
        receipts: n.
    """
    columns = (
        items.post_ids.tolist(),
        items.each_source,
        _numbers(items.scores.tolist()),
        items.reasons.tolist(),
        items.disliked.tolist(),
        receipts,
    )
    page: list[bytes] = []
    separator = b"["
    for position, (post_id, source, score, values, disliked, receipt) in enumerate(zip(*columns, strict=True), first):
        post = posts[post_id]
        why, name = reason(source, values, post.author, post.topic, followed=post.followed, disliked=disliked)
        head = (
            f'{{"position":{position},"source":"{source.label}","score":{score},"reason":"{why.sentence}{name}",'
            f'"reasonCode":"{why.code}","receipt":"{receipt}","post":'
        )
        page += (separator, head.encode(), *post.parts)
        separator = b"},"
    return b"".join((*page, b"}]")) if page else b"[]"


def _numbers(values: list[float]) -> list[str]:
    """The JSON of each number; that of NaN is null."""
    return orjson.dumps(values)[1:-1].decode().split(",") if values else []
