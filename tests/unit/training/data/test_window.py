from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from photofeed.errors import InvalidError
from photofeed.features.manifest import FeatureManifest
from photofeed.models.contract import ModelContract
from training.data.unseen import unseen_from
from training.data.window import Window

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_window_has_a_start_before_its_end() -> None:
    assert Window(NOON, NOON + timedelta(microseconds=1)).end > NOON
    for start in (NOON, NOON + timedelta(days=1)):
        with pytest.raises(InvalidError, match="an empty window: it starts 2026-03-0"):
            Window(start, NOON)


@pytest.mark.parametrize(
    ("start", "end"),
    [(NOON.replace(tzinfo=None), NOON + timedelta(1)), (NOON, (NOON + timedelta(1)).replace(tzinfo=None))],
)
def test_both_times_need_a_time_zone(start: datetime, end: datetime) -> None:
    with pytest.raises(InvalidError, match="need a time zone"):
        Window(start, end)


def test_the_last_days_end_now_or_at_a_given_time() -> None:
    assert Window.last(1.5, NOON) == Window(NOON - timedelta(hours=36), NOON)
    before = datetime.now(UTC)
    window = Window.last(2)
    assert before <= window.end <= datetime.now(UTC)
    assert window.end - window.start == timedelta(days=2)


def test_slates_are_unseen_from_what_the_contract_says_and_else_from_the_end_of_its_window() -> None:
    contract = ModelContract("m", "r", (), FeatureManifest("v1", ()), NOON, NOON + timedelta(days=9), "", "")
    assert unseen_from(contract) == NOON + timedelta(days=9)
    assert unseen_from(replace(contract, unseen_from=NOON + timedelta(days=8))) == NOON + timedelta(days=8)
