"""Photos: get an upload address, complete the upload, watch the processing."""

import asyncio
import base64
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal

import anyio.to_thread
import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from photofeed.byte_sizes import human_size
from photofeed.database import write_outbox
from photofeed.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, QuotaError, RetryableError
from photofeed.ids import decode_id, encode_id, topic_id
from photofeed.object_store import UploadConditions
from photofeed.original_keys import UPLOADS, completed_key, possible_keys, upload_key
from photofeed.publication import PUBLICATION, avatar_removal, withdrawal
from photofeed.settings import Settings
from photofeed.topics import PHOTO_UPLOADED
from photofeed.uploads import uploaded
from serving.api.declared import NO_PHOTO, NO_USER, TOO_MANY_STREAMS, refuses, returns, sends, sends_nothing
from serving.api.fields import SHA256, WHOLE, AltText, Caption, IdPath, Moment, Tags, check_creation
from serving.api.idempotency import IdempotentRoute
from serving.api.replies import no_content, reply
from serving.api.schemas import ContentType, Photo, UploadTicket
from serving.api.server_sent_events import MEDIA_TYPE, STILL_HERE, LastEventId, event, event_stream
from serving.services import ActorDep, CallerDep, Services, ServicesDep
from serving.times import timestamp
from serving.visibility import VISIBLE_TO_VIEWER

log = structlog.get_logger(__name__)

router = APIRouter(route_class=IdempotentRoute, prefix="/v1/photos", tags=["photos"])

MEDIA_TYPES = Literal["image/jpeg", "image/png", "image/webp", "image/avif", "image/heic", "image/heif", "image/gif"]
FINAL = frozenset({"ready", "review", "rejected", "failed"})
# A stream looks often for ten seconds, in which most photos are ready, and seldom for the rest of three minutes.
_STATUS_POLL_SECONDS, _STATUS_SLOW_SECONDS = 0.25, 1.0
_STATUS_FAST_TURNS, _STATUS_TURNS = 40, 210
_COPY_ATTEMPTS = 3
_STATUS_SILENT_TURNS = 15  # a comment at least every 15 s


class Initiate(BaseModel):
    """What the client knows about the file. The object store enforces every value that is given."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    media_type: MEDIA_TYPES | None = None
    byte_size: Annotated[int, Field(ge=1), WHOLE] | None = None
    sha256: Annotated[str | None, Field(pattern=SHA256, description="Hexadecimal")] = None
    created_at: Annotated[Moment | None, Field(description="Services only: backdate the photo")] = None
    purpose: Annotated[
        Literal["post", "avatar"], Field(description="`avatar`: a profile picture, which becomes no post")
    ] = "post"


class Complete(BaseModel):
    """Words and content type of the post."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    caption: Caption = ""
    alt_text: AltText = ""
    tags: Tags = []
    content_type: ContentType = "photo"


PHOTO_ROWS = """
select ph.*, coalesce(p.caption, '') as caption, coalesce(p.alt_text, '') as alt_text, coalesce(p.tags, '{}') as tags,
       p.content_type, m.latitude, m.longitude,
       (select is_private and ph.purpose <> 'avatar' from users where id = ph.owner_id) as is_private
from photos ph left join posts p on p.id = ph.id left join photo_metadata m on m.photo_id = ph.id
"""


