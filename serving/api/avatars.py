"""Your profile picture: a photo of the purpose `avatar` that has been processed and moderated."""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from photofeed.database import write_outbox
from photofeed.errors import ConflictError, NotFoundError
from photofeed.ids import decode_id
from photofeed.publication import avatar_removal
from serving.api.declared import NO_PHOTO, refuses, returns
from serving.api.fields import EncodedId
from serving.api.replies import reply
from serving.api.schemas import Me
from serving.api.user_rows import find_user, require_actor
from serving.api.users import own_json
from serving.services import ActorDep, Services, ServicesDep

router = APIRouter(prefix="/v1/me", tags=["people"])

_LOCK_ME = "select avatar_id from users where id = %s for no key update"
_FIND = "select status from photos where id = %s and owner_id = %s and purpose = 'avatar' for share"
_SET = "update users set avatar_id = %s where id = %s"
_DELETE = "delete from photos where id = %s and purpose = 'avatar'"


class NewAvatar(BaseModel):
    """The photo to show as the profile picture."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    photo_id: EncodedId


@router.put(
    "/avatar",
    responses=returns(Me)
    | NO_PHOTO
    | refuses(HTTPStatus.CONFLICT, photo_not_ready="This photo is processing: it can be shown when it is ready."),
)
async def set_avatar(body: NewAvatar, services: ServicesDep, actor: ActorDep) -> Response:
    """Show a photo as your profile picture, cropped to a square.

    Upload it with the `purpose` `avatar`, and wait until it is ready. The picture before it is deleted.
    """
    photo = decode_id(body.photo_id)
    async with services.database.connection() as connection:
        await require_actor(connection, actor)
        former = await (await connection.execute(_LOCK_ME, (actor,))).fetchone()
        row = await (await connection.execute(_FIND, (photo, actor))).fetchone()
        if row is None:
            raise NotFoundError("You have no profile picture with this id.", code="photo_not_found")
        if row["status"] != "ready":
            raise ConflictError(
                f"This photo is {row['status']}: it can be shown when it is ready.", code="photo_not_ready"
            )
        await connection.execute(_SET, (photo, actor))
        if former and former["avatar_id"] not in (None, photo):
            await _delete(connection, former["avatar_id"])
    return await _me(services, actor)


@router.delete(
    "/avatar",
    responses=returns(Me),
)
async def delete_avatar(services: ServicesDep, actor: ActorDep) -> Response:
    """Delete your profile picture. A repeated call changes nothing."""
    async with services.database.connection() as connection:
        await require_actor(connection, actor)
        former = await (await connection.execute(_LOCK_ME, (actor,))).fetchone()
        if former and former["avatar_id"] is not None:
            await _delete(connection, former["avatar_id"])
    return await _me(services, actor)


async def _delete(connection: AsyncConnection[DictRow], photo: int) -> None:
    await connection.execute(_DELETE, (photo,))
    await write_outbox(connection, avatar_removal(photo))


async def _me(services: Services, actor: int) -> Response:
    async with services.database.connection() as connection:
        return reply(own_json(await find_user(connection, actor), services.settings.public_url))
