"""Consumer groups as the broker knows them: their members, and the messages that they have not committed."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from photofeed.errors import UnavailableError
from photofeed.event_log import KafkaGroupOffsets
from photofeed.kafka_client import BOOTSTRAP_MS, connection_options
from photofeed.settings import Settings
from photofeed.topics import PURGE_GROUP, SUBSCRIPTIONS, Topic


@dataclass(frozen=True, slots=True)
class GroupState:
    """A consumer group.

    Attributes:
        members: workers that the broker counts as alive.
        lags: topic -> messages that the group has not committed.
    """

    group: str
    members: int
    lags: Mapping[str, int]


def groups_without_workers(settings: Settings) -> frozenset[str]:
    """Groups that need no worker with these settings: the messages of their topics may wait for ever."""
    return frozenset() if settings.cdn_purge_url else frozenset({PURGE_GROUP})


def group_states(settings: Settings) -> list[GroupState]:
    """All groups that need workers.

    Raises:
        UnavailableError: the brokers do not answer.
    """
    idle = groups_without_workers(settings)
    wanted = {group: topics for group, topics in SUBSCRIPTIONS.items() if group not in idle}
    members = _members(settings, list(wanted))
    with ThreadPoolExecutor(len(wanted)) as pool:
        lags = pool.map(lambda group: _lags(settings, group, wanted[group]), wanted)
        return [GroupState(group, members.get(group, 0), lag) for group, lag in zip(wanted, lags, strict=True)]


def _lags(settings: Settings, group: str, topics: Sequence[Topic]) -> dict[str, int]:
    with closing(KafkaGroupOffsets(settings, group, topics)) as offsets:
        found = offsets.read()
    return {
        topic.name: sum(max(0, end - done) for (name, _), (done, end) in found.items() if name == topic.name)
        for topic in topics
    }


def _members(settings: Settings, groups: Sequence[str]) -> dict[str, int]:
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415  slow to import
    from kafka.errors import KafkaError  # noqa: PLC0415

    class Admin(KafkaAdminClient):  # type: ignore[misc]  # kafka-python has no types
        def _process_acl_operations(self, described: Any) -> Any:
            """Left as they are: kafka-python raises for operations that it does not know, and nobody reads them."""
            return described

    try:
        with closing(Admin(**connection_options(settings), bootstrap_timeout_ms=BOOTSTRAP_MS)) as admin:
            described = admin.describe_groups(list(groups))
    except KafkaError as error:
        raise UnavailableError(f"the event log does not describe its groups: {error}") from error
    return {name: len(group["members"]) for name, group in described.items()}
