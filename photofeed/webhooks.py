"""Webhooks by the Standard Webhooks specification: event types, signatures, and the statement that queues an event.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
import secrets
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

import orjson

from photofeed.ids import encode_id, uuid7

SECRET_PREFIX = "whsec_"  # noqa: S105  a prefix
_SECRET_BYTES = 32
RETENTION = timedelta(days=30)  # of deliveries


class WebhookType(StrEnum):
    """Events that are sent."""

    PHOTO_READY = "photo.ready"
    PHOTO_REJECTED = "photo.rejected"
    POST_REPORTED = "post.reported"


# One row for each endpoint that wants the event; in the transaction of the event. Parameters: those of `event`.
QUEUE = """
insert into webhook_deliveries (endpoint_id, message_id, type, body)
select id, %(message_id)s, %(type)s, %(body)s from webhook_endpoints
where disabled_at is null and %(type)s = any(types)
"""
FORGET = "delete from webhook_deliveries where created_at < %s"


def event(kind: WebhookType, data: dict[str, Any]) -> dict[str, str]:
    """The parameters of QUEUE: an event with ids of the API in its data."""
    body = {"type": kind.value, "timestamp": datetime.now(UTC).isoformat(), "data": data}
    return {"message_id": f"msg_{uuid7()}", "type": kind.value, "body": orjson.dumps(body).decode()}


def new_secret() -> str:
    """A key for signatures, as receivers configure it."""
    return SECRET_PREFIX + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: HMAC-SHA256 over id, timestamp and body, joined by dots."""
    key = b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + b64encode(hmac.new(key, signed, sha256).digest()).decode()


def photo_event(photo_id: int, owner_id: int, *, ready: bool) -> dict[str, str]:
    """The parameters of QUEUE for a photo that is ready, or was rejected."""
    kind = WebhookType.PHOTO_READY if ready else WebhookType.PHOTO_REJECTED
    return event(kind, {"photoId": encode_id(photo_id), "ownerId": encode_id(owner_id)})
