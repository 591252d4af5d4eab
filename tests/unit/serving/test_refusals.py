"""Each rule refuses what it names, by its code, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from photofeed.events import PERSON_ACTIONS, Action
from serving.engagement.actions import ClientAction
from serving.engagement.refusals import CallFacts, refusal

ACTOR, OTHER, POST = 11, 22, 33
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FACTS = CallFacts(
    posts={POST: {"id": POST, "author_id": OTHER}},
    reacted={},
    hidden=set(),
    people={ACTOR, OTHER},
    blocked=set(),
    private=set(),
    without_request=set(),
    arrived_at=NOW,
    earliest=NOW - timedelta(days=2),
    latest=NOW + timedelta(minutes=5),
)


def _action(action: Action) -> ClientAction:
    on_person = action in PERSON_ACTIONS
    return ClientAction(
        "12345678",
        action,
        ACTOR,
        NOW,
        post_id=None if on_person else POST,
        person_id=OTHER if on_person else None,
        dwell_ms=900 if action is Action.DWELL else None,
    )


def _code(action: ClientAction, facts: CallFacts = FACTS) -> str | None:
    refused = refusal(action, facts)
    return refused and refused[0]


@pytest.mark.parametrize("action", Action)
def test_a_valid_action_is_accepted(action: Action) -> None:
    assert _code(_action(action)) is None


@pytest.mark.parametrize("action", Action)
def test_actor_and_target_must_exist(action: Action) -> None:
    assert _code(replace(_action(action), actor_id=99)) == "actor_not_found"
    missing = "user_not_found" if action in PERSON_ACTIONS else "post_not_found"
    assert _code(_action(action), replace(FACTS, posts={}, people={ACTOR})) == missing
    assert _code(replace(_action(action), person_id=None, post_id=None)) == missing


@pytest.mark.parametrize("action", sorted(PERSON_ACTIONS))
def test_nobody_acts_on_themselves(action: Action) -> None:
    assert _code(replace(_action(action), person_id=ACTOR)) == "self"


def test_a_block_refuses_follows_only() -> None:
    facts = replace(FACTS, blocked={(ACTOR, OTHER)})
    assert _code(_action(Action.FOLLOW), facts) == "blocked"
    assert _code(_action(Action.UNFOLLOW), facts) is None
    assert _code(_action(Action.FOLLOW), replace(FACTS, blocked={(OTHER, 44)})) is None


def test_only_a_pending_request_can_be_accepted() -> None:
    assert _code(_action(Action.FOLLOW), replace(FACTS, without_request={(ACTOR, OTHER)})) == "request_not_found"


def test_a_dwell_has_a_duration() -> None:
    assert _code(replace(_action(Action.DWELL), dwell_ms=None)) == "no_dwell"
    assert _code(replace(_action(Action.DWELL), dwell_ms=0)) is None


@pytest.mark.parametrize("action", Action)
def test_the_time_must_be_within_the_limits(action: Action) -> None:
    moment = timedelta(milliseconds=1)
    assert _code(replace(_action(action), occurred_at=FACTS.latest)) is None
    assert _code(replace(_action(action), occurred_at=FACTS.latest + moment)) == "in_the_future"
    assert _code(replace(_action(action), occurred_at=FACTS.earliest)) is None
    assert _code(replace(_action(action), occurred_at=FACTS.earliest - moment)) == "too_old"


def test_who_is_blocked_does_not_notice_that_the_other_exists() -> None:
    facts = replace(FACTS, hidden={(ACTOR, OTHER)}, blocked={(ACTOR, OTHER)})
    for action in sorted(PERSON_ACTIONS):
        assert _code(_action(action), facts) == "user_not_found"


def test_a_reaction_to_a_post_that_is_not_visible_any_more_can_be_taken_back_only() -> None:
    facts = replace(FACTS, posts={}, reacted={POST: {"id": POST, "author_id": OTHER}})
    for action in (Action.UNLIKE, Action.UNSAVE, Action.UNHIDE):
        assert _code(_action(action), facts) is None
        assert _code(_action(action), replace(FACTS, posts={})) == "post_not_found"
    for action in (Action.LIKE, Action.OPEN, Action.COMMENT):
        assert _code(_action(action), facts) == "post_not_found"
