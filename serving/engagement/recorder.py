"""The recorder: writes what people do, each action once.

Actions with state (like, save, follow, comment, report) are written together with their event in one transaction,
through the outbox. Actions without state (impressions, dwell, ...) go straight to the event log and are durable before
the call returns. An action that changes nothing, such as liking a post twice, makes no event. Calls that change the
same state are serialized by row locks.
"""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected, ForeignKeyViolation
from psycopg.rows import DictRow

from photofeed import webhooks
from photofeed.database import AsyncDatabase, write_outbox
from photofeed.errors import InvalidError, RetryableError
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope, event_id
from photofeed.ids import IdGenerator, encode_id
from photofeed.notifications import NotificationKind
from photofeed.posts import ITEM
from photofeed.topics import ENGAGEMENT, GRAPH_CHANGED, Topic
from photofeed.webhooks import WebhookType
from serving.engagement.actions import ClientAction, RecordOutcome, Refusal
from serving.engagement.left_authors import LeftAuthors
from serving.engagement.notifying import notify_of_comments, notify_of_follows, notify_of_likes
from serving.engagement.placement import place
from serving.engagement.refusals import CallFacts, read_facts, refusal
from serving.engagement.state_sql import CLAIM_EVENT_IDS, LOCK_PEOPLE, LOCK_POSTS, REQUEST_FOLLOW, STATE_CHANGES
from serving.log_writer import LogWriter
from serving.notification_signals import NotificationSignals
from serving.receipts import ReceiptSealer

_ATTEMPTS = 5
_IN_ORDER_OF_ARRIVAL = frozenset({Action.FOLLOW, Action.UNFOLLOW, Action.MUTE, Action.UNMUTE})
_GRAPH_MESSAGES = {Action.FOLLOW: "followed", Action.UNFOLLOW: "unfollowed"}


@dataclass(frozen=True, slots=True)
class AcceptedAction:
    """A client's action and the event it makes; `is_request` marks a follow that only asks a private account."""

    action: ClientAction
    event: EngagementEvent
    is_request: bool = False

    @property
    def statement(self) -> str:
        """The SQL of its state change."""
        return REQUEST_FOLLOW if self.is_request else STATE_CHANGES[self.action.action]

    @property
    def state_key(self) -> tuple[int, int | str]:
        """The state it changes. A person may comment on a post several times, so comments are keyed by event id."""
        is_comment = self.action.action is Action.COMMENT
        return (self.action.actor_id, self.event.id) if is_comment else self.action.pair


