"""Content features of posts that became ready."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from photofeed.posts import PublishedPost


def post_content_columns(posts: Sequence[PublishedPost], now: datetime) -> dict[str, Any]:
    """Rows of the view `post_content` as columns. Imported posts count as known since they were posted."""
    moments = [post.posted_at for post in posts]

    def numbers(values: list[float]) -> Any:
        return np.array(values, dtype=np.float32)

    return {
        "post_id": np.array([post.ref.post_id for post in posts], dtype=np.int64),
        "author_id": np.array([post.ref.author_id for post in posts], dtype=np.int64),
        "topic_id": np.array([post.ref.topic_id for post in posts], dtype=np.int64),
        "posted_at": np.array([post.ref.posted_ms * 1000 for post in posts], dtype=np.int64),
        "is_reel": numbers([float(post.content_type == "reel") for post in posts]),
        "aspect": numbers([post.aspect for post in posts]),
        "sharpness": numbers([post.sharpness for post in posts]),
        "brightness": numbers([post.brightness for post in posts]),
        "entropy": numbers([post.entropy for post in posts]),
        "caption_length": numbers([float(post.caption_length) for post in posts]),
        "tag_count": numbers([float(post.tag_count) for post in posts]),
        "event_timestamp": moments,
        "created": [moment if post.imported else now for post, moment in zip(posts, moments, strict=True)],
    }