@router.post(
    "/initiate",
    status_code=201,
    responses=returns(UploadTicket, status=HTTPStatus.CREATED)
    | refuses(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        too_large="A photo may have at most 50 MB.",
        unsupported_format="Photos of type image/heif are not accepted.",
        creation_time="createdAt must be after 2020-01-01, and not in the future.",
    )
    | refuses(
        HTTPStatus.TOO_MANY_REQUESTS,
        too_many_photos="You have reached today's limit. Try again tomorrow.",
        too_many_unfinished="Complete or delete the uploads that you have started first.",
    )
    | NO_USER,
)
async def initiate_photo(
    services: ServicesDep, caller: CallerDep, actor: ActorDep, body: Initiate | None = None
) -> Response:
    """Start an upload: get a signed address to PUT one photo to, directly into object storage."""
    body = body or Initiate()
    if body.created_at is not None and not caller.is_service:
        raise ForbiddenError("Only a service may backdate a photo.")
    if body.byte_size is not None and body.byte_size > services.settings.upload_max_bytes:
        raise InvalidError(
            f"A photo may have at most {human_size(services.settings.upload_max_bytes)}.", code="too_large"
        )
    _check_format(body.media_type, services.settings.upload_formats)
    created_at = check_creation(body.created_at or datetime.now(UTC))
    photo_id = services.ids.at(created_at) if body.created_at else services.ids.next()
    seconds = services.settings.upload_url_seconds
    expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
    key = upload_key(actor, photo_id, expires_at)
    async with services.database.connection() as connection:
        found = await connection.execute(
            "insert into photos"
            " (id, owner_id, status, original_key, media_type, byte_size, sha256, imported, created_at, purpose)"
            " select %s, id, 'awaiting_upload', %s, %s, %s, %s, %s, %s, %s from users where id = %s",
            (
                *(photo_id, key, body.media_type, body.byte_size, body.sha256),
                *(body.created_at is not None, created_at, body.purpose, actor),
            ),
        )
        if not found.rowcount:
            raise NotFoundError("There is no user with this id.", code="user_not_found")
        if not caller.is_service:
            await _count_upload(connection, actor, services.settings.uploads_per_day)
            await _check_unfinished(connection, actor, services.settings)
    conditions = UploadConditions(body.media_type, body.byte_size, _base64(body.sha256))
    url = services.objects.presign_put(services.settings.bucket_originals, key, seconds, conditions)
    ticket = {"photoId": encode_id(photo_id), "uploadUrl": url, "expiresAt": timestamp(expires_at)}
    return reply(ticket | {"headers": _headers(conditions)}, HTTPStatus.CREATED)


def _check_format(media_type: str | None, taken: frozenset[str]) -> None:
    if media_type is not None and media_type.removeprefix("image/").replace("heic", "heif") not in taken:
        raise InvalidError(f"Photos of the type {media_type} are not supported.", code="unsupported_format")


_COUNT_UPLOAD = """
insert into upload_days as counted (user_id, day, photos) values (%s, %s, 1)
on conflict (user_id, day) do update set photos = counted.photos + 1 where counted.photos < %s
"""


async def _count_upload(connection: AsyncConnection[DictRow], user_id: int, most: int) -> None:
    """Count a photo against the user's quota of the day (UTC). Deleting photos does not reduce the count."""
    now = datetime.now(UTC)
    counted = await connection.execute(_COUNT_UPLOAD, (user_id, now.date(), most))
    if not counted.rowcount:
        tomorrow = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
        raise QuotaError(
            f"You have uploaded {most:,} photos today, the daily limit. Please continue tomorrow.",
            code="too_many_photos",
            retry_after_seconds=math.ceil((tomorrow - now).total_seconds()),
        )


# An upload without an announced size may have any. The address of a deleted upload is valid until it expires.
_UNFINISHED = """
select sum(bytes) as bytes, min(began) as oldest from (
    select coalesce(byte_size, %(most)s) as bytes, initiated_at as began from photos
    where owner_id = %(owner)s and status = 'awaiting_upload'
    union all
    select %(most)s, removed_at from removed_photos
    where owner_id = %(owner)s and original_key like %(uploads)s and removed_at > %(since)s and purged_at is null
) unfinished
"""


