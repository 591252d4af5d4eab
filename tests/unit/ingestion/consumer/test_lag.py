"""Messages that wait are seen beside the consumer, which may itself be stuck."""

from collections.abc import Mapping

import pytest
from prometheus_client import REGISTRY

from ingestion.consumer.lag import LagMeter
from ingestion.progress import BEHIND_SECONDS, Progress
from photofeed.errors import UnavailableError
from photofeed.topics import Topic
from tests.doubles.clock import Clock

TOPIC = Topic("things", key="id", partitions=2)
ZERO, ONE = ("things", 0), ("things", 1)


class KnownOffsets:
    """Offsets that a test sets: (committed, end) of each partition; None while the log is away."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, int], tuple[int, int]] | None = {ZERO: (5, 5), ONE: (5, 5)}

    def read(self) -> Mapping[tuple[str, int], tuple[int, int]]:
        if self.found is None:
            raise UnavailableError("no broker")
        return self.found

    def close(self) -> None:
        pass


class Bench:
    """A meter with its surroundings."""

    def __init__(self, *assigned: tuple[str, int]) -> None:
        self.clock, self.offsets = Clock(), KnownOffsets()
        self.progress = Progress(self.clock)
        self._meter = LagMeter("g", [TOPIC], self.offsets, self.progress, lambda: frozenset(assigned))
        self._meter.measure()

    def stuck_after(self, *measured: dict[tuple[str, int], tuple[int, int]] | None) -> bool:
        """Whether the member counts as stuck after these measurements, each a long time after the last."""
        for found in measured:
            self.offsets.found = found
            self._meter.measure()
            self.clock.now += BEHIND_SECONDS + 1
        self.progress.turned()
        return self.progress.stuck() is not None


STANDS = {ZERO: (5, 9), ONE: (5, 5)}


@pytest.mark.parametrize("assigned", [(ZERO, ONE), ()], ids=["member", "without partitions"])
def test_offsets_that_stand_still_before_the_end(assigned: tuple[tuple[str, int], ...]) -> None:
    assert Bench(*assigned).stuck_after(STANDS, STANDS)
    lag = REGISTRY.get_sample_value("photofeed_worker_lag", {"group": "g", "topic": "things"})
    assert lag == 4


def test_offsets_that_move() -> None:
    assert not Bench(ZERO, ONE).stuck_after({ZERO: (5, 9), ONE: (5, 5)}, {ZERO: (6, 9), ONE: (5, 5)})


def test_partitions_of_other_members_are_their_business() -> None:
    assert not Bench(ONE).stuck_after(STANDS, STANDS)


def test_a_log_that_is_away_says_nothing_about_the_member() -> None:
    assert not Bench(ZERO, ONE).stuck_after(STANDS, None)


def test_new_messages_behind_old_ones_are_not_progress() -> None:
    assert Bench(ZERO, ONE).stuck_after({ZERO: (5, 9), ONE: (5, 5)}, {ZERO: (5, 20), ONE: (5, 5)})
