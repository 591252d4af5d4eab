"""Streams of events end when what they were opened with no longer counts."""

import asyncio
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from fastapi import Request

from photofeed.errors import UnauthenticatedError
from photofeed.ids import encode_id
from photofeed.settings import Settings
from photofeed.tokens import SERVICE, USER, Caller, TokenVerifier, VerifiedToken, mint_token
from serving.api.server_sent_events import event_stream
from serving.streams import Streams
from tests.doubles.clock import Clock

SETTINGS = Settings(env="dev")
PERSON = 42


class Identities:
    """Every token is one of somebody with an account, until the person has left."""

    def __init__(self) -> None:
        self.left = False

    async def caller(self, token: VerifiedToken) -> Caller:
        if self.left:
            raise UnauthenticatedError("This account was deleted.", code="account_deleted")
        return Caller(token.user_id or 0, token.scopes)


class World:
    """A stream of four events, between which something happens."""

    def __init__(self) -> None:
        self.clock, self.identities, self.withdrawn = Clock(), Identities(), False
        self.clock.now = time.time()
        self.verifier = TokenVerifier(SETTINGS, self.clock)

    def request(self, *scopes: str, act_as: int | None = None) -> Request:
        token = mint_token(SETTINGS, 0 if act_as else PERSON, frozenset(scopes), hours=1)
        headers = [(b"authorization", f"Bearer {token}".encode())]
        headers += [(b"act-as", encode_id(act_as).encode())] if act_as else []
        services = SimpleNamespace(
            settings=SETTINGS, verifier=self.verifier, identities=self.identities, streams=Streams(SETTINGS)
        )
        return Request({"type": "http", "method": "GET", "headers": headers, "state": {"services": services}})

    async def _events(self, what: str) -> AsyncIterator[bytes]:
        for number in range(4):
            if number == 2:
                self.clock.now += {"expires": 3_601, "minute": 61}.get(what, 61)
                self.identities.left = what == "leaves"
                if what == "key is withdrawn":
                    self.verifier._settings = SETTINGS.model_copy(update={"jwt_issuer": "another"})
            yield b"%d" % number

    def received(self, what: str, request: Request) -> bytes:
        async def read() -> bytes:
            stream = event_stream(request, PERSON, self._events(what))
            return b"".join([part if isinstance(part, bytes) else b"" async for part in stream.body_iterator])

        return asyncio.run(read()).removeprefix(b"retry: 2000\n\n")


@pytest.mark.parametrize(
    ("what", "received"),
    [("minute", b"0123"), ("expires", b"01"), ("leaves", b"01"), ("key is withdrawn", b"01")],
)
def test_a_stream_ends_with_what_proved_who_opened_it(what: str, received: bytes) -> None:
    world = World()
    assert world.received(what, world.request(USER)) == received


def test_a_service_may_watch_for_the_person_that_it_names() -> None:
    world = World()
    assert world.received("minute", world.request(SERVICE, act_as=PERSON)) == b"0123"