class EngagementRecorder:
    """Refuses invalid actions and makes all others durable before it returns."""

    def __init__(
        self,
        database: AsyncDatabase,
        event_log: LogWriter,
        ids: IdGenerator,
        receipts: ReceiptSealer,
        signals: NotificationSignals,
        left_authors: LeftAuthors,
    ) -> None:
        self._database = database
        self._event_log = event_log
        self._ids = ids
        self._receipts = receipts
        self._signals = signals
        self._left_authors = left_authors

    async def record(
        self,
        actions: Sequence[ClientAction],
        *,
        as_service: bool,
        accepts_requests: bool = False,
        past_blocks: bool = False,
    ) -> RecordOutcome:
        """Record actions. A follow of a private account becomes a follow request.

        Args:
            actions: of one person, or of several if a service imports them.
            as_service: accept older actions, mark their events as imported, and follow private accounts directly.
            accepts_requests: the follows are acceptances of pending requests; without a request they are refused.
            past_blocks: the actions end something, and may be on people who have blocked the actor.

        Raises:
            RetryableError: the event log did not answer. Calling again with the same ids is safe.
        """
        for _ in range(_ATTEMPTS):
            # a post or person was deleted between the look-up and the write: the next look-up does not find it
            with contextlib.suppress(ForeignKeyViolation, DeadlockDetected):
                return await self._record(
                    actions, as_service=as_service, accepts_requests=accepts_requests, past_blocks=past_blocks
                )
        raise RetryableError("Posts or people of this call are being deleted. Please try again in a moment.")

    async def _record(
        self, actions: Sequence[ClientAction], *, as_service: bool, accepts_requests: bool, past_blocks: bool
    ) -> RecordOutcome:
        outcome = RecordOutcome()
        async with self._database.connection() as connection:
            await _lock_state(connection, actions)
            facts = await read_facts(
                connection,
                actions,
                as_service=as_service,
                accepts_requests=accepts_requests,
                past_blocks=past_blocks,
            )
            placed = self._place(actions, facts, outcome, as_service=as_service)
            accepted = _accept(placed, facts, imported=as_service)
            stateful = [one for one in accepted if _has_state(one.action)]
            changed = await self._change_state(connection, stateful)
            await write_outbox(connection, _messages([one for one in changed if not one.is_request]))
            told = await _notify(connection, changed, accepts_requests=accepts_requests)
        await self._signals.publish(told)
        await self._left_authors.note([one.event for one in changed if not one.is_request])
        stateless = [one for one in accepted if not _has_state(one.action)]
        if stateless:
            await self._event_log.publish(ENGAGEMENT, _envelopes(stateless))
        outcome.accepted = len(stateless) + len(changed)
        outcome.unchanged = len(stateful) - len(changed)
        return outcome

    def _place(
        self, actions: Sequence[ClientAction], facts: CallFacts, outcome: RecordOutcome, *, as_service: bool
    ) -> list[ClientAction]:
        """The valid actions, where they took place; the others are added to the outcome as refusals."""
        placed = []
        for index, action in enumerate(actions):
            refused = refusal(action, facts)
            if refused is None:
                try:
                    placed.append(place(action, self._receipts, as_service=as_service))
                except InvalidError as error:
                    refused = error.code, str(error)
            if refused is not None:
                outcome.refused.append(Refusal(index, action.id, *refused))
        return placed

    async def _change_state(
        self, connection: AsyncConnection[DictRow], accepted: Sequence[AcceptedAction]
    ) -> list[AcceptedAction]:
        """Write the state; return the actions that changed it, in order for each state key.

        An action that an earlier call recorded is skipped, whatever the state is now: a repeated like may since have
        been undone.
        """
        changed: list[AcceptedAction] = []
        # One statement changes many posts, and each post once: like, unlike, like of one post takes three rounds.
        groups: dict[tuple[int, str], list[AcceptedAction]] = defaultdict(list)
        rounds: Counter[tuple[int, int | str]] = Counter()
        for one in await _claim_new(connection, accepted):
            groups[rounds[one.state_key], one.statement].append(one)
            rounds[one.state_key] += 1
        for (_, statement), group in sorted(groups.items(), key=lambda item: item[0][0]):
            cursor = await connection.execute(statement, self._arguments(group))
            changes = [(row["user_id"], row["target_id"]) async for row in cursor]
            for one in group:
                if one.state_key in changes:
                    changes.remove(one.state_key)
                    changed.append(one)
        return changed

    def _arguments(self, group: Sequence[AcceptedAction]) -> dict[str, Any]:
        """The parameters of one state change, as arrays of equal length."""
        return {
            "ids": [self._ids.at(one.action.occurred_at) for one in group],
            "users": [one.action.pair[0] for one in group],
            "targets": [one.action.pair[1] for one in group],
            "moments": [one.action.occurred_at for one in group],
            "texts": [one.action.text for one in group],
            "reasons": [one.action.reason for one in group],
            "details": [one.action.text or "" for one in group],
            "replies": [one.action.reply_to for one in group],
            "events": [one.event.id for one in group],
        }


async def _lock_state(connection: AsyncConnection[DictRow], actions: Sequence[ClientAction]) -> None:
    """Lock the rows that the call reads and changes, so that its look-ups still hold when it writes.

    Follows lock both people. Posts are locked only if there are several: the count of a single post is locked by its
    update.
    """
    stateful = [action for action in actions if _has_state(action)]
    people = set(chain.from_iterable(action.pair for action in stateful if action.is_on_person))
    posts = {action.pair[1] for action in stateful if not action.is_on_person}
    if people:
        await connection.execute(LOCK_PEOPLE, (list(people),))
    if len(posts) > 1:
        await connection.execute(LOCK_POSTS, (list(posts),))


