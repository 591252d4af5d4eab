from typing import Any, ClassVar

import kafka
import pytest
from kafka.errors import KafkaConnectionError

from photofeed import topics
from photofeed.errors import UnavailableError
from photofeed.event_log import KafkaGroupConsumer, KafkaGroupOffsets
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


class LosesBroker:
    """Takes the place of kafka-python's consumer. The first one has lost its broker for good."""

    made: ClassVar[list["LosesBroker"]]

    def __init__(self, **_: Any) -> None:
        self.made.append(self)
        self.is_open = True

    def partitions_for_topic(self, _: str) -> set[int]:
        if len(self.made) == 1:
            raise KafkaConnectionError("lost")
        return {0}

    def end_offsets(self, partitions: list[Any], **_: Any) -> dict[Any, int]:
        return dict.fromkeys(partitions, 9)

    def committed(self, _: Any, **__: Any) -> int:
        return 4

    def close(self, **_: Any) -> None:
        self.is_open = False


def test_offsets_are_read_on_a_new_connection_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LosesBroker, "made", [], raising=False)
    monkeypatch.setattr(kafka, "KafkaConsumer", LosesBroker)
    offsets = KafkaGroupOffsets(Settings(env="dev"), "g", [topics.ENGAGEMENT])
    with pytest.raises(UnavailableError, match="lost"):
        offsets.read()
    assert offsets.read() == {(topics.ENGAGEMENT.name, 0): (4, 9)}
    assert [one.is_open for one in LosesBroker.made] == [False, True]
