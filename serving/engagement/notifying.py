"""Writes the notifications of what people do, in the transaction of the change."""

from collections.abc import Sequence

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from photofeed.notifications import OF_COMMENTS, OF_FOLLOWS, OF_LIKES, TRIM, NotificationKind
from serving.engagement.actions import ClientAction


async def notify(connection: AsyncConnection[DictRow], statement: str, **arguments: object) -> list[int]:
    """Write notifications by a statement of photofeed/notifications.py; returns who got some."""
    told = [row["user_id"] async for row in await connection.execute(statement, arguments)]
    if told:
        await connection.execute(TRIM, {"users": told})
    return told


async def notify_of_likes(connection: AsyncConnection[DictRow], likes: Sequence[ClientAction]) -> list[int]:
    """Notify the authors of liked posts; returns who got notifications."""
    if not likes:
        return []
    return await notify(
        connection,
        OF_LIKES,
        users=[like.actor_id for like in likes],
        targets=[like.post_id for like in likes],
        moments=[like.occurred_at for like in likes],
    )


async def notify_of_comments(connection: AsyncConnection[DictRow], event_ids: Sequence[str]) -> list[int]:
    """Notify the people that new comments concern; returns the ids of those notified."""
    return await notify(connection, OF_COMMENTS, events=list(event_ids)) if event_ids else []


async def notify_of_follows(
    connection: AsyncConnection[DictRow], follows: Sequence[ClientAction], kind: NotificationKind
) -> list[int]:
    """Notify of follows or requests the followed, and of accepted requests the followers; returns who was notified."""
    if not follows:
        return []
    followers, followees = zip(*(follow.pair for follow in follows), strict=True)
    accepted = kind is NotificationKind.FOLLOW_ACCEPTED
    return await notify(
        connection,
        OF_FOLLOWS,
        targets=list(followers if accepted else followees),
        users=list(followees if accepted else followers),
        kinds=[kind] * len(follows),
        moments=[follow.occurred_at for follow in follows],
    )
