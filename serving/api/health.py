"""Health, readiness and metrics."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST
from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError

from serving.api.declared import refuses, returns, sends
from serving.api.management_access import IsOperator, require_operator
from serving.api.replies import reply
from serving.api.schemas import Health, Readiness
from serving.exposition import exposition
from serving.services import ServicesDep

router = APIRouter(tags=["operations"])

_NO_DETAILS: dict[str, Any] = {"failing": [], "model": None, "ranking": None, "reason": None}


@router.get(
    "/healthz",
    responses=returns(Health),
)
async def get_health() -> Response:
    """Check that the process answers."""
    return reply({"status": "ok"})


@router.get(
    "/readyz",
    responses=returns(Readiness) | returns(Readiness, status=HTTPStatus.SERVICE_UNAVAILABLE),
)
async def get_readiness(services: ServicesDep, operator: IsOperator) -> Response:
    """Check what requests need. A 503 means that no feed can be served: PostgreSQL does not answer.

    In production all but the status is for operators, who send the management token; others read no failing systems
    and null.

    Without Redis feeds are ranked by recency, and without Kafka events are refused: `failing` names what is away. Kafka
    is not asked: it counts as away after a message that it did not take.
    """
    failing = []
    try:
        async with services.database.connection(timeout=2) as connection:
            await connection.execute("select 1")
    except (DatabaseError, PoolTimeout):
        failing.append("postgresql")
    try:
        await services.redis.ping()
    except RedisError:
        failing.append("redis")
    if not services.publisher.answers:
        failing.append("kafka")
    serves = "postgresql" not in failing
    slot = services.model_slot
    details = {
        "failing": failing,
        "model": slot.live.version if slot.live else None,
        "ranking": slot.step,
        "reason": slot.reason,
    }
    status = "unavailable" if not serves else "degraded" if failing else "ready"
    return reply(
        {"status": status} | (details if operator else _NO_DETAILS),
        HTTPStatus.OK if serves else HTTPStatus.SERVICE_UNAVAILABLE,
    )


@router.get(
    "/metrics",
    responses=sends(
        {CONTENT_TYPE_LATEST: "# HELP photofeed_feed_slates_total Slates"}, description="Prometheus text format"
    )
    | refuses(HTTPStatus.NOT_FOUND, not_found="There is nothing here."),
)
async def get_metrics(operator: IsOperator) -> Response:
    """Get the Prometheus metrics of this server, of all its processes. In production it needs the management token."""
    require_operator(is_operator=operator)
    return Response(exposition(), media_type=CONTENT_TYPE_LATEST)
