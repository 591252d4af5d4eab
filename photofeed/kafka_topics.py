"""Creates the declared topics on the broker, and sets the retention of topics that exist."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from kafka.admin import ConfigResource, KafkaAdminClient
from kafka.errors import IncompatibleBrokerVersion, KafkaError

from photofeed.errors import RetryableError
from photofeed.kafka_access import check_access
from photofeed.kafka_client import connection_options
from photofeed.settings import Settings
from photofeed.topics import Topic

log = structlog.get_logger(__name__)

_BROKER_DEFAULT = -1
_APPLIED = "OK"  # how kafka-python reports a configuration that the broker took


def create_topics(settings: Settings, topics: Sequence[Topic]) -> None:
    """Create the topics that are missing, and set the retention of those that exist. It may be repeated.

    Partitions and replicas of a topic that exists stay as they are: more partitions would break the order of messages
    with one key, and replicas are moved by the tools of the cluster.

    Raises:
        InvalidError: the brokers refuse the certificates or the login of the settings.
        RetryableError: the broker does not answer, or refuses a topic or its retention.
    """
    check_access(settings)
    try:
        admin: Any = KafkaAdminClient(**connection_options(settings))
        try:
            existing = set(admin.list_topics())
            missing = [topic for topic in topics if topic.name not in existing]
            if missing:
                admin.create_topics(new_topics(missing, settings.kafka_replication))
                log.info("topics created", topics=[topic.name for topic in missing])
            set_retention(admin, [topic for topic in topics if topic.name in existing])
        finally:
            admin.close()
    except KafkaError as error:
        protocol = f"PHOTOFEED_KAFKA_SECURITY_PROTOCOL={settings.kafka_security_protocol}"
        raise RetryableError(f"Kafka did not create the topics, with {protocol}: {error}") from error


def new_topics(topics: Sequence[Topic], replication: int | None) -> dict[str, dict[str, Any]]:
    """The request to create topics, by name; `replication` overrides what they declare unless it is None."""
    return {
        topic.name: {
            "num_partitions": topic.partitions,
            "replication_factor": replication or topic.replication or _BROKER_DEFAULT,
            "configs": topic.configs,
        }
        for topic in topics
    }


def set_retention(admin: Any, topics: Sequence[Topic]) -> None:
    """Set the retention of topics that exist, where the broker has another one than they declare.

    A broker that cannot change the configuration of a topic is reported in the log: how long it keeps messages is then
    up to its operators.

    Raises:
        RetryableError: the broker refuses.
    """
    declared = {topic.name: topic.configs for topic in topics}
    try:
        applied = _configs(admin, declared)
        changes = {name: configs for name, configs in declared.items() if applied.get(name) != configs}
        answers = _alter(admin, changes) if changes else {}
    except IncompatibleBrokerVersion as error:
        log.warning("broker cannot set the retention of existing topics", topics=list(declared), error=str(error))
        return
    refused = {name: answer for name, answer in answers.items() if answer != _APPLIED}
    if refused:
        reasons = "; ".join(f"{name}: {answer}" for name, answer in refused.items())
        raise RetryableError(f"Kafka did not set the retention of topics ({reasons})")
    if changes:
        log.info("retention of topics set", topics=list(changes))


def _configs(admin: Any, declared: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str | None]]:
    """What the broker has for the declared settings, by topic."""
    # all settings: the embedded broker closes the connection if it is asked for some by name
    resources = [ConfigResource("TOPIC", name) for name in declared]
    described = admin.describe_configs(resources, config_filter="all").get("topic", {})
    return {
        name: {key: found[key]["value"] for key in declared[name] if key in found} for name, found in described.items()
    }


def _alter(admin: Any, changes: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The broker's answer for each topic."""
    resources = [ConfigResource("TOPIC", name, configs=dict(configs)) for name, configs in changes.items()]
    # kafka-python would check names against the settings that the broker lists, and some list only those that are set
    answers: dict[str, str] = admin.alter_configs(resources, raise_on_unknown=False).get("topic", {})
    return answers
