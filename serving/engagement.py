"""Recording what people do: state into PostgreSQL, behaviour into the event log, each once.

Actions that change something people can look up (like, save, follow, comment, report) are written together with their
event in one transaction, through the outbox. Pure behaviour (impressions, dwell, ...) goes straight to the log and is
durable before the call returns. An action that changes nothing, such as liking what is liked already, makes no event.
Calls that change the same things take turns.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import anyio.to_thread
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from photofeed.database import AsyncDatabase, write_outbox
from photofeed.errors import InvalidError, NotFoundError
from photofeed.event_log import EventPublisher
from photofeed.events import PERSON_ACTIONS, Action, EngagementEvent, Envelope, engagement_envelope, event_id
from photofeed.ids import IdGenerator
from photofeed.topics import ENGAGEMENT, GRAPH_CHANGED, Topic
from serving.visibility import VISIBLE_TO_VIEWER

FUTURE_LIMIT = timedelta(minutes=5)  # clocks of phones are a little wrong
PAST_LIMIT = timedelta(days=2)  # phones that were offline
IMPORT_PAST_LIMIT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class ClientAction:
    """One thing one person did, as a client tells it; `id` is the client's own, and names it among the person's."""

    id: str
    action: Action
    actor_id: int
    occurred_at: datetime
    post_id: int | None = None
    person_id: int | None = None
    slate_id: str | None = None
    position: int | None = None
    dwell_ms: int | None = None
    source: str | None = None
    text: str | None = None

    @property
    def pair(self) -> tuple[int, int]:
        """Actor and target, by which state changes are told apart."""
        target = self.person_id if self.action in PERSON_ACTIONS else self.post_id
        return self.actor_id, target or 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one action was not taken; `index` is its place in the call."""

    index: int
    id: str
    code: str
    reason: str


@dataclass(slots=True)
class RecordOutcome:
    """What became of the actions of one call."""

    accepted: int = 0
    unchanged: int = 0
    refused: list[Refusal] = field(default_factory=list)

    def raise_if_refused(self) -> None:
        """For calls about a single thing.

        Raises:
            NotFoundError: the post or person is not there for the caller.
            InvalidError: anything else was wrong with it.
        """
        for refusal in self.refused:
            kind = NotFoundError if refusal.code.endswith("_not_found") else InvalidError
            raise kind(refusal.reason, code=refusal.code)


_POSTS = f"""
select p.id, p.author_id, p.topic_id, p.content_type
from posts p join users u on u.id = p.author_id
where p.id = any(%(posts)s) and {VISIBLE_TO_VIEWER}
"""  # noqa: S608  a constant
_POSTS_OF_SERVICE = "select id, author_id, topic_id, content_type from posts where id = any(%(posts)s) and visible"

# In the order of ids, so that no two calls wait for each other.
_HOLD_PEOPLE = "select from users where id = any(%s) order by id for no key update"
_HOLD_POSTS = "select from posts where id = any(%s) order by id for no key update"

_TO_BE_ASKED = """
select follower, followee
from unnest(%(followers)s::bigint[], %(followees)s::bigint[]) as w(follower, followee) join users on id = followee
where is_private
"""

_UNASKED = """
select follower, followee from unnest(%(followers)s::bigint[], %(followees)s::bigint[]) as w(follower, followee)
where not exists (select 1 from follow_requests where follower_id = follower and followee_id = followee)
"""

_KEPT_APART = """
select follower, followee from unnest(%(followers)s::bigint[], %(followees)s::bigint[]) as w(follower, followee)
where exists (select 1 from blocks where (blocker_id, blocked_id) in ((follower, followee), (followee, follower)))
"""

