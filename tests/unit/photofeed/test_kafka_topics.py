"""What is requested of a broker for the declared topics."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from kafka.admin import ConfigResource
from kafka.errors import IncompatibleBrokerVersion, InvalidReplicationFactorError
from structlog.testing import capture_logs

from ingestion.engagement.counted_events import REMEMBERED_FOR
from photofeed import kafka_topics
from photofeed.errors import RetryableError
from photofeed.kafka_topics import create_topics, new_topics, set_retention
from photofeed.settings import Settings
from photofeed.topics import ENGAGEMENT, LONGEST_SEGMENT, Topic, all_topics, dead_letters

DAY_MS = 86_400_000
SHORT = Topic("short", key="id", retention=timedelta(hours=1))
LONG = Topic("long", key="id", retention=timedelta(days=14))


class FakeAdmin:
    """A broker with these configurations, which answers alterations as it is given."""

    def __init__(self, configs: dict[str, dict[str, str]], answer: str = "OK") -> None:
        self.configs, self.answer = configs, answer
        self.is_closed = False
        self.altered: dict[str, dict[str, str]] = {}

    def describe_configs(self, resources: Sequence[ConfigResource], *, config_filter: str) -> Any:
        assert config_filter == "all"
        found = {
            resource.name: {name: {"value": value} for name, value in self.configs[resource.name].items()}
            for resource in resources
        }
        return {"topic": found}

    def alter_configs(self, resources: Sequence[ConfigResource], *, raise_on_unknown: bool) -> Any:
        assert not raise_on_unknown
        self.altered = {resource.name: resource.configs for resource in resources}
        return {"topic": {resource.name: self.answer for resource in resources}}

    def list_topics(self) -> list[str]:
        return list(self.configs)

    def create_topics(self, topics: dict[str, Any]) -> None:
        raise InvalidReplicationFactorError(f"{next(iter(topics.values()))['replication_factor']} above 1 broker")

    def close(self) -> None:
        self.is_closed = True


class OldAdmin(FakeAdmin):
    """A broker that cannot alter configurations."""

    def alter_configs(self, resources: Sequence[ConfigResource], *, raise_on_unknown: bool) -> Any:
        raise IncompatibleBrokerVersion(f"{len(resources)} {raise_on_unknown}")


def test_topics_are_created_with_what_they_declare() -> None:
    topic = Topic("a", key="id", partitions=5, retention=timedelta(days=2), replication=2)
    assert new_topics([topic, Topic("b", key="id")], None) == {
        "a": {
            "num_partitions": 5,
            "replication_factor": 2,
            "configs": {"retention.ms": str(2 * DAY_MS), "segment.ms": str(DAY_MS // 2)},
        },
        "b": {
            "num_partitions": 4,
            "replication_factor": -1,
            "configs": {"retention.ms": str(7 * DAY_MS), "segment.ms": str(DAY_MS // 2)},
        },
    }


def test_a_setting_overrides_the_replication_of_every_topic() -> None:
    requested = new_topics([*all_topics(), Topic("a", key="id", replication=2)], 3)
    assert {request["replication_factor"] for request in requested.values()} == {3}


def test_the_broker_decides_on_replicas_unless_told_otherwise() -> None:
    requested = new_topics(all_topics(), None)
    assert {request["replication_factor"] for request in requested.values()} == {-1}


def test_dead_letters_are_kept_longer_than_the_messages_of_their_topic() -> None:
    retention = {topic.name: topic.retention for topic in all_topics()}
    assert retention[dead_letters(ENGAGEMENT.name, "features")] > retention[ENGAGEMENT.name]


def test_event_ids_are_remembered_longer_than_the_log_keeps_the_events() -> None:
    assert ENGAGEMENT.retention + LONGEST_SEGMENT < REMEMBERED_FOR


def test_only_topics_with_another_retention_are_altered() -> None:
    admin = FakeAdmin({"short": {}, "long": dict(LONG.configs)})
    set_retention(admin, [SHORT, LONG])
    assert admin.altered == {"short": {"retention.ms": "3600000", "segment.ms": "3600000"}}
    admin = FakeAdmin({"short": dict(SHORT.configs), "long": LONG.configs | {"retention.ms": "-1"}})
    set_retention(admin, [SHORT, LONG])
    assert admin.altered == {"long": LONG.configs}


def test_a_broker_that_refuses_a_retention_is_an_error_that_names_topic_and_reason() -> None:
    with pytest.raises(RetryableError, match=r"short: .*TopicAuthorizationFailed"):
        set_retention(FakeAdmin({"short": {}}, "TopicAuthorizationFailedError"), [SHORT])


def test_a_broker_that_cannot_alter_topics_is_reported_and_used() -> None:
    with capture_logs() as logs:
        set_retention(OldAdmin({"short": {}}), [SHORT])
    (line,) = logs
    assert (line["log_level"], line["topics"]) == ("warning", ["short"])


def test_more_replicas_than_brokers_is_an_error_with_the_reason_of_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = FakeAdmin({})
    monkeypatch.setattr(kafka_topics, "KafkaAdminClient", lambda **_: admin)
    with pytest.raises(RetryableError, match="3 above 1 broker"):
        create_topics(Settings(kafka_replication=3), [SHORT])
    assert admin.is_closed
