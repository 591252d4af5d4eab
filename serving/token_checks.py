"""Checks bearer tokens without keeping the event loop waiting for the keys of an identity provider."""

import anyio.to_thread

from photofeed.tokens import TokenVerifier, VerifiedToken


async def verify(verifier: TokenVerifier, token: str) -> VerifiedToken:
    """What a token says; errors as of `TokenVerifier.verify`."""
    return await anyio.to_thread.run_sync(verifier.verify, token) if verifier.may_wait else verifier.verify(token)
