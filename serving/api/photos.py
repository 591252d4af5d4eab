"""Photos: ask where to upload, say that it is done, watch it become ready."""

import asyncio
import base64
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal

import anyio.to_thread
import orjson
from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from photofeed.database import write_outbox
from photofeed.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, QuotaError
from photofeed.events import Envelope
from photofeed.ids import decode_id, encode_id, topic_id
from photofeed.object_store import UploadConditions
from photofeed.publication import PUBLICATION, withdrawal
from photofeed.topics import PHOTO_UPLOADED
from serving.api.fields import STORABLE, CreationMoment
from serving.api.replies import no_content, reply, timestamp
from serving.posts import images_json
from serving.services import ActorDep, CallerDep, Services, ServicesDep
from serving.visibility import VISIBLE_TO_VIEWER

router = APIRouter(prefix="/v1/photos", tags=["photos"])

MEDIA_TYPES = Literal["image/jpeg", "image/png", "image/webp", "image/avif", "image/heic", "image/heif", "image/gif"]
FINAL = frozenset({"ready", "review", "rejected", "failed"})
_STATUS_POLL_SECONDS, _STATUS_LONGEST_SECONDS = 0.25, 180.0
_STATUS_SILENT_TURNS = 60  # of a quarter second each: proxies close what is silent for longer


class Initiate(BaseModel):
    """What the client knows of the file; whatever is given, the store enforces."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    media_type: MEDIA_TYPES | None = None
    byte_size: Annotated[int | None, Field(ge=1)] = None
    sha256: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$", description="Hexadecimal")] = None
    created_at: Annotated[CreationMoment | None, Field(description="Services only: date the photo back")] = None


Tag = Annotated[str, Field(min_length=1, max_length=50), STORABLE]


class Complete(BaseModel):
    """The words that go with the photo."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    caption: Annotated[str, Field(max_length=2200), STORABLE] = ""
    tags: Annotated[list[Tag], Field(max_length=30)] = []
    content_type: Literal["photo", "reel"] = "photo"

    @field_validator("tags")
    @classmethod
    def _plain_tags(cls, tags: list[str]) -> list[str]:
        plain = [tag.strip().lstrip("#").casefold() for tag in tags]
        return list(dict.fromkeys(tag for tag in plain if tag))


_PHOTO = """
select ph.*, coalesce(p.caption, '') as caption, coalesce(p.tags, '{}') as tags, p.content_type,
       m.latitude, m.longitude
from photos ph left join posts p on p.id = ph.id left join photo_metadata m on m.photo_id = ph.id
"""


@router.post("/initiate", status_code=201)
async def initiate(services: ServicesDep, caller: CallerDep, actor: ActorDep, body: Initiate | None = None) -> Response:
    """Get an address to PUT one photo to, straight into object storage."""
    body = body or Initiate()
    if body.created_at is not None and not caller.is_service:
        raise ForbiddenError("Only a service may date a photo back.")
    if body.byte_size is not None and body.byte_size > services.settings.upload_max_bytes:
        raise InvalidError(f"Photos may have at most {services.settings.upload_max_bytes:,} bytes.", code="too_large")
    _check_format(body.media_type, services.settings.upload_formats)
    created_at = body.created_at or datetime.now(UTC)
    photo_id = services.ids.at(created_at) if body.created_at else services.ids.next()
    key = f"{actor}/{photo_id}"
    async with services.database.connection() as connection:
        found = await connection.execute(
            "insert into photos"
            " (id, owner_id, status, original_key, media_type, byte_size, sha256, imported, created_at)"
            " select %s, id, 'awaiting_upload', %s, %s, %s, %s, %s, %s from users where id = %s",
            (
                *(photo_id, key, body.media_type, body.byte_size, body.sha256),
                *(body.created_at is not None, created_at, actor),
            ),
        )
        if not found.rowcount:
            raise NotFoundError("There is nobody with this id.", code="user_not_found")
        if not caller.is_service:
            await _count_upload(connection, actor, services.settings.uploads_per_day)
    seconds = services.settings.upload_url_seconds
    conditions = UploadConditions(body.media_type, body.byte_size, _base64(body.sha256))
    url = services.objects.presign_put(services.settings.bucket_originals, key, seconds, conditions)
    expires_at = timestamp(datetime.now(UTC) + timedelta(seconds=seconds))
    return reply(
        {"photoId": encode_id(photo_id), "uploadUrl": url, "expiresAt": expires_at, "headers": _headers(conditions)},
        HTTPStatus.CREATED,
    )