async def _check_unfinished(connection: AsyncConnection[DictRow], user_id: int, settings: Settings) -> None:
    """Check what a person could upload without completing it; the count of the day is locked, so calls take turns."""
    now, lifetime = datetime.now(UTC), timedelta(seconds=settings.upload_url_seconds)
    values = {"owner": user_id, "most": settings.upload_max_bytes, "uploads": f"{UPLOADS}%", "since": now - lifetime}
    row = await (await connection.execute(_UNFINISHED, values)).fetchone()
    if row is not None and (row["bytes"] or 0) > settings.upload_unfinished_bytes:
        raise QuotaError(
            f"You have started uploads of more than {human_size(settings.upload_unfinished_bytes)}. Please complete "
            "or delete some first.",
            code="too_many_unfinished",
            retry_after_seconds=max(math.ceil((row["oldest"] + lifetime - now).total_seconds()), 1),
        )


def _base64(sha256: str | None) -> str | None:
    return base64.b64encode(bytes.fromhex(sha256)).decode() if sha256 else None


def _headers(conditions: UploadConditions) -> dict[str, str]:
    """Headers that the PUT must send because they are signed. Browsers add the content length themselves."""
    headers = {"Content-Type": conditions.media_type, "x-amz-checksum-sha256": conditions.sha256_base64}
    return {name: value for name, value in headers.items() if value is not None}


@router.post(
    "/{photo_id}/complete",
    status_code=202,
    responses=returns(Photo, status=HTTPStatus.ACCEPTED)
    | refuses(HTTPStatus.CONFLICT, not_uploaded="Nothing has been uploaded for this photo yet.")
    | refuses(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        too_large="The photo has 60 MB; at most 50 MB are allowed.",
        no_post="A profile picture has no caption, no altText and no tags.",
    )
    | NO_PHOTO,
)
async def complete_photo(
    photo_id: IdPath, services: ServicesDep, actor: ActorDep, body: Complete | None = None
) -> Response:
    """Complete an upload: the photo is then processed. A repeated call returns the current state."""
    body = body or Complete()
    photo = decode_id(photo_id)
    row = await _own_photo(services, actor, photo)
    if row["purpose"] == "avatar" and (body.caption or body.alt_text or body.tags):
        raise InvalidError("A profile picture has no caption, no altText and no tags.", code="no_post")
    if row["status"] == "awaiting_upload":
        if await _start_processing(services, row, body):
            await _delete_originals(services, row["original_key"])
        row = await _own_photo(services, actor, photo)
    return reply(photo_json(services, row, actor), HTTPStatus.ACCEPTED)


async def _copy_uploaded(services: Services, row: DictRow) -> tuple[str, str]:
    """Copy the checked upload to a key that no upload address can write; returns the key and the copy's ETag.

    Raises:
        ConflictError: there is no upload, or it is replaced again and again.
        InvalidError: it is too large; it has then been deleted.
    """
    bucket, key = services.settings.bucket_originals, completed_key(row["owner_id"], row["id"])
    for _ in range(_COPY_ATTEMPTS):
        try:
            info = await anyio.to_thread.run_sync(services.objects.head, bucket, row["original_key"])
            await _check_size(services, info.size, row["original_key"])
            return key, await anyio.to_thread.run_sync(
                services.objects.copy, bucket, row["original_key"], key, info.etag
            )
        except NotFoundError as error:
            raise ConflictError("Nothing has been uploaded for this photo yet.", code="not_uploaded") from error
        except ConflictError:  # replaced since it was checked: check what is there now
            continue
    raise ConflictError("The upload of this photo has not ended yet.", code="not_uploaded")


async def _check_size(services: Services, size: int, key: str) -> None:
    limit = services.settings.upload_max_bytes
    if size > limit:
        await _delete_originals(services, key)
        words = f"The photo has {human_size(size)}; at most {human_size(limit)} are allowed."
        raise InvalidError(words, code="too_large")


async def _delete_originals(services: Services, *keys: str) -> None:
    """Delete objects that are not needed any more. If the store does not answer, the sweeper deletes them later."""
    for key in keys:
        try:
            await anyio.to_thread.run_sync(services.objects.delete, services.settings.bucket_originals, key)
        except RetryableError as error:
            log.warning("object not deleted: the sweeper will", key=key, error=str(error))


