"""Why an action is refused: the facts about the posts and people of a call, and the rules over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from photofeed.action_weights import UNDONE_BY
from photofeed.events import LATEST_EVENTS, Action
from serving.engagement.actions import FUTURE_LIMIT, IMPORT_PAST_LIMIT, ClientAction
from serving.engagement.state_sql import (
    BLOCKED_PAIRS,
    EXISTING_PEOPLE,
    HIDDEN_FROM_ACTOR,
    PAIRS_WITHOUT_REQUEST,
    POSTS_FOR_SERVICE,
    PRIVATE_FOLLOWEES,
    REACTED_POSTS,
    VISIBLE_POSTS,
)

_UNDO = frozenset(UNDONE_BY.values())

Pairs = set[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What the database knows about the posts and people of one call.

    Attributes:
        posts: visible to the actor, by id.
        reacted: posts that the actor has liked, saved or hidden, by id; looked up for actions that take that back.
        hidden: (actor, target) pairs whose target has blocked the actor; without mutes that the actor takes back.
        people: ids of actors and targets that exist.
        blocked: (follower, followee) pairs with a block in either direction.
        private: (follower, followee) pairs whose followee must first accept a request.
        without_request: (follower, followee) pairs being accepted that have no pending request.
        arrived_at: when the call arrived.
        earliest: oldest time of an action that is still accepted.
        latest: newest time of an action that is accepted.
    """

    posts: dict[int, DictRow]
    reacted: dict[int, DictRow]
    hidden: Pairs
    people: set[int]
    blocked: Pairs
    private: Pairs
    without_request: Pairs
    arrived_at: datetime
    earliest: datetime
    latest: datetime

    def post(self, action: ClientAction) -> DictRow | None:
        """The post of an action, if the actor may act on it; None also for actions on people."""
        if action.post_id is None:
            return None
        taken_back = self.reacted.get(action.post_id) if action.action in _UNDO else None
        return self.posts.get(action.post_id) or taken_back


async def read_facts(
    connection: AsyncConnection[DictRow],
    actions: Sequence[ClientAction],
    *,
    as_service: bool,
    accepts_requests: bool,
    past_blocks: bool,
) -> CallFacts:
    """Look up the facts of a call; the arguments are those of `EngagementRecorder.record`."""
    now = datetime.now(UTC)
    needs_request = not as_service and not accepts_requests
    return CallFacts(
        posts=await _posts(connection, POSTS_FOR_SERVICE if as_service else VISIBLE_POSTS, actions),
        reacted=await _posts(connection, REACTED_POSTS, [one for one in actions if one.action in _UNDO]),
        hidden=set() if as_service or past_blocks or accepts_requests else await _hidden_pairs(connection, actions),
        people=await _existing_people(connection, actions),
        blocked=await _follow_pairs(connection, BLOCKED_PAIRS, actions),
        private=await _follow_pairs(connection, PRIVATE_FOLLOWEES, actions if needs_request else []),
        without_request=await _follow_pairs(connection, PAIRS_WITHOUT_REQUEST, actions if accepts_requests else []),
        arrived_at=now,
        earliest=now - (IMPORT_PAST_LIMIT if as_service else LATEST_EVENTS),
        latest=now + FUTURE_LIMIT,
    )


def refusal(action: ClientAction, facts: CallFacts) -> tuple[str, str] | None:
    """Code and reason of the refusal of an action; None if it is accepted."""
    if action.pair in facts.without_request:
        return "request_not_found", "This person has no pending request to follow you."
    if action.actor_id not in facts.people:
        return "actor_not_found", "There is no user with the actor's id."
    if action.is_on_person and (action.person_id not in facts.people or action.pair in facts.hidden):
        return "user_not_found", "There is no user with this id."
    if action.is_on_person and action.person_id == action.actor_id:
        return "self", "You cannot do this to yourself."
    if action.action is Action.FOLLOW and action.pair in facts.blocked:
        return "blocked", "You cannot follow a person you blocked."
    if not action.is_on_person and (refused := _refusal_of_post(action, facts.post(action))):
        return refused
    if action.action is Action.DWELL and action.dwell_ms is None:
        return "no_dwell", "A dwell event needs its duration in dwellMs."
    if action.occurred_at > facts.latest:
        return "in_the_future", "occurredAt is in the future."
    if action.occurred_at < facts.earliest:
        return "too_old", "occurredAt is too long ago to be counted."
    return None


def _refusal_of_post(action: ClientAction, post: DictRow | None) -> tuple[str, str] | None:
    if post is None:
        return "post_not_found", "There is no such post, or you may not see it."
    if action.action is Action.REPORT and post["author_id"] == action.actor_id:
        return "self", "You cannot report your own post."
    return None


async def _posts(
    connection: AsyncConnection[DictRow], statement: str, actions: Sequence[ClientAction]
) -> dict[int, DictRow]:
    """The posts of actions that the statement selects for their actor, by id."""
    post_ids = list({action.post_id for action in actions if action.post_id is not None})
    if not post_ids:
        return {}
    arguments = {"posts": post_ids, "viewer": actions[0].actor_id}
    return {row["id"]: row async for row in await connection.execute(statement, arguments)}


async def _existing_people(connection: AsyncConnection[DictRow], actions: Sequence[ClientAction]) -> set[int]:
    actors = {action.actor_id for action in actions}
    targets = {action.person_id for action in actions if action.person_id is not None}
    rows = await connection.execute(EXISTING_PEOPLE, (list(actors | targets),))
    return {row["id"] async for row in rows}


async def _hidden_pairs(connection: AsyncConnection[DictRow], actions: Sequence[ClientAction]) -> Pairs:
    asked = [(*action.pair, action.action is Action.UNMUTE) for action in actions if action.is_on_person]
    if not asked:
        return set()
    actors, targets, unmutes = zip(*asked, strict=True)
    pairs = {"actors": list(actors), "targets": list(targets), "unmutes": list(unmutes)}
    rows = await connection.execute(HIDDEN_FROM_ACTOR, pairs)
    return {(row["actor"], row["target"]) async for row in rows}


async def _follow_pairs(connection: AsyncConnection[DictRow], statement: str, actions: Sequence[ClientAction]) -> Pairs:
    """The (follower, followee) pairs among the actions that the statement selects."""
    pairs = [action.pair for action in actions if action.action is Action.FOLLOW]
    if not pairs:
        return set()
    followers, followees = zip(*pairs, strict=True)
    rows = await connection.execute(statement, {"followers": list(followers), "followees": list(followees)})
    return {(row["follower"], row["followee"]) async for row in rows}
