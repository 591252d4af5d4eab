"""How many messages a consumer group has not committed, measured beside its consumer."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from prometheus_client import Gauge

from ingestion.progress import Progress
from photofeed.errors import UnavailableError
from photofeed.event_log import Offsets
from photofeed.topics import Topic

log = structlog.get_logger(__name__)

LAG = Gauge("photofeed_worker_lag", "Messages of a topic that a group has not committed", ["group", "topic"])

MEASURE_SECONDS = 10.0


class GroupOffsets(Protocol):
    """Reads the offsets of a group without being its member."""

    def read(self) -> Mapping[tuple[str, int], tuple[int, int]]:
        """(topic, partition) -> (committed offset, end of the log).

        Raises:
            UnavailableError: the log does not answer.
        """

    def close(self) -> None:
        """Close the connections."""


@dataclass(slots=True)
class LagMeter:
    """Reports to the progress of a member whether the messages of its partitions are committed.

    A member without partitions is compared with the whole group, which may be unable to form.
    """

    group: str
    topics: Sequence[Topic]
    offsets: GroupOffsets
    progress: Progress
    assigned: Callable[[], frozenset[tuple[str, int]]]
    _committed: Offsets = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        """Measure until `stop` is set."""
        try:
            while not stop.wait(MEASURE_SECONDS):
                self.measure()
        finally:
            self.offsets.close()

    def measure(self) -> None:
        """Measure once."""
        try:
            found = self.offsets.read()
        except UnavailableError as error:
            log.info("lag is unknown", group=self.group, error=str(error))
            self.progress.behind(None, moves=False)
            return
        lags = {partition: max(0, end - committed) for partition, (committed, end) in found.items()}
        for topic in self.topics:
            LAG.labels(self.group, topic.name).set(sum(lag for (name, _), lag in lags.items() if name == topic.name))
        mine = self.assigned() or frozenset(lags)
        late = {partition: found[partition][0] for partition, lag in lags.items() if lag and partition in mine}
        moves = any(self._committed.get(partition) != committed for partition, committed in late.items())
        self._committed = {partition: committed for partition, (committed, _) in found.items()}
        self.progress.behind(sum(lags[partition] for partition in late), moves=moves)
