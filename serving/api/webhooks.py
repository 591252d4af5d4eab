"""Webhooks of services: endpoints that get events, and what was sent to them."""

import ipaddress
from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Query
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from pydantic.alias_generators import to_camel

from photofeed.errors import ConflictError, InvalidError, NotFoundError
from photofeed.ids import decode_id, encode_id
from photofeed.settings import Settings
from photofeed.webhooks import WebhookType, new_secret
from serving.api.declared import BAD_CURSOR, refuses, returns, sends_nothing
from serving.api.fields import STORABLE, IdPath
from serving.api.idempotency import IdempotentRoute
from serving.api.lists import CursorText, Limit, before, page_of
from serving.api.replies import no_content, reply
from serving.api.schemas import Webhook, WebhookDelivery, WebhookDeliveryPage, WebhookList, WebhookWithSecret
from serving.services import ServiceCallerDep, ServicesDep
from serving.times import timestamp

router = APIRouter(route_class=IdempotentRoute, prefix="/v1/webhooks", tags=["webhooks"])

MOST_ENDPOINTS = 50

_WRONG_ADDRESS = refuses(
    HTTPStatus.UNPROCESSABLE_ENTITY, address_not_allowed="The address must begin with https:// and name a public host."
)
_NO_WEBHOOK = refuses(HTTPStatus.NOT_FOUND, webhook_not_found="There is no webhook with this id.")
_NO_DELIVERY = refuses(
    HTTPStatus.NOT_FOUND,
    webhook_not_found="There is no webhook with this id.",
    delivery_not_found="There is no delivery with this id.",
)

Address = Annotated[str, Field(min_length=1, max_length=2000, description="Where to POST events"), STORABLE]
Types = Annotated[
    list[WebhookType], Field(min_length=1, max_length=len(WebhookType), description="Which events to send")
]
Description = Annotated[str, Field(max_length=200), STORABLE]


class NewWebhook(BaseModel):
    """An endpoint that gets events."""

    model_config = ConfigDict(extra="forbid")

    url: Address
    types: Types
    description: Description = ""


class WebhookChange(BaseModel):
    """Changes of an endpoint; omitted fields stay unchanged."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    url: Address | None = None
    types: Types | None = None
    description: Description | None = None
    enabled: Annotated[StrictBool | None, Field(description="Whether events are sent")] = None


_LOCK = "select pg_advisory_xact_lock(hashtextextended('webhook_endpoints', 0))"
_ADD = """
insert into webhook_endpoints (id, url, types, description, secret)
select %(id)s, %(url)s, %(types)s, %(description)s, %(secret)s
where (select count(*) from webhook_endpoints) < %(most)s returning *
"""
_ALL = "select * from webhook_endpoints order by id"
_ONE = "select * from webhook_endpoints where id = %s"
_CHANGE = """
update webhook_endpoints set url = coalesce(%(url)s, url), types = coalesce(%(types)s::text[], types),
    description = coalesce(%(description)s, description),
    failing_since = case when %(enabled)s::boolean then null else failing_since end,
    disabled_at = case when %(enabled)s::boolean then null
                  when not %(enabled)s::boolean then coalesce(disabled_at, now()) else disabled_at end
