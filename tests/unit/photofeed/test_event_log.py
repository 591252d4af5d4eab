from typing import Any

import kafka
import pytest

from photofeed import topics
from photofeed.event_log import KafkaGroupConsumer
from photofeed.settings import Settings
from photofeed.topics import SUBSCRIPTIONS


class NoBroker:
    """Takes the place of kafka-python's consumer, and keeps the options."""

    options: dict[str, Any]

    def __init__(self, **options: Any) -> None:
        NoBroker.options = options

    def subscribe(self, *_: Any, **__: Any) -> None:
        pass


@pytest.mark.parametrize("group", SUBSCRIPTIONS)
def test_only_groups_that_somebody_waits_for_ask_often(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "KafkaConsumer", NoBroker)
    KafkaGroupConsumer(Settings(env="dev"), group, SUBSCRIPTIONS[group])
    hurried = {topics.PHOTOS_GROUP, topics.FEATURES_GROUP, topics.FANOUT_GROUP}
    assert NoBroker.options["fetch_max_wait_ms"] == (100 if group in hurried else 500)
    assert NoBroker.options["group_id"] == group
    assert NoBroker.options["enable_auto_commit"] is False