_INSERT_POST = """
insert into posts (id, author_id, caption, alt_text, tags, topic, topic_id, content_type, posted_at, words)
values (%(id)s, %(author)s, %(caption)s, %(alt_text)s, %(tags)s, %(topic)s, %(topic_id)s, %(content_type)s,
        %(posted_at)s, post_words(%(words)s))
"""


_LOCK_AWAITING = "select 1 from photos where id = %s and status = 'awaiting_upload' for update"
_COMPLETED = """
update photos set status = 'processing', completed_at = %s,
    upload_key = original_key, original_key = %s, original_etag = %s
where id = %s
"""


async def _start_processing(services: Services, row: DictRow, body: Complete) -> bool:
    """Set the photo to processing, once, and write its post and message in the same transaction.

    The row is locked while the upload is copied, so of concurrent calls one copies.

    Returns:
        Whether this call completed the upload.
    """
    now = datetime.now(UTC)
    async with services.database.connection() as connection:
        if await (await connection.execute(_LOCK_AWAITING, (row["id"],))).fetchone() is None:
            return False
        key, etag = await _copy_uploaded(services, row)
        await connection.execute(_COMPLETED, (now, key, etag, row["id"]))
        if row["purpose"] == "post":
            await connection.execute(_INSERT_POST, _post_columns(row, body, now))
        await write_outbox(connection, [(PHOTO_UPLOADED, uploaded(row["id"], key, row["owner_id"]))])
    return True


def _post_columns(row: DictRow, body: Complete, now: datetime) -> dict[str, Any]:
    topic = body.tags[0] if body.tags else ""
    return {
        "id": row["id"],
        "author": row["owner_id"],
        "caption": body.caption,
        "alt_text": body.alt_text,
        "tags": body.tags,
        "topic": topic,
        "topic_id": topic_id(topic),
        "content_type": body.content_type,
        "posted_at": row["created_at"] if row["imported"] else now,
        "words": " ".join([body.caption, *body.tags]),
    }


async def _own_photo(services: Services, actor: int, photo: int) -> DictRow:
    async with services.database.connection() as connection:
        rows = await connection.execute(f"{PHOTO_ROWS} where ph.id = %s and ph.owner_id = %s", (photo, actor))
        row = await rows.fetchone()
    if row is None:
        raise NotFoundError("You have no photo with this id.", code="photo_not_found")
    return row


_VISIBLE_PHOTO = f"""
{PHOTO_ROWS} join users u on u.id = ph.owner_id
where ph.id = %(photo)s and (ph.owner_id = %(viewer)s or (ph.status = 'ready' and {VISIBLE_TO_VIEWER}))
"""


