"""Development-only endpoints: list demo users, mint tokens, watch the workers' progress."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from photofeed.counted_ids import counted_keys
from photofeed.ids import decode_id
from photofeed.tokens import mint_token
from serving.api.declared import NO_USER, returns
from serving.api.replies import reply
from serving.api.schemas import DevPeople, DevProgress, DevToken
from serving.api.user_rows import find_user
from serving.api.users import user_json
from serving.services import ServicesDep
from serving.times import timestamp

router = APIRouter(prefix="/v1/dev", tags=["development"])

TOKEN_HOURS = 24 * 7
_COUNTED_DAYS = 60  # more than the history of a demo

_PEOPLE = """
select id, handle, display_name, avatar_id, bio, is_private, follower_count, following_count, created_at from users
where following_count > 0 order by following_count desc, id limit %s
"""


class TokenRequest(BaseModel):
    """The user that the token is for."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    user_id: Annotated[str, Field(min_length=11, max_length=11)]


@router.get(
    "/people",
    responses=returns(DevPeople),
)
async def list_dev_people(services: ServicesDep, limit: Annotated[int, Query(ge=1, le=500)] = 24) -> Response:
    """List users who follow others, those with the most follows first."""
    async with services.database.connection() as connection:
        rows = await connection.execute(_PEOPLE, (limit,))
        return reply({"items": [user_json(row, services.settings.public_url) async for row in rows]})


@router.post(
    "/tokens",
    responses=returns(DevToken) | NO_USER,
)
async def create_dev_token(body: TokenRequest, services: ServicesDep) -> Response:
    """Mint a token for any user."""
    user_id = decode_id(body.user_id)
    async with services.database.connection() as connection:
        await find_user(connection, user_id)
    token = mint_token(services.settings, user_id, hours=TOKEN_HOURS)
    return reply({"token": token, "expiresAt": timestamp(datetime.now(UTC) + timedelta(hours=TOKEN_HOURS))})


@router.get(
    "/progress",
    responses=returns(DevProgress),
)
async def get_dev_progress(services: ServicesDep) -> Response:
    """Get the workers' progress.

    `eventsInFeatures` is the number of distinct events of the last 60 days that the features worker has counted.
    """
    async with services.database.connection() as connection:
        rows = await connection.execute("select status, count(*) as n from photos group by status")
        photos = {row["status"]: row["n"] async for row in rows}
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    async with services.redis.pipeline(transaction=False) as pipeline:
        for days in range(_COUNTED_DAYS):
            for key in counted_keys(services.settings, tomorrow - timedelta(days=days)):
                pipeline.scard(key)
        counted = sum(await pipeline.execute())
    return reply({"eventsInFeatures": counted, "photos": photos})
