"""Notifications: list them, count unread ones, mark them as read, watch them arrive, and choose which to get."""

import random
import time
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from photofeed.errors import NotFoundError
from photofeed.ids import decode_id, encode_id
from photofeed.notifications import NotificationKind
from serving.api.declared import BAD_CURSOR, TOO_MANY_STREAMS, refuses, returns, sends
from serving.api.fields import EncodedId
from serving.api.idempotency import IdempotentRoute
from serving.api.lists import CursorText, Limit, before, cursor_id, page_of
from serving.api.replies import reply
from serving.api.schemas import NotificationPage, NotificationSettings, Unread
from serving.api.server_sent_events import MEDIA_TYPE, STILL_HERE, LastEventId, event, event_stream
from serving.api.user_rows import require_actor
from serving.services import ActorDep, Services, ServicesDep

router = APIRouter(route_class=IdempotentRoute, prefix="/v1/me", tags=["notifications"])

_LOOK_SECONDS = 15.0  # how often a stream looks without a signal; its comment also keeps proxies from closing it
_BATCH = 50


@router.get(
    "/notifications",
    responses=returns(NotificationPage) | BAD_CURSOR,
)
async def list_notifications(
    services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None
) -> Response:
    """List your notifications, newest first: of the last 90 days, at most 1,000.

    All likes of a photo are one notification, which moves to the start with each like. What was taken back or deleted
    is left out, as are people you blocked or muted.
    """
    found = await services.notifications.older(actor, before=before(cursor), limit=limit + 1)
    page = page_of(found, limit, lambda one: one[1], lambda one: encode_id(one[0]))
    return reply(page | {"unreadCount": await services.notifications.unread(actor)})


@router.get(
    "/notifications/unread",
    responses=returns(Unread),
)
async def count_unread_notifications(services: ServicesDep, actor: ActorDep) -> Response:
    """Count your unread notifications."""
    return reply({"unreadCount": await services.notifications.unread(actor)})


class ReadMark(BaseModel):
    """Up to which notification everything has been read."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    up_to: Annotated[
        EncodedId | None, Field(description="Id of the newest notification that was read; all, if it is omitted")
    ] = None


_MARK_READ = """
update notification_states s set read_number = greatest(read_number, %(number)s)
where user_id = %(me)s and %(number)s <= last_number
"""
_NUMBER = "select number from notifications where user_id = %s and id = %s"


@router.put(
    "/notifications/read",
    responses=returns(Unread)
    | refuses(HTTPStatus.NOT_FOUND, notification_not_found="You have no notification with this id."),
)
async def mark_notifications_read(services: ServicesDep, actor: ActorDep, body: ReadMark | None = None) -> Response:
    """Mark notifications as read: all of them, or one and all older ones."""
    number = await services.notifications.last_number(actor)
    async with services.database.connection() as connection:
        await require_actor(connection, actor)
        if body is not None and body.up_to is not None:
            row = await (await connection.execute(_NUMBER, (actor, decode_id(body.up_to)))).fetchone()
            if row is None:
                raise NotFoundError("You have no notification with this id.", code="notification_not_found")
            number = row["number"]
        await connection.execute(_MARK_READ, {"me": actor, "number": number})
    await services.signals.publish([actor])
    return reply({"unreadCount": await services.notifications.unread(actor)})


@router.get(
    "/notifications/stream",
    responses=sends(
        {MEDIA_TYPE: 'retry: 2000\n\nid: 0000000002A\nevent: notification\ndata: {"kind": "follow"}\n\n'},
        "Cache-Control",
        description="Events `unread` ({unreadCount}) and `notification`, whose data is a Notification",
    )
    | TOO_MANY_STREAMS
    | BAD_CURSOR,
)
async def watch_notifications(
    request: Request, services: ServicesDep, actor: ActorDep, last_event_id: LastEventId = None
) -> Response:
    """Watch your notifications: one server-sent event for each new one, and for each change of the unread count.

    The stream begins with the unread count. With `Last-Event-ID` it first sends what came since that event. It ends
    after about ten minutes: reconnect with `Last-Event-ID`.
    """
    if last_event_id is not None:
        after = cursor_id(last_event_id)
    else:
        after = await services.notifications.last_number(actor)
    return event_stream(request, actor, notification_events(services, actor, after))


async def notification_events(services: Services, person: int, after: int) -> AsyncGenerator[bytes]:
    """The server-sent events of a person from a number on."""
    ends = time.monotonic() + services.settings.notification_stream_seconds * random.uniform(0.9, 1)
    unread = -1
    async with services.signals.watching(person) as watch:
        while not watch.is_ended:
            found = await services.notifications.newer(person, after=after, limit=_BATCH)
            for number, shown in found:
                after = number
                yield event("notification", shown, encode_id(number))
            count = await services.notifications.unread(person)
            if count != unread:
                unread = count
                yield event("unread", {"unreadCount": count}, encode_id(after))
            elif not found:
                yield STILL_HERE
            left = ends - time.monotonic()
            if left <= 0:
                return
            if len(found) < _BATCH:
                await watch.wait(min(_LOOK_SECONDS, left))


class SettingsChange(BaseModel):
    """The kinds of notifications that you do not want."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    switched_off: Annotated[
        list[NotificationKind],
        Field(max_length=len(NotificationKind), description="All kinds to switch off; the others are on"),
    ]


_SWITCHED_OFF = "select switched_off from notification_states where user_id = %s"
_SWITCH_OFF = """
insert into notification_states (user_id, switched_off) values (%s, %s)
on conflict (user_id) do update set switched_off = excluded.switched_off
"""


@router.get(
    "/notification-settings",
    responses=returns(NotificationSettings),
)
async def get_notification_settings(services: ServicesDep, actor: ActorDep) -> Response:
    """Get the kinds of notifications that you do not get."""
    async with services.database.connection() as connection:
        row = await (await connection.execute(_SWITCHED_OFF, (actor,))).fetchone()
    return reply({"switchedOff": row["switched_off"] if row else []})


@router.put(
    "/notification-settings",
    responses=returns(NotificationSettings),
)
async def update_notification_settings(body: SettingsChange, services: ServicesDep, actor: ActorDep) -> Response:
    """Choose which kinds of notifications you do not get from now on."""
    off = sorted(set(body.switched_off))
    async with services.database.connection() as connection:
        await require_actor(connection, actor)
        await connection.execute(_SWITCH_OFF, (actor, off))
    return reply({"switchedOff": off})
