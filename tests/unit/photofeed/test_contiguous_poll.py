"""No message is skipped because a broker shows a later one first."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import KafkaTimeoutError

from photofeed.contiguous_poll import GAP_SECONDS, ContiguousPoll
from tests.doubles.clock import Clock

PARTITION = ("engagement", 0)


@dataclass(frozen=True)
class Record:
    offset: int


@dataclass
class LateBroker:
    """A consumer of one partition of a broker that hides some offsets for a while."""

    end: int
    hidden: set[int] = field(default_factory=set)
    position: int = 0
    committed: int = 0

    def first(self, partition: tuple[str, int]) -> int:
        assert partition == PARTITION
        return self.committed

    def poll(self, max_records: int = 3) -> dict[tuple[str, int], list[Record]]:
        shown = [offset for offset in range(self.position, self.end) if offset not in self.hidden][:max_records]
        if not shown:
            return {}
        self.position = shown[-1] + 1
        return {PARTITION: [Record(offset) for offset in shown]}

    def seek(self, partition: tuple[str, int], offset: int) -> None:
        assert partition == PARTITION
        self.position = offset


def _poll(broker: LateBroker, clock: Clock | None = None) -> ContiguousPoll:
    return ContiguousPoll(broker, broker.first, clock or Clock())


def _offsets(poll: ContiguousPoll) -> list[int]:
    return [record.offset for record in poll.poll(max_records=3).get(PARTITION, ())]


def test_messages_that_appear_late_are_read_in_order() -> None:
    broker = LateBroker(end=9, hidden={3, 4})
    poll = _poll(broker)

    assert _offsets(poll) == [0, 1, 2]
    assert _offsets(poll) == []
    broker.hidden.clear()
    assert [_offsets(poll), _offsets(poll)] == [[3, 4, 5], [6, 7, 8]]


def test_a_gap_inside_a_batch_ends_it_before_the_gap() -> None:
    broker = LateBroker(end=4, hidden={1})
    poll = _poll(broker)

    assert _offsets(poll) == [0]
    broker.hidden.clear()
    assert _offsets(poll) == [1, 2, 3]


def test_offsets_that_stay_missing_are_passed_over_after_a_while() -> None:
    broker, clock = LateBroker(end=6, hidden={1, 2}), Clock()
    poll = _poll(broker, clock)

    assert _offsets(poll) == [0]
    clock.now += GAP_SECONDS - 0.1
    assert _offsets(poll) == []
    clock.now += 0.1
    assert _offsets(poll) == [3, 4, 5]


def test_each_gap_is_waited_for_separately() -> None:
    broker, clock = LateBroker(end=8, hidden={1, 5}), Clock()
    poll = _poll(broker, clock)
    assert _offsets(poll) == [0]
    assert _offsets(poll) == []
    clock.now += GAP_SECONDS
    assert _offsets(poll) == [2, 3, 4]

    clock.now += 1
    assert _offsets(poll) == []


def test_a_gap_that_was_filled_does_not_shorten_the_wait_for_the_next() -> None:
    broker, clock = LateBroker(end=8, hidden={1, 4}), Clock()
    poll = _poll(broker, clock)
    assert [_offsets(poll), _offsets(poll)] == [[0], []]
    broker.hidden = {4}
    assert _offsets(poll) == [1, 2, 3]

    clock.now += GAP_SECONDS + 1

    assert _offsets(poll) == []


@pytest.mark.parametrize("forgets", [True, False])
def test_a_position_that_moved_back_delivers_again(forgets: bool) -> None:
    broker = LateBroker(end=4)
    poll = _poll(broker)
    assert _offsets(poll) == [0, 1, 2]

    broker.position = broker.committed = 1  # a rebalance: the group committed no further
    if forgets:
        poll.forget()

    assert _offsets(poll) == [1, 2, 3]


def test_after_a_rebalance_reading_starts_where_the_group_is() -> None:
    broker = LateBroker(end=20)
    poll = _poll(broker)
    assert _offsets(poll) == [0, 1, 2]

    broker.position = broker.committed = 10
    poll.forget()

    assert _offsets(poll) == [10, 11, 12]


def test_the_first_message_after_an_assignment_is_not_skipped_either() -> None:
    broker = LateBroker(end=14, hidden={10}, position=10, committed=10)
    poll = _poll(broker)
    assert _offsets(poll) == []
    broker.hidden.clear()
    assert _offsets(poll) == [10, 11, 12]


def test_records_wait_until_the_first_offset_is_known() -> None:
    broker, failures = LateBroker(end=3), [KafkaTimeoutError()]

    def first(_: object) -> int:
        if failures:
            raise failures.pop()
        return 0

    poll = ContiguousPoll(broker, first)
    with pytest.raises(KafkaTimeoutError):
        poll.poll(max_records=3)
    assert _offsets(poll) == [0, 1, 2]


@given(appearances=st.lists(st.integers(0, 6), min_size=1, max_size=30))
def test_nothing_is_lost_or_repeated_in_whatever_order_messages_appear(appearances: list[int]) -> None:
    broker = LateBroker(end=len(appearances))
    poll = _poll(broker)
    read: list[int] = []

    for moment in range(100):
        broker.hidden = {offset for offset, appears in enumerate(appearances) if appears > moment}
        read += _offsets(poll)

    assert read == list(range(len(appearances)))