_LIKE = """
with added as (
    insert into {table} (user_id, post_id, created_at)
    select * from unnest(%(users)s::bigint[], %(targets)s::bigint[], %(moments)s::timestamptz[])
    on conflict do nothing returning user_id, post_id
), counted as (
    update posts set {counter} = {counter} + n
    from (select post_id, count(*) as n from added group by post_id) a where id = a.post_id
)
select user_id, post_id as target_id from added
"""
_UNLIKE = """
with removed as (
    delete from {table} t using unnest(%(users)s::bigint[], %(targets)s::bigint[]) as w(user_id, post_id)
    where t.user_id = w.user_id and t.post_id = w.post_id returning t.user_id, t.post_id
), counted as (
    update posts set {counter} = {counter} - n
    from (select post_id, count(*) as n from removed group by post_id) r where id = r.post_id
)
select user_id, post_id as target_id from removed
"""
_ASK_TO_FOLLOW = """
insert into follow_requests (follower_id, followee_id, created_at)
select * from unnest(%(users)s::bigint[], %(targets)s::bigint[], %(moments)s::timestamptz[]) as w(follower, followee)
where not exists (select 1 from follows where follower_id = follower and followee_id = followee)
on conflict do nothing returning follower_id as user_id, followee_id as target_id
"""
_FOLLOW = """
with added as (
    insert into follows (follower_id, followee_id, created_at)
    select * from unnest(%(users)s::bigint[], %(targets)s::bigint[], %(moments)s::timestamptz[])
    on conflict do nothing returning follower_id, followee_id
), answered as (
    delete from follow_requests r using unnest(%(users)s::bigint[], %(targets)s::bigint[]) as w(follower, followee)
    where r.follower_id = w.follower and r.followee_id = w.followee
), counted as (
    update users set
        follower_count = follower_count + (select count(*) from added where followee_id = users.id),
        following_count = following_count + (select count(*) from added where follower_id = users.id)
    where id in (select followee_id from added union select follower_id from added)
)
select follower_id as user_id, followee_id as target_id from added
"""
_UNFOLLOW = """
with removed as (
    delete from follows f using unnest(%(users)s::bigint[], %(targets)s::bigint[]) as w(follower_id, followee_id)
    where f.follower_id = w.follower_id and f.followee_id = w.followee_id returning f.follower_id, f.followee_id
), withdrawn as (
    delete from follow_requests r using unnest(%(users)s::bigint[], %(targets)s::bigint[]) as w(follower, followee)
    where r.follower_id = w.follower and r.followee_id = w.followee
), counted as (
    update users set
        follower_count = follower_count - (select count(*) from removed where followee_id = users.id),
        following_count = following_count - (select count(*) from removed where follower_id = users.id)
    where id in (select followee_id from removed union select follower_id from removed)
)
select follower_id as user_id, followee_id as target_id from removed
"""
_COMMENT = """
with added as (
    insert into comments (id, post_id, user_id, body, created_at, event_id)
    select * from unnest(%(ids)s::bigint[], %(targets)s::bigint[], %(users)s::bigint[], %(texts)s::text[],
                         %(moments)s::timestamptz[], %(events)s::text[])
    on conflict (event_id) do nothing returning user_id, post_id, event_id
), counted as (
    update posts set comment_count = comment_count + n
    from (select post_id, count(*) as n from added group by post_id) a where id = a.post_id
)
select user_id, event_id as target_id from added
"""

# In the order of ids, so that two calls with the same ones do not wait for each other.
_TOLD_FIRST = """
insert into told_changes (event_id) select id from unnest(%s::text[]) id order by id
on conflict do nothing returning event_id
"""

