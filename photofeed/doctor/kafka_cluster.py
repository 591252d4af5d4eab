"""Kafka: topics, partitions, retention and replicas."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from kafka.admin import ConfigResource, KafkaAdminClient
from kafka.errors import KafkaError

from photofeed.doctor.finding import Finding, first_line, ok, wrong
from photofeed.errors import InvalidError
from photofeed.kafka_access import check_access
from photofeed.kafka_client import BOOTSTRAP_MS, connection_options
from photofeed.settings import Settings
from photofeed.topics import Topic, all_topics

FEWEST_REPLICAS = 2
"""Outside env=dev, unless PHOTOFEED_KAFKA_REPLICATION asks for more."""

_MIN_IN_SYNC = "min.insync.replicas"
_SETUP = "run `photofeed setup`"


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What the cluster says about a topic.

    Attributes:
        replicas: of each partition.
        in_sync: replicas of each partition that have all its messages.
        configs: settings of the topic, as the broker writes them.
    """

    replicas: Sequence[int]
    in_sync: Sequence[int]
    configs: Mapping[str, str | None] = field(default_factory=dict)


def kafka_cluster(settings: Settings) -> Iterator[Finding]:
    """Check Kafka."""
    yield from cluster_with(settings, all_topics())


def cluster_with(settings: Settings, topics: Sequence[Topic]) -> Iterator[Finding]:
    """Check that Kafka answers and has these topics as they are declared."""
    try:
        check_access(settings)
        with closing(KafkaAdminClient(**connection_options(settings), bootstrap_timeout_ms=BOOTSTRAP_MS)) as admin:
            facts = _facts(admin, [topic.name for topic in topics])
    except InvalidError as error:
        yield wrong("kafka.access", first_line(error), "")
        return
    except KafkaError as error:
        yield wrong(
            "kafka.connection", first_line(error), "start the broker, or correct PHOTOFEED_KAFKA_BOOTSTRAP_SERVERS"
        )
        return
    yield from topics_as_declared(settings, topics, facts)


def _facts(admin: Any, names: Sequence[str]) -> dict[str, TopicFacts]:
    existing = set(admin.list_topics())
    wanted = [name for name in names if name in existing]
    if not wanted:
        return {}
    described = admin.describe_configs([ConfigResource("TOPIC", name) for name in wanted], config_filter="all")
    configs = described.get("topic", {})
    return {
        one["name"]: TopicFacts(
            [len(partition["replica_nodes"]) for partition in one["partitions"]],
            [len(partition["isr_nodes"]) for partition in one["partitions"]],
            {name: config["value"] for name, config in configs.get(one["name"], {}).items()},
        )
        for one in admin.describe_topics(wanted)
    }


def topics_as_declared(
    settings: Settings, topics: Sequence[Topic], facts: Mapping[str, TopicFacts]
) -> Iterator[Finding]:
    """Compare topics of the cluster with their declarations."""
    missing = [topic.name for topic in topics if topic.name not in facts]
    if missing:
        yield wrong("kafka.topics", f"missing: {', '.join(missing)}", _SETUP)
    else:
        yield ok("kafka.topics", f"{len(topics)} topics exist")
    there = [topic for topic in topics if topic.name in facts]
    for topic in there:
        yield from _partitions(topic, facts[topic.name])
        yield from _retention(topic, facts[topic.name])
    yield from _replicas(settings, there, facts)


def _partitions(topic: Topic, facts: TopicFacts) -> Iterator[Finding]:
    if len(facts.replicas) < topic.partitions:
        yield wrong(
            "kafka.partitions",
            f"{topic.name} has {len(facts.replicas)} partitions, {topic.partitions} are declared",
            f"stop what writes to it, and run kafka-topics.sh --alter --topic {topic.name} --partitions"
            f" {topic.partitions}",
        )


def _retention(topic: Topic, facts: TopicFacts) -> Iterator[Finding]:
    different = [
        f"{name}={facts.configs[name]} instead of {value}"
        for name, value in topic.configs.items()
        if facts.configs.get(name) not in {value, None}
    ]
    if different:
        yield wrong("kafka.retention", f"{topic.name} has {', '.join(different)}", _SETUP)


def _replicas(settings: Settings, topics: Sequence[Topic], facts: Mapping[str, TopicFacts]) -> Iterator[Finding]:
    """Topics that can lose messages; what is wrong with many is one finding."""
    found: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for topic in topics:
        for fault in _losses(settings, topic, facts[topic.name]):
            found[fault].append(topic.name)
    for (name, text, mend), names in found.items():
        yield wrong(name, f"{text}: {', '.join(names)}", mend)


def _losses(settings: Settings, topic: Topic, facts: TopicFacts) -> Iterator[tuple[str, str, str]]:
    """Name, text and remedy of how a topic can lose messages."""
    wanted = settings.kafka_replication or topic.replication or (1 if settings.env == "dev" else FEWEST_REPLICAS)
    fewest = min(facts.replicas, default=0)
    if fewest < wanted:
        yield (
            "kafka.replication",
            f"replicas={fewest}, and {wanted} are needed",
            "add replicas with kafka-reassign-partitions.sh",
        )
    if any(here < copies for here, copies in zip(facts.in_sync, facts.replicas, strict=True)):
        yield "kafka.in_sync", "replicas are behind", "start the missing brokers"
    least = int(facts.configs.get(_MIN_IN_SYNC) or 1)
    if wanted > 1 and least < FEWEST_REPLICAS:
        yield (
            "kafka.min_in_sync",
            f"{_MIN_IN_SYNC}={least}, so one broker that dies can take acknowledged messages with it",
            f"set {_MIN_IN_SYNC}={FEWEST_REPLICAS} on the topic or the cluster",
        )
