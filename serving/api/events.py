"""Engagement events: the batch call of clients."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from photofeed.errors import NotFoundError
from photofeed.events import MAX_EVENTS, Action
from photofeed.ids import decode_id
from photofeed.report_reasons import ReportReason
from serving.api.declared import returns
from serving.api.fields import STORABLE, WHOLE, CommentText, EncodedId, ExternalId, Moment, Position, Receipt, SlateId
from serving.api.idempotency import IdempotentRoute
from serving.api.replies import reply
from serving.api.schemas import EventsOutcome
from serving.engagement.actions import ClientAction, RecordOutcome, Refusal
from serving.services import ReporterDep, Services, ServicesDep

router = APIRouter(route_class=IdempotentRoute, prefix="/v1", tags=["engagement"])

UNKNOWN_FIELDS = Counter("photofeed_events_unknown_fields", "Fields of events that this server does not know")


_STATED = "Services only: users prove it with `receipt`"
_INSTEAD = "Services only: your own id, instead of `{}`; added if it is new"


class ClientEvent(BaseModel):
    """One action of a person. `postId` for actions on posts; `personId` for those on people.

    Actions on people are profile_visit, follow, unfollow, mute and unmute.

    Fields that this server does not know are ignored, so that newer clients can tell older servers what they know.
    """

    model_config = ConfigDict(alias_generator=to_camel, extra="allow")

    id: Annotated[
        str, Field(min_length=8, max_length=64, description="Chosen by the client; each id counts once"), STORABLE
    ]
    type: Action
    occurred_at: Moment | None = None
    post_id: EncodedId | None = None
    person_id: EncodedId | None = None
    actor_id: Annotated[EncodedId | None, Field(description="Services only: the person who acted")] = None
    item_external_id: Annotated[ExternalId | None, Field(description=_INSTEAD.format("postId"))] = None
    person_external_id: Annotated[ExternalId | None, Field(description=_INSTEAD.format("personId"))] = None
    actor_external_id: Annotated[ExternalId | None, Field(description=_INSTEAD.format("actorId"))] = None
    receipt: Receipt | None = None
    slate_id: Annotated[SlateId | None, Field(description=_STATED)] = None
    position: Annotated[Position | None, Field(description=_STATED)] = None
    dwell_ms: Annotated[int, Field(ge=0, le=3_600_000), WHOLE] | None = None
    source: Annotated[str | None, Field(max_length=32), STORABLE] = None
    text: Annotated[CommentText | None, Field(description="Text of a comment, or of a report")] = None
    reason: Annotated[ReportReason, Field(description="Of a report")] = ReportReason.OTHER


class EventBatch(BaseModel):
    """Up to 500 events. Fields that this server does not know are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow")

    events: Annotated[list[ClientEvent], Field(min_length=1, max_length=MAX_EVENTS)]


@router.post(
    "/events",
    status_code=202,
    responses=returns(EventsOutcome, status=HTTPStatus.ACCEPTED),
)
async def record_events(body: EventBatch, services: ServicesDep, caller: ReporterDep) -> Response:
    """Record a batch of events.

    After a 202 the accepted events are durable. Refused events are listed with the reason. An event that is dated up to
    five minutes in the future occurred when it arrived.

    Send the `receipt` of the feed item that an event is about. It proves where the post was shown. An impression
    without a valid receipt is refused (`receipt_missing`, `receipt_invalid`, `receipt_expired`); any other event
    without one counts as a reaction outside of a feed.
    """
    ignored = sum(len(one.model_extra or ()) for one in (body, *body.events))
    if ignored:
        UNKNOWN_FIELDS.inc(ignored)
    early = list(_refused_names(body.events, is_service=caller.is_service))
    left_out = {one.index for one in early}
    recorded = [(index, event) for index, event in enumerate(body.events) if index not in left_out]
    named = await _resolve(services, [event for _, event in recorded])
    now = datetime.now(UTC)
    actions = [
        ClientAction(
            id=event.id,
            action=event.type,
            actor_id=named.actor(event) if caller.is_service else caller.user_id,
            # without a time, events occurred in their order in the batch
            occurred_at=event.occurred_at or now - timedelta(microseconds=len(body.events) - index),
            post_id=named.post(event),
            person_id=named.person(event),
            receipt=event.receipt,
            slate_id=event.slate_id,
            position=event.position,
            dwell_ms=event.dwell_ms,
            source=event.source,
            text=event.text,
            reason=event.reason,
        )
        for index, event in recorded
    ]
    outcome = await services.engagement.record(actions, as_service=caller.is_service) if actions else RecordOutcome()
    late = [replace(one, index=recorded[one.index][0]) for one in outcome.refused]
    refused = [
        {"index": r.index, "id": r.id, "code": r.code, "reason": r.reason}
        for r in sorted([*early, *late], key=lambda one: one.index)
    ]
    return reply(
        {"accepted": outcome.accepted, "unchanged": outcome.unchanged, "refused": refused}, HTTPStatus.ACCEPTED
    )


def _refused_names(events: Sequence[ClientEvent], *, is_service: bool) -> Iterator[Refusal]:
    """The events whose post, person or actor is named in a way that cannot be right."""
    for index, event in enumerate(events):
        externals = (event.item_external_id, event.person_external_id, event.actor_external_id)
        pairs = zip((event.post_id, event.person_id, event.actor_id), externals, strict=True)
        if not is_service and any(one is not None for one in externals):
            reason = "Only a service may name people and items by external ids."
            yield Refusal(index, event.id, "external_id_forbidden", reason)
        elif any(own is not None and external is not None for own, external in pairs):
            yield Refusal(index, event.id, "two_ids", "Give an id or an external id, not both.")


@dataclass(frozen=True, slots=True)
class _Named:
    """What the external ids of a batch stand for; ids that stand for nothing are 0, which no row has."""

    items: Mapping[str, int]
    people: Mapping[str, int]

    def post(self, event: ClientEvent) -> int | None:
        return _one_of(event.post_id, event.item_external_id, self.items)

    def person(self, event: ClientEvent) -> int | None:
        return _one_of(event.person_id, event.person_external_id, self.people)

    def actor(self, event: ClientEvent) -> int:
        return _one_of(event.actor_id, event.actor_external_id, self.people) or 0


async def _resolve(services: Services, events: Sequence[ClientEvent]) -> _Named:
    """Look up the external ids of a batch; people and items that are new are added."""
    people = {name for event in events for name in (event.actor_external_id, event.person_external_id) if name}
    items = {event.item_external_id for event in events if event.item_external_id}
    external = services.external_ids
    return _Named(await external.items(items), await external.people(people))


def _one_of(own: str | None, external: str | None, known: Mapping[str, int]) -> int | None:
    if own is not None:
        return _id_or_zero(own)
    return None if external is None else known.get(external, 0)


def _id_or_zero(text: str) -> int:
    """The decoded id, or 0, which no row has: an invalid id refuses its event, not the whole batch."""
    try:
        return decode_id(text)
    except NotFoundError:
        return 0