def _check_format(media_type: str | None, taken: frozenset[str]) -> None:
    if media_type is not None and media_type.removeprefix("image/").replace("heic", "heif") not in taken:
        raise InvalidError(f"Photos of the type {media_type} are not taken.", code="unsupported_format")


_COUNT_UPLOAD = """
insert into upload_days as counted (user_id, day, photos) values (%s, %s, 1)
on conflict (user_id, day) do update set photos = counted.photos + 1 where counted.photos < %s
"""


async def _count_upload(connection: AsyncConnection[DictRow], user_id: int, most: int) -> None:
    """Count a photo against the day (UTC) of a person; deleting photos gives nothing back."""
    now = datetime.now(UTC)
    counted = await connection.execute(_COUNT_UPLOAD, (user_id, now.date(), most))
    if not counted.rowcount:
        tomorrow = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
        raise QuotaError(
            f"You have uploaded {most:,} photos today, which is all a day allows. Please go on tomorrow.",
            code="too_many_photos",
            retry_after_seconds=math.ceil((tomorrow - now).total_seconds()),
        )


def _base64(sha256: str | None) -> str | None:
    return base64.b64encode(bytes.fromhex(sha256)).decode() if sha256 else None


def _headers(conditions: UploadConditions) -> dict[str, str]:
    """Headers that the PUT must carry because they are signed; a browser adds the length by itself."""
    headers = {"Content-Type": conditions.media_type, "x-amz-checksum-sha256": conditions.sha256_base64}
    return {name: value for name, value in headers.items() if value is not None}


@router.post("/{photo_id}/complete", status_code=202)
async def complete(photo_id: str, services: ServicesDep, actor: ActorDep, body: Complete | None = None) -> Response:
    """Say that the upload is done; the photo is then processed. Again returns how things stand."""
    body = body or Complete()
    photo = decode_id(photo_id)
    row = await _own_photo(services, actor, photo)
    if row["status"] == "awaiting_upload":
        await _check_uploaded(services, row)
        await _start_processing(services, row, body)
        row = await _own_photo(services, actor, photo)
    return reply(photo_json(services, row, actor), HTTPStatus.ACCEPTED)


async def _check_uploaded(services: Services, row: DictRow) -> None:
    try:
        info = await anyio.to_thread.run_sync(
            services.objects.head, services.settings.bucket_originals, row["original_key"]
        )
    except NotFoundError as error:
        raise ConflictError("Nothing has been uploaded for this photo yet.", code="not_uploaded") from error
    if info.size > services.settings.upload_max_bytes:
        limit = services.settings.upload_max_bytes
        raise InvalidError(f"The photo has {info.size:,} bytes; at most {limit:,} are taken.", code="too_large")


_INSERT_POST = """
insert into posts (id, author_id, caption, tags, topic, topic_id, content_type, posted_at, words)
values (%(id)s, %(author)s, %(caption)s, %(tags)s, %(topic)s, %(topic_id)s, %(content_type)s, %(posted_at)s,
        to_tsvector('simple', %(words)s))
"""


async def _start_processing(services: Services, row: DictRow, body: Complete) -> None:
    """Move the photo on, once, and write post and message in the same transaction."""
    now = datetime.now(UTC)
    posted_at = row["created_at"] if row["imported"] else now
    topic = body.tags[0] if body.tags else ""
    async with services.database.connection() as connection:
        moved = await connection.execute(
            "update photos set status = 'processing', completed_at = %s where id = %s and status = 'awaiting_upload'",
            (now, row["id"]),
        )
        if not moved.rowcount:
            return
        await connection.execute(
            _INSERT_POST,
            {
                "id": row["id"],
                "author": row["owner_id"],
                "caption": body.caption,
                "tags": body.tags,
                "topic": topic,
                "topic_id": topic_id(topic),
                "content_type": body.content_type,
                "posted_at": posted_at,
                "words": " ".join([body.caption, *body.tags]),
            },
        )
        payload = {"photoId": row["id"], "s3Key": row["original_key"], "userId": row["owner_id"]}
        await write_outbox(connection, [(PHOTO_UPLOADED, Envelope("photo.uploaded", str(row["id"]), payload))])


