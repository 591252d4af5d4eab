"""Items of other systems: what a service ranks that is no photo here."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from pydantic.alias_generators import to_camel

from photofeed.errors import InvalidError
from serving.api.declared import returns
from serving.api.fields import Caption, ExternalId, Moment, Tags, check_creation
from serving.api.replies import reply
from serving.api.schemas import ItemsOutcome
from serving.items import MOST_ITEMS, ItemDescription
from serving.services import ServiceCallerDep, ServicesDep

router = APIRouter(prefix="/v1", tags=["ranking"])


class ItemContent(BaseModel):
    """An item: everything that is known about it. Omitted fields get their defaults."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    external_id: ExternalId
    title: Annotated[Caption, Field(description="Its length is a feature")] = ""
    tags: Annotated[Tags, Field(description="The first one is the topic")] = []
    creator_external_id: Annotated[
        ExternalId | None, Field(description="Who made it: a person, who is added at the first use")
    ] = None
    created_at: Annotated[Moment | None, Field(description="Default: when it is first described")] = None
    available: Annotated[StrictBool, Field(description="Whether `POST /v1/candidates` may find it")] = True


class ItemBatch(BaseModel):
    """Up to 500 items."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[list[ItemContent], Field(min_length=1, max_length=MOST_ITEMS)]


@router.put("/items", responses=returns(ItemsOutcome))
async def put_items(body: ItemBatch, services: ServicesDep, _: ServiceCallerDep) -> Response:
    """Add items, or replace what is known about them. Services only.

    Items are named by your ids and have no picture: no feed, page or search of photofeed shows them, and
    `POST /v1/rank` orders them. A call may be repeated: what did not change counts as unchanged. Refused items are
    listed with the reason (`duplicate`, `creation_time`, `creator_erased`), and the others are stored.
    """
    refused = list(_refused(body.items))
    left_out = {index for index, *_ in refused}
    described = [(index, _described(one)) for index, one in enumerate(body.items) if index not in left_out]
    outcome = await services.items.put(described, datetime.now(UTC))
    names = ("index", "externalId", "code", "reason")
    return reply(
        {
            "created": outcome.created,
            "updated": outcome.updated,
            "unchanged": outcome.unchanged,
            "refused": [dict(zip(names, one, strict=True)) for one in sorted([*refused, *outcome.refused])],
        }
    )


def _refused(items: list[ItemContent]) -> Iterator[tuple[int, str, str, str]]:
    """Index, external id, code and reason of the items that cannot be stored, whatever is stored already."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        if item.external_id in seen:
            yield index, item.external_id, "duplicate", "An earlier item of this call has the same externalId."
            continue
        seen.add(item.external_id)
        try:
            check_creation(item.created_at or datetime.now(UTC))
        except InvalidError as error:
            yield index, item.external_id, error.code, str(error)


def _described(item: ItemContent) -> ItemDescription:
    return ItemDescription(
        external_id=item.external_id,
        title=item.title,
        tags=item.tags,
        creator=item.creator_external_id,
        stated_at=item.created_at,
        available=item.available,
    )
