"""Sessions that several requests find to be no longer fresh at the same time."""

import asyncio
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from photofeed import database
from photofeed.errors import UnauthenticatedError
from photofeed.tokens import USER, Caller, TokenVerifier, VerifiedToken
from serving.oidc import SignIn
from serving.sessions import Sessions
from tests.api.feed_world import FeedWorld

if TYPE_CHECKING:
    from photofeed.settings import Settings

FRESH_SECONDS = 60


class _Provider:
    """Takes each refresh token once, and gives a new one; refuses everybody in the end."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refuses = False

    async def refresh(self, refresh_token: str, _subject: str) -> SignIn:
        self.asked.append(refresh_token)
        if self.refuses or refresh_token in self.asked[:-1]:
            raise UnauthenticatedError("refused")
        return SignIn(None, f"{refresh_token}+", FRESH_SECONDS)


async def _sign_in(sessions: Sessions, person: int, now: float, refresh_token: str) -> tuple[str, datetime]:
    """The secret of a new session, and when it ends."""
    roles = frozenset({USER})
    who = VerifiedToken("issuer", "subject", None, roles, now + 9, "", "")
    return await sessions.start_from_sign_in(Caller(person, roles), SignIn(who, refresh_token, FRESH_SECONDS))


def test_requests_at_once_renew_their_session_once(settings: "Settings") -> None:
    (person,) = FeedWorld(settings).people(1)
    provider: Any = _Provider()
    now = time.time()

    async def ask() -> None:
        nonlocal now
        async with database.async_pool(settings) as pool:
            sessions = Sessions(settings, pool, provider, TokenVerifier(settings), lambda: now)
            secret, _ = await _sign_in(sessions, person, now, "token")
            for asked in ([], ["token"], ["token", "token+"]):
                found = await asyncio.gather(*(sessions.read(secret) for _ in range(5)))
                assert {one.user_id for one in found} == {person}
                assert provider.asked == asked
                now += FRESH_SECONDS
            provider.refuses = True
            refused = await asyncio.gather(*(sessions.read(secret) for _ in range(5)), return_exceptions=True)
            assert {type(one) for one in refused} == {UnauthenticatedError}
            assert set(provider.asked[2:]) == {"token++"}

    asyncio.run(ask())


def test_a_session_that_the_provider_cannot_renew_ends(settings: "Settings") -> None:
    (person,) = FeedWorld(settings).people(1)
    now = time.time()

    async def ask() -> None:
        nonlocal now
        async with database.async_pool(settings) as pool:
            sessions = Sessions(settings, pool, None, TokenVerifier(settings), lambda: now)
            secret, ends_at = await _sign_in(sessions, person, now, "")
            now = ends_at.timestamp() - 1
            assert (await sessions.read(secret)).user_id == person
            now += 2
            with pytest.raises(UnauthenticatedError):
                await sessions.read(secret)

    asyncio.run(ask())
