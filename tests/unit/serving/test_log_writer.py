"""A request never waits longer for the event log than its patience, and takes no thread of other requests."""

import asyncio
import threading
from collections.abc import Sequence

import anyio.to_thread
import pytest

from photofeed.errors import RetryableError
from photofeed.events import Envelope
from photofeed.topics import ENGAGEMENT
from serving.log_writer import LogWriter
from tests.doubles.event_log import InMemoryEventLog


class StuckLog(InMemoryEventLog):
    """An event log that takes nothing until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        self.released.wait()
        super().publish(topic, envelopes)


def test_many_calls_to_a_stuck_log_fail_in_time_and_leave_the_other_threads_free() -> None:
    async def scenario(stuck: StuckLog) -> list[BaseException | None]:
        patience = 0.2
        writer = LogWriter(stuck, seconds=patience)
        calls = [asyncio.create_task(writer.publish(ENGAGEMENT, [Envelope("thing", "a", {})])) for _ in range(100)]
        await asyncio.sleep(0)
        assert await anyio.to_thread.run_sync(lambda: "free") == "free"
        asyncio.get_running_loop().call_later(4 * patience, stuck.released.set)  # too late
        results = await asyncio.gather(*calls, return_exceptions=True)
        stuck.released.set()
        return list(results)

    results = asyncio.run(scenario(StuckLog()))
    assert {type(result) for result in results} == {RetryableError}


def test_the_words_of_the_log_stay_in_the_servers_log() -> None:
    class Refusing(InMemoryEventLog):
        def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:  # noqa: ARG002
            raise RetryableError("broker 10.0.0.7:9092 says [Error -1]")

    with pytest.raises(RetryableError, match="again in a moment") as caught:
        asyncio.run(LogWriter(Refusing()).publish(ENGAGEMENT, []))
    assert "10.0.0.7" not in str(caught.value)
