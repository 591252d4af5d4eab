"""Idempotency-Key: a POST that is sent again with its key is answered by its first reply, and does nothing.

A key belongs to its caller. The first reply is kept in Redis for KEPT_SECONDS after the call. Refused calls change
nothing, so their keys stay free. Without Redis, a call with a key is answered 503; calls without a key need none.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from prometheus_client import Counter

from photofeed.errors import ConflictError, InvalidError
from photofeed.ids import decode_id, encode_id, uuid7
from serving.services import Services, resolve_caller

REPLAYS = Counter("photofeed_idempotent_replays", "Calls that got the reply of an earlier call with the same key")

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
MOST_CHARACTERS = 255
KEPT_SECONDS = 24 * 3600
# How long a call may run. If its server is killed, the key is free again after this time.
_RUNNING_SECONDS = 60
_RUNNING = b"running"

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

# A claim is removed or replaced only by the call that made it: another may hold the key if this one took too long.
_FREE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
_KEEP = """
if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('set', KEYS[1], ARGV[2], 'EX', ARGV[3]) return 1 end return 0
"""


class IdempotentRoute(APIRoute):
    """A route whose POST honours Idempotency-Key."""

    def get_route_handler(self) -> Handler:
        """The handler, which runs at most once for each key."""
        run = super().get_route_handler()
        if "POST" not in (self.methods or ()):
            return run

        async def once(request: Request) -> Response:
            key = request.headers.get(HEADER)
            return await run(request) if key is None else await _run_once(request, key, run)

        return once


@dataclass(frozen=True, slots=True)
class _Claim:
    """A key of a caller in Redis, and a digest of the call that uses it."""

    name: str
    call: bytes
    value: bytes

    @staticmethod
    async def of(request: Request, key: str) -> "_Claim":
        caller = await resolve_caller(request)
        act_as = request.headers.get("act-as", "")
        owner = orjson.dumps([caller.user_id, sorted(caller.scopes), act_as, key])
        body = await request.body()
        call = blake2b(digest_size=16)
        for part in (request.method, request.url.path, request.url.query):
            call.update(orjson.dumps(part))
        call.update(body)
        digest = call.hexdigest().encode()
        person = decode_id(act_as) if act_as and caller.is_service else caller.user_id
        # named, so that what a person who deleted their account was answered is found
        name = f"idempotency:{encode_id(person)}:{blake2b(owner, digest_size=16).hexdigest()}"
        return _Claim(name, digest, b"\n".join((digest, _RUNNING, uuid7().encode())))


async def _run_once(request: Request, key: str, run: Handler) -> Response:
    if not 1 <= len(key) <= MOST_CHARACTERS:
        raise InvalidError(f"{HEADER} must have 1 to {MOST_CHARACTERS} characters.", code="invalid")
    services: Services = request.state.services
    claim = await _Claim.of(request, key)
    earlier = await services.redis.set(claim.name, claim.value, nx=True, get=True, ex=_RUNNING_SECONDS)
    if earlier is not None:
        return _replay(claim, earlier)
    try:
        reply = await run(request)
    except BaseException:
        await services.redis.eval(_FREE, 1, claim.name, claim.value)
        raise
    if reply.status_code < HTTPStatus.MULTIPLE_CHOICES:
        kept = b"\n".join((claim.call, _encode(reply)))
        await services.redis.eval(_KEEP, 1, claim.name, claim.value, kept, KEPT_SECONDS)
    else:
        await services.redis.eval(_FREE, 1, claim.name, claim.value)
    return reply


def _replay(claim: _Claim, earlier: bytes) -> Response:
    call, _, answer = earlier.partition(b"\n")
    if call != claim.call:
        raise InvalidError(f"This {HEADER} was used for another call.", code="idempotency_key_reused")
    if answer.startswith(_RUNNING):
        raise ConflictError("A call with this key is still running.", code="idempotency_key_in_use")
    return _decode(answer)


def _encode(reply: Response) -> bytes:
    """The reply with its body as it is, in which an erasure finds the people that it names."""
    return b"\n".join((str(reply.status_code).encode(), (reply.media_type or "").encode(), bytes(reply.body)))


def _decode(answer: bytes) -> Response:
    status, media_type, body = answer.split(b"\n", 2)
    REPLAYS.inc()
    return Response(body, int(status), headers={REPLAYED: "true"}, media_type=media_type.decode() or None)
