"""The identity provider: its keys."""

from collections.abc import Iterator
from typing import Any

import httpx
import jwt

from photofeed.doctor.finding import Finding, first_line, ok, warning, wrong
from photofeed.settings import Settings
from photofeed.tokens import JWKS_ALGORITHMS


def identity(settings: Settings) -> Iterator[Finding]:
    """Check that the keys with which tokens are verified can be had and used."""
    if settings.jwt_jwks_url is None:
        if settings.env != "dev":
            yield warning(
                "identity.provider",
                "tokens are signed with PHOTOFEED_JWT_SECRET, which every holder of it can forge",
                "set PHOTOFEED_JWT_JWKS_URL to the keys of an identity provider",
            )
        return
    try:
        reply = httpx.get(settings.jwt_jwks_url, timeout=5, follow_redirects=True).raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        yield wrong("identity.keys", first_line(error), "correct PHOTOFEED_JWT_JWKS_URL, or let this network reach it")
        return
    usable = _usable(reply)
    if usable:
        yield ok("identity.keys", f"{len(usable)} keys: {', '.join(usable)}")
    else:
        yield wrong(
            "identity.keys",
            f"the reply has no key for {' or '.join(JWKS_ALGORITHMS)}",
            "correct PHOTOFEED_JWT_JWKS_URL, or let the provider sign with one of these",
        )


def _usable(reply: Any) -> list[str]:
    """The ids of the keys that tokens may be signed with."""
    try:
        keys = jwt.PyJWKSet.from_dict(reply).keys
    except (jwt.PyJWTError, AttributeError, TypeError):
        return []
    return [str(key.key_id) for key in keys if key.algorithm_name in JWKS_ALGORITHMS]
