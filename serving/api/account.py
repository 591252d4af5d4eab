"""Your account as a whole: take a copy of what is stored about you, and delete it."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.responses import Response, StreamingResponse
from psycopg.rows import DictRow

from photofeed.erasures import request_statements
from photofeed.errors import InvalidError, NotFoundError, QuotaError
from photofeed.ids import encode_id
from serving.account_export import make_archive
from serving.api.declared import NO_USER, refuses, returns, sends
from serving.api.replies import reply
from serving.api.schemas import AccountDeletion
from serving.api.user_rows import find_user
from serving.services import ActorDep, LeaverDep, Services, ServicesDep
from serving.times import timestamp

router = APIRouter(prefix="/v1", tags=["people"])

EXPORT_SECONDS = 60  # one export of a person in this time
_DELETION = "select * from erasures where user_id = %s"
_NOT_CONFIRMED = "Send your handle in the header Confirm-Deletion. A deleted account cannot be restored."


@router.delete(
    "/me",
    status_code=202,
    responses=returns(AccountDeletion, status=HTTPStatus.ACCEPTED)
    | refuses(HTTPStatus.UNPROCESSABLE_ENTITY, not_confirmed=_NOT_CONFIRMED)
    | refuses(HTTPStatus.FORBIDDEN, forbidden="Only the person can delete their account.")
    | NO_USER,
)
async def delete_me(
    services: ServicesDep,
    leaver: LeaverDep,
    confirm_deletion: Annotated[str | None, Header(description="Your handle", max_length=64)] = None,
) -> Response:
    """Delete your account and everything that is stored about you. It cannot be undone.

    Your name and posts disappear at once, and your tokens are refused from then on. A job then erases every store.
    A repeated call needs no confirmation, changes nothing, and tells how far the job is.
    """
    if not leaver.has_left:
        await _request(services, leaver.user_id, confirm_deletion)
    async with services.database.connection() as connection:
        row = await (await connection.execute(_DELETION, (leaver.user_id,))).fetchone()
    if row is None:
        raise NotFoundError("There is no user with this id.", code="user_not_found")
    return reply(_deletion_json(leaver.user_id, row), HTTPStatus.ACCEPTED)


async def _request(services: Services, user_id: int, confirmation: str | None) -> None:
    async with services.database.connection() as connection:
        handle = (await find_user(connection, user_id))["handle"]
        if (confirmation or "").strip().lstrip("@").lower() != handle:
            raise InvalidError(_NOT_CONFIRMED, code="not_confirmed")
        for statement, parameters in request_statements(user_id):
            await connection.execute(statement, parameters)
    services.verifier.forget(user_id)


def _deletion_json(user_id: int, row: DictRow) -> dict[str, Any]:
    erased_at = row["erased_at"]
    return {
        "userId": encode_id(user_id),
        "status": "erased" if erased_at else "erasing",
        "requestedAt": timestamp(row["requested_at"]),
        "erasedAt": timestamp(erased_at) if erased_at else None,
    }


@router.get(
    "/me/export",
    responses=sends({"application/zip": None}, "Cache-Control", description="A ZIP archive of NDJSON files")
    | refuses(HTTPStatus.TOO_MANY_REQUESTS, too_many_exports="An export was made less than a minute ago.")
    | NO_USER,
)
async def export_me(services: ServicesDep, actor: ActorDep) -> Response:
    """Export what is stored about you: account, photos with addresses of the originals, posts, comments, follows, ...

    The archive has one file of JSON lines per kind, and a README. The addresses of originals are valid for a day.
    """
    async with services.database.connection() as connection:
        await find_user(connection, actor)
    if not await services.redis.set(f"export:{actor}", b"", nx=True, ex=EXPORT_SECONDS):
        raise QuotaError(
            "An export was made less than a minute ago.", code="too_many_exports", retry_after_seconds=EXPORT_SECONDS
        )
    archive = await make_archive(services, actor)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": 'attachment; filename="photofeed.zip"',
        "Content-Length": str(archive.size),
    }
    return StreamingResponse(archive.chunks(), media_type="application/zip", headers=headers)
