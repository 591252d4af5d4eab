"""For those who run photofeed: its health, the model that ranks, rollback, and dead letters."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

import anyio.to_thread
import structlog
from fastapi import APIRouter, Path
from fastapi.responses import Response
from psycopg import Error as DatabaseError
from pydantic import BaseModel, ConfigDict, Field

from photofeed.dead_letters import DeadLetter
from photofeed.errors import RetryableError
from photofeed.ids import encode_id
from photofeed.models.history import Move
from photofeed.models.registry import GateReport
from photofeed.settings import Settings
from photofeed.tokens import Caller
from serving.api.declared import refuses, returns, sends_nothing
from serving.api.fields import STORABLE
from serving.api.idempotency import IdempotentRoute
from serving.api.replies import no_content, reply
from serving.api.schemas import AdminHealth, AdminModel, DeadLetterList, Rollback
from serving.services import AdminDep, ServicesDep
from serving.times import timestamp

router = APIRouter(route_class=IdempotentRoute, prefix="/v1/admin", tags=["operations"])

log = structlog.get_logger(__name__)

MOST_LETTERS, MOST_MOVES = 100, 10
_LONGEST_REASON = 500

_NO_LETTER = refuses(HTTPStatus.NOT_FOUND, dead_letter_not_found="There is no such dead letter: it may be replayed.")
_NO_ROLLBACK = refuses(
    HTTPStatus.CONFLICT,
    no_previous="The model has no earlier champion that servers can rank with.",
    busy="A promotion or rollback of the model is already running elsewhere: try again when it has finished.",
    champion_moved="The champion changed during this call.",
)

T = TypeVar("T")


class RollbackReason(BaseModel):
    """Why the champion is rolled back, for the history."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=_LONGEST_REASON), STORABLE] = ""


@router.get("/health", responses=returns(AdminHealth))
async def get_admin_health(services: ServicesDep, _: AdminDep) -> Response:
    """Check every system as `photofeed doctor` does, the workers with their lag, and the outbox.

    `workers` is null if Kafka does not answer, `outbox` if PostgreSQL does not.
    """
    operations = services.operations
    systems, workers, outbox = await asyncio.gather(
        anyio.to_thread.run_sync(operations.systems), _if_answered(operations.workers), _if_answered(operations.outbox)
    )
    return reply(
        {
            "systems": [
                {"level": one.level, "name": one.name, "text": one.text, "mend": one.mend or None} for one in systems
            ],
            "workers": workers
            and [
                {
                    "group": one.group,
                    "members": one.members,
                    "topics": [{"topic": topic, "lag": lag} for topic, lag in one.lags.items()],
                }
                for one in workers
            ],
            "outbox": outbox and {"waiting": outbox.waiting, "hasRelay": outbox.has_relay},
        }
    )


@router.get("/model", responses=returns(AdminModel))
async def get_admin_model(services: ServicesDep, _: AdminDep) -> Response:
    """Get which model ranks, what the gates said about it, and the latest moves of the aliases.

    It is about the server process that answers: other processes follow the aliases within seconds. `gates` is null
    without a model, or if MLflow does not answer.
    """
    slot, operations = services.model_slot, services.operations
    live = slot.live.version if slot.live else None
    gates = None if live is None else await _if_answered(lambda: operations.gates(live))
    moves = await anyio.to_thread.run_sync(operations.moves, MOST_MOVES)
    return reply(
        {
            "name": services.settings.model_name,
            "ranking": slot.step,
            "live": live,
            "previous": slot.previous.version if slot.previous else None,
            "challenger": slot.challenger.version if slot.challenger else None,
            "reason": slot.reason,
            "gates": _gates_json(gates) if gates else None,
            "moves": [_move_json(move) for move in moves],
            "links": _links(services.settings, live, gates),
        }
    )


@router.post("/model/rollback", status_code=201, responses=returns(Rollback, status=HTTPStatus.CREATED) | _NO_ROLLBACK)
async def roll_back_model(services: ServicesDep, admin: AdminDep, body: RollbackReason) -> Response:
    """Make the former champion the champion again, as `photofeed rollback` does. A second rollback reverts the first.

    Servers follow within seconds. The history says who did it, and why.
    """
    roll_back = services.operations.roll_back
    former, version = await anyio.to_thread.run_sync(roll_back, _name_of(admin), body.reason)
    return reply({"former": former, "version": version}, HTTPStatus.CREATED)


@router.get("/dead-letters", responses=returns(DeadLetterList))
async def list_dead_letters(services: ServicesDep, _: AdminDep) -> Response:
    """List dead letters that have not been replayed, the oldest first, at most 100."""
    letters = await anyio.to_thread.run_sync(services.operations.waiting_letters)
    return reply({"items": [_letter_json(letter) for letter in letters[:MOST_LETTERS]], "total": len(letters)})


@router.post(
    "/dead-letters/{letter_id}/replay",
    status_code=204,
    responses=sends_nothing(description="The message is published again") | _NO_LETTER,
)
async def replay_dead_letter(
    letter_id: Annotated[str, Path(max_length=64, examples=["01a202b8-f464-7c24-b38c-d6adfc502311"]), STORABLE],
    services: ServicesDep,
    admin: AdminDep,
) -> Response:
    """Publish the message of a dead letter again.

    It reaches only the workers that gave it up, as with `photofeed dlq replay`. The letter tells who did it.
    """
    await anyio.to_thread.run_sync(services.operations.replay, letter_id, _name_of(admin))
    return no_content()


async def _if_answered(read: Callable[[], T]) -> T | None:
    """What a system says; None if it does not answer: the page shows the others."""
    try:
        return await anyio.to_thread.run_sync(read)
    except (RetryableError, DatabaseError) as error:
        log.warning("health is not known", error=str(error))
        return None


def _name_of(admin: Caller) -> str:
    return f"admin {encode_id(admin.user_id)}"


def _gates_json(report: GateReport) -> dict[str, Any]:
    return {
        "verdict": report.verdict,
        "at": report.at,
        "forced": report.forced,
        "findings": [{"gate": one.gate, "passed": one.passed, "detail": one.detail} for one in report.findings],
    }


def _move_json(move: Move) -> dict[str, Any]:
    return {
        "at": timestamp(move.at),
        "alias": move.alias,
        "version": move.version,
        "former": move.former,
        "actor": move.actor,
        "reason": move.reason,
    }


def _links(settings: Settings, live: str | None, gates: GateReport | None) -> dict[str, Any] | None:
    """Pages of MLflow, if a browser can find them."""
    pages = settings.mlflow_pages
    if pages is None:
        return None
    model = f"{pages}/#/models/{settings.model_name}"
    return {
        "model": model,
        "version": None if live is None else f"{model}/versions/{live}",
        "run": f"{pages}/#/runs/{gates.run_id}" if gates and gates.run_id else None,
    }


def _letter_json(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "at": timestamp(letter.occurred_at),
        "group": letter.group,
        "topic": letter.message.topic,
        "key": letter.message.key,
        "code": letter.code,
        "reason": letter.reason,
    }