# What each action that has a state does to it; a statement returns what it changed, as `_Accepted.change` names it.
_STATE_CHANGES: dict[Action, str] = {
    Action.LIKE: _LIKE.format(table="likes", counter="like_count"),
    Action.UNLIKE: _UNLIKE.format(table="likes", counter="like_count"),
    Action.SAVE: _LIKE.format(table="saves", counter="save_count"),
    Action.UNSAVE: _UNLIKE.format(table="saves", counter="save_count"),
    Action.REPORT: _LIKE.format(table="reports", counter="report_count"),
    Action.FOLLOW: _FOLLOW,
    Action.UNFOLLOW: _UNFOLLOW,
    Action.COMMENT: _COMMENT,
}


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A client's action with the event it makes."""

    told: ClientAction
    event: EngagementEvent
    is_request: bool = False  # to follow whom one may only ask

    @property
    def statement(self) -> str:
        """What changes the state."""
        return _ASK_TO_FOLLOW if self.is_request else _STATE_CHANGES[self.told.action]

    @property
    def change(self) -> tuple[int, int | str]:
        """What changes if it is new: of comments a post may have several of one person, told apart by their events."""
        return (self.told.actor_id, self.event.id) if self.told.action is Action.COMMENT else self.told.pair


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database says of the posts and people in a call."""

    posts: dict[int, DictRow]  # that the actor may see
    people: set[int]
    kept_apart: set[tuple[int, int]]  # who wants to follow whom against a block
    to_be_asked: set[tuple[int, int]]  # who wants to follow whom, a private account
    unasked: set[tuple[int, int]]  # who is let follow whom, and does not ask to


class EngagementRecorder:
    """Takes actions, refuses those that cannot be, and makes the others durable before it returns."""

    def __init__(self, database: AsyncDatabase, publisher: EventPublisher, ids: IdGenerator) -> None:
        self._database = database
        self._publisher = publisher
        self._ids = ids

    async def record(
        self, actions: Sequence[ClientAction], *, as_service: bool, invited: bool = False
    ) -> RecordOutcome:
        """Record actions. Who wants to follow a private account only asks to.

        Args:
            actions: of one person, or of many when a service imports.
            as_service: actions may then be older, are taken as known since they occurred, and follows were allowed.
            invited: those followed say yes to who asks, and to nobody else.

        Raises:
            RetryableError: the event log did not answer; calling again with the same ids is safe.
        """
        outcome = RecordOutcome()
        async with self._database.connection() as connection:
            await _take_turn(connection, actions)
            accepted = await self._check(connection, actions, outcome, as_service=as_service, invited=invited)
            stateful = [one for one in accepted if _has_state(one.told)]
            changed = await self._change_state(connection, stateful)
            await write_outbox(connection, _messages([one for one in changed if not one.is_request]))
        plain = [one for one in accepted if not _has_state(one.told)]
        if plain:
            await anyio.to_thread.run_sync(self._publisher.publish, ENGAGEMENT.name, _envelopes(plain))
        outcome.accepted = len(plain) + len(changed)
        outcome.unchanged = len(stateful) - len(changed)
        return outcome

    async def _check(
        self,
        connection: AsyncConnection[DictRow],
        actions: Sequence[ClientAction],
        outcome: RecordOutcome,
        *,
        as_service: bool,
        invited: bool,
    ) -> list[_Accepted]:
        """Pair each possible action with its event; say of the others why not."""
        known = _Known(
            await _visible_posts(connection, actions, as_service=as_service),
            await _existing_people(connection, actions),
            await _follows_among(connection, _KEPT_APART, actions),
            await _follows_among(connection, _TO_BE_ASKED, [] if as_service or invited else actions),
            await _follows_among(connection, _UNASKED, actions if invited else []),
        )
        now = datetime.now(UTC)
        earliest = now - (IMPORT_PAST_LIMIT if as_service else PAST_LIMIT)
        accepted = []
        for index, told in enumerate(actions):
            refusal = _refusal(told, known, earliest, now + FUTURE_LIMIT)
            if refusal is not None:
                outcome.refused.append(Refusal(index, told.id, *refusal))
                continue
            is_request = told.action is Action.FOLLOW and told.pair in known.to_be_asked
            accepted.append(_Accepted(told, _event(told, known.posts, imported=as_service), is_request))
        return accepted

    async def _change_state(
        self, connection: AsyncConnection[DictRow], accepted: Sequence[_Accepted]
    ) -> list[_Accepted]:
        """Write the state; return the actions that changed it, what happened to one thing in its order.

        What was told before is left alone, whatever has become of it since: a like that comes again may have been taken
        back.
        """
        changed: list[_Accepted] = []
        by_turn: dict[tuple[int, str], list[_Accepted]] = defaultdict(list)
        turns: Counter[tuple[int, int | str]] = Counter()
        for one in await _told_first(connection, accepted):
            # like, unlike, like of one post: one statement takes many posts, but a post only once
            by_turn[turns[one.change], one.statement].append(one)
            turns[one.change] += 1
        for (_, statement), group in sorted(by_turn.items(), key=lambda turn: turn[0][0]):
            arguments: dict[str, Any] = {
                "ids": [self._ids.at(one.told.occurred_at) for one in group],
                "users": [one.told.pair[0] for one in group],
                "targets": [one.told.pair[1] for one in group],
                "moments": [one.told.occurred_at for one in group],
                "texts": [one.told.text for one in group],
                "events": [one.event.id for one in group],
            }
            cursor = await connection.execute(statement, arguments)
            changes = [(row["user_id"], row["target_id"]) async for row in cursor]
            for one in group:
                if one.change in changes:
                    changes.remove(one.change)
                    changed.append(one)
        return changed


async def _told_first(connection: AsyncConnection[DictRow], accepted: Sequence[_Accepted]) -> list[_Accepted]:
    """Those among the actions whose ids nobody has told before, each id once."""
    if not accepted:  # as in most calls
        return []
    by_id = {one.event.id: one for one in reversed(accepted)}
    rows = await connection.execute(_TOLD_FIRST, (list(by_id),))
    new = {row["event_id"] async for row in rows}
    return [one for one in accepted if one.event.id in new and by_id[one.event.id] is one]


async def _take_turn(connection: AsyncConnection[DictRow], actions: Sequence[ClientAction]) -> None:
    """Wait until nobody else changes who follows the same people, so that what is looked up holds when it is written.

    Nor the counts of several of the same posts; those of one can be waited for when they are written.
    """
    stateful = [told for told in actions if _has_state(told)]
    people = set(chain.from_iterable(told.pair for told in stateful if told.action in PERSON_ACTIONS))
    posts = {told.pair[1] for told in stateful if told.action not in PERSON_ACTIONS}
    if people:
        await connection.execute(_HOLD_PEOPLE, (list(people),))
    if len(posts) > 1:
        await connection.execute(_HOLD_POSTS, (list(posts),))


def _has_state(told: ClientAction) -> bool:
    """Whether the action is also looked up later; a comment without words is only behaviour."""
    return told.action in _STATE_CHANGES and (told.action is not Action.COMMENT or told.text is not None)


async def _visible_posts(
    connection: AsyncConnection[DictRow], actions: Sequence[ClientAction], *, as_service: bool
) -> dict[int, DictRow]:
    wanted = list({told.post_id for told in actions if told.post_id is not None})
    if not wanted:
        return {}
    statement = _POSTS_OF_SERVICE if as_service else _POSTS
    arguments = {"posts": wanted, "viewer": actions[0].actor_id}
    return {row["id"]: row async for row in await connection.execute(statement, arguments)}


async def _existing_people(connection: AsyncConnection[DictRow], actions: Sequence[ClientAction]) -> set[int]:
    wanted = {told.actor_id for told in actions} | {told.person_id for told in actions if told.person_id is not None}
    rows = await connection.execute("select id from users where id = any(%s)", (list(wanted),))
    return {row["id"] async for row in rows}


async def _follows_among(
    connection: AsyncConnection[DictRow], statement: str, actions: Sequence[ClientAction]
) -> set[tuple[int, int]]:
    """Who wants to follow whom, of those that the statement picks."""
    wanted = [told.pair for told in actions if told.action is Action.FOLLOW]
    if not wanted:
        return set()
    followers, followees = zip(*wanted, strict=True)
    rows = await connection.execute(statement, {"followers": list(followers), "followees": list(followees)})
    return {(row["follower"], row["followee"]) async for row in rows}


def _refusal(told: ClientAction, known: _Known, earliest: datetime, latest: datetime) -> tuple[str, str] | None:
    """Code and reason why an action cannot be; None if it can."""
    on_person = told.action in PERSON_ACTIONS
    if told.pair in known.unasked:
        return "request_not_found", "They do not ask to follow you."
    if told.actor_id not in known.people:
        return "actor_not_found", "There is nobody with the actor's id."
    if on_person and told.person_id not in known.people:
        return "user_not_found", "There is nobody with this id."
    if on_person and told.person_id == told.actor_id:
        return "self", "Nobody can do this with themselves."
    if told.pair in known.kept_apart and told.action is Action.FOLLOW:
        return "blocked", "Nobody follows whom they have blocked, or who has blocked them."
    if not on_person and told.post_id not in known.posts:
        return "post_not_found", "There is no such post for you."
    if told.action is Action.DWELL and told.dwell_ms is None:
        return "no_dwell", "A dwell says for how long: dwellMs."
    if told.occurred_at > latest:
        return "in_the_future", "It says it happened in the future."
    if told.occurred_at < earliest:
        return "too_old", "It happened too long ago to be counted."
    return None


def _event(told: ClientAction, posts: dict[int, DictRow], *, imported: bool) -> EngagementEvent:
    post = posts[told.post_id] if told.post_id is not None else None
    return EngagementEvent(
        id=event_id(told.actor_id, told.id),
        action=told.action,
        user_id=told.actor_id,
        creator_id=post["author_id"] if post else told.person_id or 0,
        occurred_at=told.occurred_at,
        post_id=told.post_id,
        topic_id=post["topic_id"] if post else None,
        content_type=post["content_type"] if post else None,
        slate_id=told.slate_id,
        position=told.position,
        dwell_ms=told.dwell_ms,
        source=told.source,
        imported=imported,
    )


def _envelopes(accepted: Sequence[_Accepted]) -> list[Envelope]:
    """One message a person, events in order."""
    by_actor: dict[int, list[EngagementEvent]] = defaultdict(list)
    for one in accepted:
        by_actor[one.told.actor_id].append(one.event)
    return [engagement_envelope(actor, events) for actor, events in by_actor.items()]


def _messages(changed: Sequence[_Accepted]) -> list[tuple[Topic, Envelope]]:
    """The outbox rows of state changes: their engagement, and what fan-out must know of the graph."""
    messages = [(ENGAGEMENT, envelope) for envelope in _envelopes(changed)]
    kinds = {Action.FOLLOW: "followed", Action.UNFOLLOW: "unfollowed"}
    for one in changed:
        if one.told.action in kinds:
            payload = {"userId": one.told.pair[0], "followeeId": one.told.pair[1]}
            messages.append((GRAPH_CHANGED, Envelope(kinds[one.told.action], str(one.told.pair[0]), payload)))
    return messages
