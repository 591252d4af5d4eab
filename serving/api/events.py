"""Engagement events: the batch call of clients."""

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
from serving.api.fields import STORABLE, WHOLE, CommentText, EncodedId, Moment, Position, Receipt, SlateId
from serving.api.idempotency import IdempotentRoute
from serving.api.replies import reply
from serving.api.schemas import EventsOutcome
from serving.engagement.actions import ClientAction
from serving.services import ReporterDep, ServicesDep

router = APIRouter(route_class=IdempotentRoute, prefix="/v1", tags=["engagement"])

UNKNOWN_FIELDS = Counter("photofeed_events_unknown_fields", "Fields of events that this server does not know")


_STATED = "Services only: users prove it with `receipt`"


class ClientEvent(BaseModel):
    """One action of a person. `postId` for actions on posts; `personId` for profile_visit, follow and unfollow.

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
    now = datetime.now(UTC)
    actions = [
        ClientAction(
            id=event.id,
            action=event.type,
            actor_id=_id_or_zero(event.actor_id) if caller.is_service else caller.user_id,
            # without a time, events occurred in their order in the batch
            occurred_at=event.occurred_at or now - timedelta(microseconds=len(body.events) - index),
            post_id=_id_or_zero(event.post_id) if event.post_id else None,
            person_id=_id_or_zero(event.person_id) if event.person_id else None,
            receipt=event.receipt,
            slate_id=event.slate_id,
            position=event.position,
            dwell_ms=event.dwell_ms,
            source=event.source,
            text=event.text,
            reason=event.reason,
        )
        for index, event in enumerate(body.events)
    ]
    outcome = await services.engagement.record(actions, as_service=caller.is_service)
    refused = [{"index": r.index, "id": r.id, "code": r.code, "reason": r.reason} for r in outcome.refused]
    return reply(
        {"accepted": outcome.accepted, "unchanged": outcome.unchanged, "refused": refused}, HTTPStatus.ACCEPTED
    )


def _id_or_zero(text: str | None) -> int:
    """The decoded id, or 0, which no row has: an invalid id refuses its event, not the whole batch."""
    try:
        return decode_id(text or "")
    except NotFoundError:
        return 0