@router.get(
    "/{photo_id}",
    responses=returns(Photo) | NO_PHOTO,
)
async def get_photo(photo_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Get a photo: your own in any state, other users' if they are ready and visible to you."""
    return reply(photo_json(services, await _visible_photo(services, actor, decode_id(photo_id)), actor))


async def _visible_photo(services: Services, actor: int, photo: int) -> DictRow:
    async with services.database.connection() as connection:
        rows = await connection.execute(_VISIBLE_PHOTO, {"photo": photo, "viewer": actor})
        row = await rows.fetchone()
    if row is None:
        raise NotFoundError("There is no such photo, or you may not see it.", code="photo_not_found")
    return row


@router.get(
    "/{photo_id}/status",
    responses=sends(
        {MEDIA_TYPE: 'retry: 2000\n\nid: ready\nevent: status\ndata: {"id": "15OGRpnNiJv", "status": "ready"}\n\n'},
        "Cache-Control",
        description="Events `status`; the data of each is a Photo, and its `id` the status",
    )
    | sends_nothing(description="You have read the last event of this photo; do not connect again")
    | TOO_MANY_STREAMS
    | NO_PHOTO,
)
async def watch_photo(
    request: Request, photo_id: IdPath, services: ServicesDep, actor: ActorDep, last_event_id: LastEventId = None
) -> Response:
    """Watch a photo: one server-sent event `status` per change, until its processing ends.

    The stream ends after three minutes, or when the photo is deleted. Connect again with `Last-Event-ID`: the status
    that you know is not sent again, and the reply is 204 if it is the last one.
    """
    photo = decode_id(photo_id)
    row = await _own_photo(services, actor, photo)
    if row["status"] in FINAL and row["status"] == last_event_id:
        return no_content()
    services.stop.listen()
    return event_stream(request, actor, _status_events(services, actor, row, last_event_id or ""))


async def _status_events(services: Services, actor: int, row: DictRow, known: str) -> AsyncIterator[bytes]:
    """The events of a photo from its `row` on, as long as its status differs from the `known` one."""
    current, shown = row, known
    for turn in range(_STATUS_TURNS):
        if current["status"] != shown:
            shown = current["status"]
            yield event("status", photo_json(services, current, actor), shown)
        elif turn % _STATUS_SILENT_TURNS == 0:
            yield STILL_HERE
        if shown in FINAL or services.stop.is_set():
            return
        await asyncio.sleep(_STATUS_POLL_SECONDS if turn < _STATUS_FAST_TURNS else _STATUS_SLOW_SECONDS)
        try:
            current = await _own_photo(services, actor, row["id"])
        except NotFoundError:
            return


@router.delete(
    "/{photo_id}",
    status_code=204,
    responses=sends_nothing() | NO_PHOTO,
)
async def delete_photo(photo_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Delete one of your photos, for everyone and permanently."""
    photo = decode_id(photo_id)
    row = await _own_photo(services, actor, photo)
    async with services.database.connection() as connection:
        # A worker that is publishing the photo announces it first: the other way round it would be shown for ever.
        await connection.execute("select 1 from photos where id = %s for update", (photo,))
        publication = await (await connection.execute(PUBLICATION, (photo,))).fetchone()
        if publication is not None:
            await write_outbox(connection, withdrawal(publication))
        elif row["purpose"] == "avatar":
            await write_outbox(connection, avatar_removal(photo))
        await connection.execute("delete from photos where id = %s", (photo,))  # its variants: ingestion/removal.py
    await _delete_originals(services, *possible_keys(row["owner_id"], photo, row["original_key"], row["upload_key"]))
    return no_content()


def photo_json(services: Services, row: DictRow, viewer: int) -> dict[str, Any]:
    """A photo as the API shows it to `viewer`: its location only to its owner."""
    photo_id = encode_id(row["id"])
    failure = {"code": row["failure_code"], "reason": row["failure_reason"]} if row["failure_code"] else None
    variants = row["variants"] if row["status"] == "ready" else []  # others are not served
    return {
        "id": photo_id,
        "ownerId": encode_id(row["owner_id"]),
        "status": row["status"],
        "failure": failure,
        "caption": row["caption"],
        "altText": row["alt_text"],
        "tags": row["tags"],
        "contentType": row["content_type"],
        "createdAt": timestamp(row["created_at"]),
        "width": row["width"],
        "height": row["height"],
        "place": _location_json(row) if row["owner_id"] == viewer else None,
        "blurhash": row["blurhash"],
        "dominantColor": row["dominant_color"],
        "images": services.images.of(
            row["id"],
            {(one["size"], one["width"], one["height"]) for one in variants},
            viewer=viewer,
            is_private=row["is_private"],
        ),
        "variants": [
            {name: variant[name] for name in ("size", "format", "width", "height", "bytes")} for variant in variants
        ],
    }


def _location_json(row: DictRow) -> dict[str, float] | None:
    return None if row["latitude"] is None else {"latitude": row["latitude"], "longitude": row["longitude"]}