async def _notify(
    connection: AsyncConnection[DictRow], changed: Sequence[AcceptedAction], *, accepts_requests: bool
) -> list[int]:
    """Write the notifications of changes, and the webhooks of reports; returns who got notifications."""
    likes = [one.action for one in changed if one.action.action is Action.LIKE]
    comments = [one.event.id for one in changed if one.action.action is Action.COMMENT]
    follows = [one.action for one in changed if one.action.action is Action.FOLLOW and not one.is_request]
    requests = [one.action for one in changed if one.is_request]
    followed = NotificationKind.FOLLOW_ACCEPTED if accepts_requests else NotificationKind.FOLLOW
    for report in (one.event for one in changed if one.action.action is Action.REPORT):
        if report.content_type == ITEM:  # the service that reports it is who could do something about it
            continue
        data = {"postId": encode_id(report.post_id or 0), "authorId": encode_id(report.creator_id)}
        await connection.execute(webhooks.QUEUE, webhooks.event(WebhookType.POST_REPORTED, data))
    return [
        *await notify_of_likes(connection, likes),
        *await notify_of_comments(connection, comments),
        *await notify_of_follows(connection, follows, followed),
        *await notify_of_follows(connection, requests, NotificationKind.FOLLOW_REQUEST),
    ]


def _has_state(action: ClientAction) -> bool:
    """Whether the action changes state in PostgreSQL; a comment without text is behaviour only."""
    return action.action in STATE_CHANGES and (action.action is not Action.COMMENT or action.text is not None)


def _accept(actions: Sequence[ClientAction], facts: CallFacts, *, imported: bool) -> list[AcceptedAction]:
    """Pair each valid action with its event."""
    accepted = []
    for action in actions:
        action = _at_arrival(action, facts, imported=imported)  # noqa: PLW2901  the same action, with a true time
        is_request = action.action is Action.FOLLOW and action.pair in facts.private
        accepted.append(AcceptedAction(action, _event(action, facts.post(action), imported=imported), is_request))
    return accepted


def _at_arrival(action: ClientAction, facts: CallFacts, *, imported: bool) -> ClientAction:
    """The action with a time that is not after its arrival; clocks of clients may be fast.

    Live follows and mutes, and what ends them, occur when they arrive: they change the state in that order, and
    counters follow it.
    """
    in_order = action.action in _IN_ORDER_OF_ARRIVAL
    if (in_order and not imported) or action.occurred_at > facts.arrived_at:
        return replace(action, occurred_at=facts.arrived_at)
    return action


async def _claim_new(connection: AsyncConnection[DictRow], accepted: Sequence[AcceptedAction]) -> list[AcceptedAction]:
    """The actions whose event id no earlier call recorded, each id once."""
    if not accepted:  # as in most calls
        return []
    by_id = {one.event.id: one for one in reversed(accepted)}
    rows = await connection.execute(CLAIM_EVENT_IDS, (list(by_id),))
    new = {row["event_id"] async for row in rows}
    return [one for one in accepted if one.event.id in new and by_id[one.event.id] is one]


def _event(action: ClientAction, post: DictRow | None, *, imported: bool) -> EngagementEvent:
    return EngagementEvent(
        id=event_id(action.actor_id, action.id),
        action=action.action,
        user_id=action.actor_id,
        creator_id=post["author_id"] if post else action.person_id or 0,
        occurred_at=action.occurred_at,
        post_id=action.post_id,
        topic_id=post["topic_id"] if post else None,
        content_type=post["content_type"] if post else None,
        slate_id=action.slate_id,
        position=action.position,
        dwell_ms=action.dwell_ms,
        source=action.source,
        imported=imported,
    )


def _envelopes(accepted: Sequence[AcceptedAction]) -> list[Envelope]:
    """One message per person, events in order."""
    by_actor: dict[int, list[EngagementEvent]] = defaultdict(list)
    for one in accepted:
        by_actor[one.action.actor_id].append(one.event)
    return [engagement_envelope(actor, events) for actor, events in by_actor.items()]


def _messages(changed: Sequence[AcceptedAction]) -> list[tuple[Topic, Envelope]]:
    """The outbox rows of state changes: engagement, and the changes of the follow graph for fan-out."""
    messages = [(ENGAGEMENT, envelope) for envelope in _envelopes(changed)]
    for one in changed:
        if one.action.action in _GRAPH_MESSAGES:
            follower, followee = one.action.pair
            payload = {"userId": follower, "followeeId": followee}
            messages.append((GRAPH_CHANGED, Envelope(_GRAPH_MESSAGES[one.action.action], str(follower), payload)))
    return messages
