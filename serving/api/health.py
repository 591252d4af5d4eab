"""Health, readiness and metrics."""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError

from serving.api.replies import reply
from serving.services import ServicesDep

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> Response:
    """Whether the process answers."""
    return reply({"status": "ok"})


@router.get("/readyz")
async def readyz(services: ServicesDep) -> Response:
    """Whether what every request needs answers too; 503 names what does not."""
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
    live = services.model_slot.live
    body = {
        "status": "unavailable" if failing else "ready",
        "failing": failing,
        "model": live.version if live else None,
    }
    return reply(body, HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK)


@router.get("/metrics")
async def metrics() -> Response:
    """Prometheus metrics of this process."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
