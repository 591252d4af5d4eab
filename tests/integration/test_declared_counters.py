"""The counters that the feature repo declares, computed from events."""

import math
import os
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
from feast import FeatureView

from photofeed.action_weights import UNDONE_BY
from photofeed.events import PERSON_ACTIONS, Action, EngagementEvent
from photofeed.feature_store import feast_environment
from photofeed.features.counters import Counter, parse_counter
from photofeed.features.event_columns import EventColumns
from photofeed.settings import Settings

REPO = Path(__file__).resolve().parents[2] / "feature_repo"
MODULES = ("people_views", "post_views")
CONTENT_TYPES = ("photo", "reel")
SECONDS_OF = {"m": 60, "h": 3_600, "d": 86_400}
COUNTED = {
    "impressions": {Action.IMPRESSION: 1},
    "likes": {Action.LIKE: 1},
    "comments": {Action.COMMENT: 1},
    "saves": {Action.SAVE: 1},
    "shares": {Action.SHARE: 1},
    "opens": {Action.OPEN: 1},
    "profile_visits": {Action.PROFILE_VISIT: 1},
    "hides": {Action.HIDE: 1, Action.REPORT: 3},
}
"""What a counter counts -> what each action adds to it; taken back, it subtracts as much."""


@pytest.fixture(scope="module")
def counters() -> dict[str, Counter]:
    """Every declared counter, by view and name."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in feast_environment(Settings(state_dir=Path(os.devnull))).items():
            patch.setenv(name, value)
        patch.syspath_prepend(REPO)
        modules = map(import_module, MODULES)
        views = {
            each.name: each for module in modules for each in vars(module).values() if isinstance(each, FeatureView)
        }
    for name in ("declare", "entities", *MODULES):  # they keep what they read from the environment
        del sys.modules[name]
    return {
        f"{view.name}:{field.name}": parse_counter(field.name, field.tags)
        for view in views.values()
        for field in view.schema
        if "counts" in field.tags
    }


def _sum(counter: Counter, *actions: tuple[Action, str]) -> float:
    """What the events add to a counter, in both directions."""
    events = [
        EngagementEvent(
            id=str(number),
            action=action,
            user_id=1,
            creator_id=2,
            occurred_at=datetime(2026, 3, 1, tzinfo=UTC),
            post_id=None if action in PERSON_ACTIONS else 3,
            topic_id=None if action in PERSON_ACTIONS else 4,
            content_type=None if action in PERSON_ACTIONS else content_type,
        )
        for number, (action, content_type) in enumerate(actions)
    ]
    columns = EventColumns.from_payloads([event.to_payload() for event in events])
    return sum(float(contribution.amounts(columns).sum()) for contribution in counter.contributions)


def _counts(counter: Counter, action: Action) -> bool:
    return any(contribution.action is action for contribution in counter.contributions)


@pytest.mark.parametrize(("action", "undo"), UNDONE_BY.items())
def test_an_action_taken_back_leaves_every_counter_at_0(
    counters: dict[str, Counter], action: Action, undo: Action
) -> None:
    counting = {name: counter for name, counter in counters.items() if _counts(counter, action)}
    left = {
        (name, content_type): _sum(counter, *[(action, content_type), (undo, content_type)] * 3)
        for name, counter in counting.items()
        for content_type in CONTENT_TYPES
    }
    assert left
    assert {where: amount for where, amount in left.items() if amount != 0} == {}


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_engagement_with_one_content_type_is_weighed_like_all_engagement(
    counters: dict[str, Counter], content_type: str
) -> None:
    overall = counters["user_activity:engagement_7d"]
    of_type = counters[f"user_activity:{content_type}_engagement_30d"]
    other = next(each for each in CONTENT_TYPES if each != content_type)
    for action in Action:
        assert _sum(of_type, (action, content_type)) == _sum(overall, (action, content_type)), action
        assert _sum(of_type, (action, other)) == 0, action


def test_engagement_adds_up_what_actions_are_worth(counters: dict[str, Counter]) -> None:
    actions = (Action.IMPRESSION, Action.OPEN, Action.LIKE, Action.COMMENT, Action.SAVE, Action.SHARE, Action.UNSAVE)
    amounts = [_sum(counters["post_engagement:engagement_7d"], (action, "photo")) for action in actions]
    assert amounts == [0, 0.5, 1, 2, 2, 3, -2]


def test_a_counter_counts_what_its_name_says_and_fades_in_the_time_that_it_says(counters: dict[str, Counter]) -> None:
    checked = set()
    for name, counter in counters.items():
        what, _, span = name.partition(":")[2].rpartition("_")
        seconds = int(span[:-1]) * SECONDS_OF[span[-1]] if span[0].isdigit() else math.inf
        assert counter.half_life_seconds == seconds, name
        of_type = next((each for each in CONTENT_TYPES if what.startswith(f"{each}_")), None)
        what = what.removeprefix(f"{of_type}_")
        if what not in COUNTED:
            continue
        checked.add(what)
        undone = {UNDONE_BY[action]: -amount for action, amount in COUNTED[what].items() if action in UNDONE_BY}
        amounts = COUNTED[what] | undone
        for action in Action:
            for content_type in CONTENT_TYPES:
                expected = amounts.get(action, 0) if of_type in (None, content_type) else 0
                assert _sum(counter, (action, content_type)) == expected, (name, action, content_type)
    assert checked == COUNTED.keys()
