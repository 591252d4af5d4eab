"""`photofeed features list` on a real registry."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import redis

from photofeed.feature_store import load_manifest
from photofeed.object_store import S3ObjectStore
from photofeed.online_store import PackedWriter
from tests.command_line import photofeed

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack


def _run(state_dir: Path, *arguments: str) -> str:
    done = photofeed(*arguments, PHOTOFEED_STATE_DIR=state_dir)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_list_describes_every_feature_and_the_freshness_of_its_view(stack: "EmbeddedStack") -> None:
    settings = stack.settings()
    _run(settings.state_dir, "setup")
    applied = load_manifest(settings, S3ObjectStore.connect(settings))
    topic = applied.view("user_topic").schema
    noon_us = 1_772_366_400_000_000
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client, client.pipeline() as pipeline:
        entities = {"user_id": np.array([2**61, 2**61]), "topic_id": np.array([1, 2])}
        values = np.zeros(2, topic.values_dtype)
        PackedWriter(topic).write(pipeline, entities, values, np.array([noon_us, noon_us - 1]))
        pipeline.execute()
    views = {view["name"]: view for view in json.loads(_run(settings.state_dir, "features", "list", "--json"))}
    assert set(views) >= {view.name for view in applied.views}
    assert all(view["owner"] and view["description"] for view in views.values())
    assert all(feature["unit"] and feature["description"] for view in views.values() for feature in view["features"])
    assert views["user_topic"]["newestEvent"] >= "2026-03-01T12:00:00+00:00"
    assert views["user_topic"]["services"] == ["feed_ranker_v1"]
    text = _run(settings.state_dir, "features", "list")
    assert "user_topic  by topic_id, user_id; owner ranking, served by feed_ranker_v1" in text