where id = %(id)s returning *
"""
_DELIVERIES = """
select * from webhook_deliveries
where endpoint_id = %(webhook)s and id < %(before)s and (%(state)s::text is null or state = %(state)s)
order by id desc limit %(limit)s
"""
_REPLAY = """
update webhook_deliveries set state = 'waiting', attempts = 0, next_attempt_at = now()
where id = %s and endpoint_id = %s returning *
"""


@router.post(
    "",
    status_code=201,
    responses=returns(WebhookWithSecret, status=HTTPStatus.CREATED)
    | _WRONG_ADDRESS
    | refuses(HTTPStatus.CONFLICT, too_many_webhooks=f"There may be at most {MOST_ENDPOINTS} webhooks."),
)
async def create_webhook(body: NewWebhook, services: ServicesDep, _: ServiceCallerDep) -> Response:
    """Add an endpoint that gets events. Its secret is in this reply only.

    Each event is a POST with the headers `webhook-id`, `webhook-timestamp` and `webhook-signature` of the Standard
    Webhooks specification. It is sent again, with the same id, until the endpoint answers 2xx: for about three days.
    """
    _check(body.url, services.settings)
    row = body.model_dump() | {"id": services.ids.next(), "secret": new_secret(), "most": MOST_ENDPOINTS}
    async with services.database.connection() as connection:
        await connection.execute(_LOCK)
        added = await (await connection.execute(_ADD, row)).fetchone()
    if added is None:
        raise ConflictError(f"There may be at most {MOST_ENDPOINTS} webhooks.", code="too_many_webhooks")
    return reply(_webhook_json(added) | {"secret": added["secret"]}, HTTPStatus.CREATED)


@router.get("", responses=returns(WebhookList))
async def list_webhooks(services: ServicesDep, _: ServiceCallerDep) -> Response:
    """List all endpoints that get events."""
    async with services.database.connection() as connection:
        return reply({"items": [_webhook_json(row) async for row in await connection.execute(_ALL)]})


@router.get("/{webhook_id}", responses=returns(Webhook) | _NO_WEBHOOK)
async def get_webhook(webhook_id: IdPath, services: ServicesDep, _: ServiceCallerDep) -> Response:
    """Get an endpoint that gets events."""
    async with services.database.connection() as connection:
        return reply(_webhook_json(await _find(connection, webhook_id)))


@router.patch("/{webhook_id}", responses=returns(Webhook) | _NO_WEBHOOK | _WRONG_ADDRESS)
async def update_webhook(
    webhook_id: IdPath, body: WebhookChange, services: ServicesDep, _: ServiceCallerDep
) -> Response:
    """Change an endpoint. `enabled` true sends events again after an endpoint was disabled."""
    if body.url is not None:
        _check(body.url, services.settings)
    async with services.database.connection() as connection:
        found = await connection.execute(_CHANGE, body.model_dump() | {"id": decode_id(webhook_id)})
        row = await found.fetchone()
    if row is None:
        raise _no_webhook()
    return reply(_webhook_json(row))


@router.delete("/{webhook_id}", status_code=204, responses=sends_nothing() | _NO_WEBHOOK)
async def delete_webhook(webhook_id: IdPath, services: ServicesDep, _: ServiceCallerDep) -> Response:
    """Delete an endpoint and its deliveries."""
    async with services.database.connection() as connection:
        deleted = await connection.execute("delete from webhook_endpoints where id = %s", (decode_id(webhook_id),))
    if not deleted.rowcount:
        raise _no_webhook()
    return no_content()


@router.get("/{webhook_id}/deliveries", responses=returns(WebhookDeliveryPage) | _NO_WEBHOOK | BAD_CURSOR)
async def list_webhook_deliveries(
    webhook_id: IdPath,
    services: ServicesDep,
    _: ServiceCallerDep,
    state: Annotated[
        Literal["waiting", "delivered", "failed"] | None, Query(description="Only deliveries in this state")
    ] = None,
    limit: Limit = 30,
    cursor: CursorText = None,
) -> Response:
    """List what was sent to an endpoint in the last 30 days, or will be, newest first."""
    page = {"webhook": decode_id(webhook_id), "before": before(cursor), "state": state, "limit": limit + 1}
    async with services.database.connection() as connection:
        await _find(connection, webhook_id)
        rows = await (await connection.execute(_DELIVERIES, page)).fetchall()
    return reply(page_of(rows, limit, _delivery_json, lambda row: encode_id(row["id"])))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay",
    status_code=202,
    responses=returns(WebhookDelivery, status=HTTPStatus.ACCEPTED) | _NO_DELIVERY,
)
async def replay_webhook_delivery(
    webhook_id: IdPath, delivery_id: IdPath, services: ServicesDep, _: ServiceCallerDep
) -> Response:
    """Send a delivery again, with the same id and body."""
    async with services.database.connection() as connection:
        await _find(connection, webhook_id)
        found = await connection.execute(_REPLAY, (decode_id(delivery_id), decode_id(webhook_id)))
        row = await found.fetchone()
    if row is None:
        raise NotFoundError("There is no delivery with this id.", code="delivery_not_found")
    return reply(_delivery_json(row), HTTPStatus.ACCEPTED)


def _check(url: str, settings: Settings) -> None:
    """Check the form of an address. What its host resolves to is checked whenever something is sent.

    Raises:
        InvalidError: it is not one that events may be sent to.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    schemes = ("https", "http") if settings.is_development else ("https",)
    is_plain = url.isascii() and url.isprintable() and " " not in url and "@" not in parts.netloc
    if parts.scheme not in schemes or not host or not is_plain or not (_may_be_public(host) or _private(settings)):
        detail = f"The address must begin with {' or '.join(f'{one}://' for one in schemes)} and name a public host."
        raise InvalidError(detail, code="address_not_allowed")


def _private(settings: Settings) -> bool:
    return settings.webhook_private_addresses


def _may_be_public(host: str) -> bool:
    """Whether a host is not evidently private."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return host != "localhost" and "." in host


def _no_webhook() -> NotFoundError:
    return NotFoundError("There is no webhook with this id.", code="webhook_not_found")


async def _find(connection: AsyncConnection[DictRow], webhook_id: str) -> DictRow:
    row = await (await connection.execute(_ONE, (decode_id(webhook_id),))).fetchone()
    if row is None:
        raise _no_webhook()
    return row


def _webhook_json(row: DictRow) -> dict[str, Any]:
    return {
        "id": encode_id(row["id"]),
        "url": row["url"],
        "types": row["types"],
        "description": row["description"],
        "enabled": row["disabled_at"] is None,
        "failingSince": timestamp(row["failing_since"]) if row["failing_since"] else None,
        "createdAt": timestamp(row["created_at"]),
    }


def _delivery_json(row: DictRow) -> dict[str, Any]:
    return {
        "id": encode_id(row["id"]),
        "messageId": row["message_id"],
        "type": row["type"],
        "body": row["body"],
        "state": row["state"],
        "attempts": row["attempts"],
        "nextAttemptAt": timestamp(row["next_attempt_at"]) if row["state"] == "waiting" else None,
        "lastStatus": row["last_status"],
        "lastError": row["last_error"],
        "createdAt": timestamp(row["created_at"]),
        "deliveredAt": timestamp(row["delivered_at"]) if row["delivered_at"] else None,
    }
