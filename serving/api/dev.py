"""Calls that exist in development only: choose a demo person, get a token, see how far the workers are."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import anyio.to_thread
import numpy as np
from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from photofeed.ids import decode_id
from photofeed.offline_store.tables import ENGAGEMENT, MIRROR
from photofeed.tokens import mint_token
from serving.api.replies import reply, timestamp
from serving.api.users import find_user, user_json
from serving.services import Services, ServicesDep

router = APIRouter(prefix="/v1/dev", tags=["development"])

TOKEN_HOURS = 24 * 7

_PEOPLE = """
select id, handle, display_name, is_private, follower_count, following_count, created_at from users
where following_count > 0 order by following_count desc, id limit %s
"""


class TokenRequest(BaseModel):
    """Whose token."""

    model_config = ConfigDict(alias_generator=to_camel)

    user_id: Annotated[str, Field(min_length=11, max_length=11)]


@router.get("/people")
async def people(services: ServicesDep, limit: Annotated[int, Query(ge=1, le=500)] = 24) -> Response:
    """People who follow somebody, those with the fullest feeds first."""
    async with services.database.connection() as connection:
        rows = await connection.execute(_PEOPLE, (limit,))
        return reply({"items": [user_json(row) async for row in rows]})


@router.post("/tokens")
async def tokens(body: TokenRequest, services: ServicesDep) -> Response:
    """A token for anybody."""
    user_id = decode_id(body.user_id)
    async with services.database.connection() as connection:
        await find_user(connection, user_id)
    token = mint_token(services.settings, user_id, hours=TOKEN_HOURS)
    return reply({"token": token, "expiresAt": timestamp(datetime.now(UTC) + timedelta(hours=TOKEN_HOURS))})


@router.get("/progress")
async def progress(services: ServicesDep) -> Response:
    """How far the workers are. Events are counted in the features themselves: the sum over people of `events_total`."""
    async with services.database.connection() as connection:
        rows = await connection.execute("select status, count(*) as n from photos group by status")
        photos = {row["status"]: row["n"] async for row in rows}
        ids = [row["id"] async for row in await connection.execute("select id from users")]
    read = await services.activity.read_async({"user_id": np.array(ids, dtype=np.int64)}) if ids else {}
    counted = round(float(read["user_activity"].values["events_total"].sum())) if read else 0
    archived = await anyio.to_thread.run_sync(_archived, services)
    return reply({"eventsInFeatures": counted, "photos": photos, "archivedEvents": archived})


def _archived(services: Services) -> int:
    from photofeed.offline_store.lake import Lake, LakeFolder  # noqa: PLC0415  pyarrow: for development only

    lake = Lake(services.objects, services.settings.state_dir / MIRROR)
    return lake.rows(LakeFolder(services.settings.bucket_lake, ENGAGEMENT))