async def _own_photo(services: Services, actor: int, photo: int) -> DictRow:
    async with services.database.connection() as connection:
        rows = await connection.execute(f"{_PHOTO} where ph.id = %s and ph.owner_id = %s", (photo, actor))
        row = await rows.fetchone()
    if row is None:
        raise NotFoundError("You have no photo with this id.", code="photo_not_found")
    return row


_VISIBLE_PHOTO = f"""
{_PHOTO} join users u on u.id = ph.owner_id
where ph.id = %(photo)s and (ph.owner_id = %(viewer)s or (ph.status = 'ready' and {VISIBLE_TO_VIEWER}))
"""


@router.get("/{photo_id}")
async def get_photo(photo_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """A photo: one's own in any state, others' once they are ready and one may see them."""
    return reply(photo_json(services, await _visible_photo(services, actor, decode_id(photo_id)), actor))


async def _visible_photo(services: Services, actor: int, photo: int) -> DictRow:
    async with services.database.connection() as connection:
        rows = await connection.execute(_VISIBLE_PHOTO, {"photo": photo, "viewer": actor})
        row = await rows.fetchone()
    if row is None:
        raise NotFoundError("There is no such photo for you.", code="photo_not_found")
    return row


@router.get("/{photo_id}/status")
async def watch_photo(photo_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Server-sent events `status`, one a change, until the photo is ready or never will be.

    After three minutes, or when the photo is deleted, the stream ends; browsers ask again by themselves.
    """
    photo = decode_id(photo_id)
    row = await _own_photo(services, actor, photo)

    async def changes() -> AsyncIterator[bytes]:
        current, shown = row, ""
        for turn in range(int(_STATUS_LONGEST_SECONDS / _STATUS_POLL_SECONDS)):
            if current["status"] != shown:
                shown = current["status"]
                yield b"event: status\ndata: " + orjson.dumps(photo_json(services, current, actor)) + b"\n\n"
            elif turn % _STATUS_SILENT_TURNS == 0:
                yield b": still waiting\n\n"
            if shown in FINAL:
                return
            await asyncio.sleep(_STATUS_POLL_SECONDS)
            try:
                current = await _own_photo(services, actor, photo)
            except NotFoundError:
                return

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would gather the events
    return StreamingResponse(changes(), media_type="text/event-stream", headers=headers)


@router.delete("/{photo_id}", status_code=204)
async def delete_photo(photo_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Take a photo of one's own away, for everybody and for good."""
    photo = decode_id(photo_id)
    await _own_photo(services, actor, photo)
    async with services.database.connection() as connection:
        publication = await (await connection.execute(PUBLICATION, (photo,))).fetchone()
        if publication is not None:
            await write_outbox(connection, withdrawal(publication))
        await connection.execute("delete from photos where id = %s", (photo,))  # its objects: ingestion/removal.py
    return no_content()


def photo_json(services: Services, row: DictRow, viewer: int) -> dict[str, Any]:
    """A photo as the API shows it to `viewer`: where it was taken only to its owner."""
    photo_id = encode_id(row["id"])
    failure = {"code": row["failure_code"], "reason": row["failure_reason"]} if row["failure_code"] else None
    variants = row["variants"] if row["status"] == "ready" else []  # others are not served, not even to their owner
    return {
        "id": photo_id,
        "ownerId": encode_id(row["owner_id"]),
        "status": row["status"],
        "failure": failure,
        "caption": row["caption"],
        "tags": row["tags"],
        "contentType": row["content_type"],
        "createdAt": timestamp(row["created_at"]),
        "width": row["width"],
        "height": row["height"],
        "place": _place_json(row) if row["owner_id"] == viewer else None,
        "blurhash": row["blurhash"],
        "dominantColor": row["dominant_color"],
        "images": images_json(
            services.settings.public_url, photo_id, {(one["size"], one["width"], one["height"]) for one in variants}
        ),
        "variants": [
            {name: variant[name] for name in ("size", "format", "width", "height", "bytes")} for variant in variants
        ],
    }


def _place_json(row: DictRow) -> dict[str, float] | None:
    return None if row["latitude"] is None else {"latitude": row["latitude"], "longitude": row["longitude"]}
