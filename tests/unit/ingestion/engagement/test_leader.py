"""When the features worker becomes the leader, ends because it no longer is, and ends because a command wants it to."""

import threading
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from ingestion.bootstrap import engagement
from ingestion.engagement import online_rebuild
from ingestion.engagement.counted_events import EmptiedError, FencedError
from photofeed import database
from photofeed.errors import RetryableError
from tests.doubles.turns import Turns

NOTHING: Any = None


@pytest.mark.parametrize("has_begun", [False, True])
@pytest.mark.parametrize("has_history", [False, True])
def test_a_worker_that_would_count_from_zero_does_not_become_the_leader(
    monkeypatch: pytest.MonkeyPatch, *, has_begun: bool, has_history: bool
) -> None:
    led = list[str]()
    pipeline: Any = SimpleNamespace(
        counted=SimpleNamespace(has_begun=lambda: has_begun), become_leader=lambda: led.append("led")
    )
    monkeypatch.setattr(online_rebuild, "has_history", lambda *_: has_history)
    monkeypatch.setattr(engagement, "open_lake", lambda _: None)
    if has_history and not has_begun:
        with pytest.raises(EmptiedError):
            engagement._become_leader(pipeline, NOTHING, NOTHING)
        assert led == []
    else:
        engagement._become_leader(pipeline, NOTHING, NOTHING)
        assert led == ["led"]


@pytest.mark.parametrize(
    ("error", "ends"), [(FencedError("another"), True), (EmptiedError(), True), (RetryableError("away"), False)]
)
def test_a_worker_that_is_no_longer_the_leader_ends(error: Exception, ends: bool) -> None:
    stop = threading.Event()

    def work() -> None:
        raise error

    engagement._stopping_if_fenced(lambda: None, stop)
    assert not stop.is_set()
    with pytest.raises(type(error)):
        engagement._stopping_if_fenced(work, stop)
    assert stop.is_set() is ends


def test_a_worker_ends_when_a_command_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, asked = [True, True, False], list[bool]()

    def try_now(*_: object, shared: bool = False) -> bool:
        asked.append(shared)
        return answers.pop(0)

    monkeypatch.setattr(database, "try_leadership_now", try_now)
    ended, told = Turns(9), Turns(2)
    engagement._wait_until_wanted(NOTHING, ended)
    assert (ended.is_set(), len(ended.pauses), asked) == (True, 4, [True] * 3)
    answers.append(False)
    told.set()  # by a signal
    engagement._wait_until_wanted(NOTHING, told)
    assert answers == [False]


def test_a_worker_whose_connection_is_lost_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> bool:
        raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(database, "try_leadership_now", lost)
    stop = Turns(9)
    engagement._wait_until_wanted(NOTHING, stop)
    assert (stop.is_set(), len(stop.pauses)) == (False, 1)
