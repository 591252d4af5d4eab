"""A worker counts as stuck exactly when it could work and does not."""

import pytest

from ingestion.progress import BEHIND_SECONDS, TURN_SECONDS, WORK_SECONDS, Progress
from tests.doubles.clock import Clock

LONG = 10 * max(BEHIND_SECONDS, TURN_SECONDS, WORK_SECONDS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    return Progress(clock)


def test_a_worker_that_starts_or_stands_by_is_not_stuck(progress: Progress, clock: Clock) -> None:
    clock.now += LONG
    assert progress.stuck() is None
    assert not progress.is_ready
    progress.turned()
    progress.stands_by()
    clock.now += LONG
    assert progress.stuck() is None
    assert progress.is_ready


def test_a_loop_that_no_longer_turns(progress: Progress, clock: Clock) -> None:
    progress.turned()
    clock.now += TURN_SECONDS
    assert progress.stuck() is None
    clock.now += 1
    assert "not turned for 61 s" in str(progress.stuck())
    assert not progress.is_ready
    progress.turned()
    assert progress.stuck() is None


def test_work_that_hangs_although_the_loop_turns(progress: Progress, clock: Clock) -> None:
    with progress.working():
        clock.now += WORK_SECONDS + 1
        progress.turned()
        assert "one piece of work" in str(progress.stuck())
    assert progress.stuck() is None


def test_messages_that_wait_while_the_worker_does_nothing(progress: Progress, clock: Clock) -> None:
    progress.behind(7, moves=False)
    clock.now += BEHIND_SECONDS + 1
    progress.turned()
    assert "7 messages wait" in str(progress.stuck())


@pytest.mark.parametrize("sign", ["moves", "done", "commit", "work", "unknown", "waits"])
def test_any_sign_of_progress_ends_the_count(progress: Progress, clock: Clock, sign: str) -> None:
    progress.turned()
    progress.behind(7, moves=False)
    clock.now += BEHIND_SECONDS - 1
    match sign:
        case "moves":
            progress.behind(7, moves=True)
        case "done":
            progress.behind(0, moves=False)
        case "commit":
            progress.committed()
        case "work":
            with progress.working():
                pass
        case "unknown":
            progress.behind(None, moves=False)
        case "waits":
            progress.waiting("connection refused")
    clock.now += 2
    progress.turned()
    assert progress.stuck() is None


def test_other_work_does_not_hide_messages_that_wait(progress: Progress, clock: Clock) -> None:
    progress.behind(7, moves=False)
    for _ in range(2):
        clock.now += BEHIND_SECONDS / 2 + 1
        with progress.working(takes_messages=False):
            pass
    assert "7 messages wait" in str(progress.stuck())


def test_a_worker_that_waits_for_a_server_is_not_ready_and_says_why(progress: Progress, clock: Clock) -> None:
    progress.turned()
    progress.waiting("connection refused")
    clock.now += 3
    assert not progress.is_ready
    assert progress.report() == {
        "waitsFor": "connection refused",
        "lag": None,
        "lastTurnSeconds": 3.0,
        "lastCommitSeconds": None,
    }


def test_a_worker_that_no_longer_waits_is_ready(progress: Progress) -> None:
    progress.turned()
    progress.waiting("connection refused")
    progress.waiting(None)
    assert progress.is_ready
