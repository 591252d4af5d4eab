"""Upkeep goes on after failures, and ends with its server."""

import threading
from queue import SimpleQueue

import pytest
from botocore.exceptions import EndpointConnectionError

from photofeed.embedded.upkeep import Upkeep


def test_failed_work_is_repeated_and_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    calls: SimpleQueue[int] = SimpleQueue()
    outcomes = iter((True, False, False, True, False))

    def work() -> None:
        works = next(outcomes, True)
        calls.put(1)
        if not works:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    upkeep = Upkeep("tansu", work, seconds=0.001)
    for _ in range(7):
        calls.get(timeout=30)
    upkeep.stop()
    told = [line for line in capsys.readouterr().out.splitlines() if "upkeep failed" in line]
    assert len(told) == 2
    assert all("server=tansu" in line and "127.0.0.1:1" in line for line in told)


def test_there_is_no_upkeep_after_the_end() -> None:
    calls: SimpleQueue[int] = SimpleQueue()
    upkeep = Upkeep("ending", lambda: calls.put(1), seconds=0.001)  # not a server of the tests' own stack
    calls.get(timeout=30)
    assert "upkeep-ending" in {thread.name for thread in threading.enumerate()}
    upkeep.stop()
    assert "upkeep-ending" not in {thread.name for thread in threading.enumerate()}
