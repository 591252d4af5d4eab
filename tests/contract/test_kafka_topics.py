"""Topics on the broker have what they declare."""

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from kafka.admin import ConfigResource, KafkaAdminClient, NewTopic

from photofeed.kafka_client import connection_options
from photofeed.kafka_topics import create_topics
from photofeed.topics import Topic, all_topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from photofeed.embedded.stack import EmbeddedStack
    from photofeed.settings import Settings


@pytest.fixture
def settings(stack: "EmbeddedStack") -> "Settings":
    return stack.settings()


@pytest.fixture
def admin(settings: "Settings") -> "Iterator[Any]":
    admin = KafkaAdminClient(**connection_options(settings))
    yield admin
    admin.close()


@pytest.fixture
def topic() -> Topic:
    return Topic(f"topics-{uuid.uuid4().hex[:8]}", key="id", partitions=3, retention=timedelta(hours=36))


def _configs(admin: Any, topic: Topic) -> dict[str, str]:
    described = admin.describe_configs([ConfigResource("TOPIC", topic.name)], config_filter="all")["topic"]
    return {name: config["value"] for name, config in described[topic.name].items() if name in topic.configs}


def test_a_new_topic_has_its_partitions_and_retention(settings: "Settings", admin: Any, topic: Topic) -> None:
    create_topics(settings, [topic])
    (described,) = admin.describe_topics([topic.name])
    assert len(described["partitions"]) == topic.partitions
    assert _configs(admin, topic) == {"retention.ms": "129600000", "segment.ms": "43200000"}


def test_a_topic_of_an_older_release_gets_its_retention(settings: "Settings", admin: Any, topic: Topic) -> None:
    admin.create_topics([NewTopic(topic.name, num_partitions=1, replication_factor=1)])
    create_topics(settings, [topic])
    assert _configs(admin, topic) == topic.configs
    longer = replace(topic, retention=timedelta(days=30))
    create_topics(settings, [longer])
    assert _configs(admin, topic) == longer.configs
    (described,) = admin.describe_topics([topic.name])
    assert len(described["partitions"]) == 1


def test_all_topics_can_be_created_more_than_once(settings: "Settings", admin: Any) -> None:
    for _ in range(2):
        create_topics(settings, all_topics())
    assert {topic.name: _configs(admin, topic) for topic in all_topics()} == {
        topic.name: topic.configs for topic in all_topics()
    }
