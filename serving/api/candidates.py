"""Our candidates for a person, for a service that ranks or mixes them itself."""

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from photofeed.ids import encode_id
from serving.api.declared import NO_USER, returns
from serving.api.idempotency import IdempotentRoute
from serving.api.rank import ONE_ID, PersonName, find_person, require_one_id
from serving.api.replies import reply
from serving.api.schemas import FoundCandidates
from serving.feed.source_table import SOURCES
from serving.services import ServiceCallerDep, ServicesDep

router = APIRouter(route_class=IdempotentRoute, prefix="/v1", tags=["ranking"])

MOST_FOUND = 1_000


class CandidatesRequest(BaseModel):
    """For whom candidates are found, and of what kind."""

    model_config = ConfigDict(extra="forbid")

    person: PersonName
    kind: Annotated[
        Literal["items", "posts"], Field(description="Items that were described and are available, or posts")
    ] = "items"
    limit: Annotated[int, Field(ge=1, le=MOST_FOUND)] = 500


@router.post("/candidates", responses=returns(FoundCandidates) | ONE_ID | NO_USER)
async def find_candidates(body: CandidatesRequest, services: ServicesDep, _: ServiceCallerDep) -> Response:
    """Find candidates for a person: what `POST /v1/rank` could order. Services only.

    Posts are those of a feed, and recently seen ones only if there are few others. Items are liked by people who liked
    the same, of topics that the person likes, popular, or fresh. What the person has hidden, their own, and what
    blocked people made is left out. The order says nothing.
    """
    require_one_id("person", body.person)
    person = await find_person(services, body.person)
    if body.kind == "posts":
        found = await services.feed.candidates(person)
        candidates = found.take(np.arange(min(len(found), body.limit)))
    else:
        candidates = await services.given.items_for(person, body.limit)
    ids = candidates.post_ids.tolist()
    names = await services.item_reader.names(ids)
    return reply(
        {
            "candidates": [
                {"id": encode_id(post), "externalId": names.get(post), "pool": SOURCES[source].pool}
                for post, source in zip(ids, candidates.sources.tolist(), strict=True)
            ]
        }
    )
