"""Bearer tokens: who calls, and what they may do."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt

from photofeed.errors import NotFoundError, UnauthenticatedError
from photofeed.ids import decode_id, encode_id
from photofeed.settings import Settings

USER, SERVICE, MODERATOR, ADMIN = "user", "service", "moderator", "admin"

# Checking a signature costs more than a feed may spend on it; a key that is withdrawn counts for this much longer.
_REMEMBERED_SECONDS, _MOST_REMEMBERED = 60.0, 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request. A service calls for many people and has no user id of its own (0)."""

    user_id: int
    scopes: frozenset[str]

    @property
    def is_service(self) -> bool:
        """Whether the caller may act for others and date things back."""
        return SERVICE in self.scopes

    @property
    def is_admin(self) -> bool:
        """Whether the caller may look behind other people's feeds."""
        return ADMIN in self.scopes


def mint_token(settings: Settings, user_id: int, scopes: frozenset[str] = frozenset({USER}), hours: float = 24) -> str:
    """A token signed with the development secret; production tokens come from the identity provider."""
    now = datetime.now(UTC)
    return jwt.encode(
        {
            "iss": settings.jwt_issuer,
            "aud": settings.jwt_audience,
            "sub": encode_id(user_id),
            "scope": " ".join(sorted(scopes)),
            "iat": now,
            "exp": now + timedelta(hours=hours),
        },
        settings.jwt_secret.get_secret_value(),
        algorithm="HS256",
    )


class TokenVerifier:
    """Checks tokens: HS256 with the shared secret in dev, RS256 or ES256 by the provider's JWKS in production."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._remembered: OrderedDict[str, tuple[Caller, float]] = OrderedDict()
        self._jwks = jwt.PyJWKClient(settings.jwt_jwks_url, cache_keys=True) if settings.jwt_jwks_url else None

    @property
    def may_wait(self) -> bool:
        """Whether `verify` may ask the identity provider for its keys, so that an event loop must not call it."""
        return self._jwks is not None

    def remembered(self, token: str) -> Caller | None:
        """The caller of a token that was checked in the last minute and still holds; never waits."""
        caller, until = self._remembered.get(token, (None, 0.0))
        return caller if self._clock() < until else None

    def verify(self, token: str) -> Caller:
        """The caller a token speaks for.

        Raises:
            UnauthenticatedError: the token is malformed, expired, forged, or meant for somebody else.
        """
        try:
            if self._jwks is None:
                key, algorithms = self._settings.jwt_secret.get_secret_value(), ["HS256"]
            else:
                key, algorithms = self._jwks.get_signing_key_from_jwt(token).key, ["RS256", "ES256"]
            claims = jwt.decode(
                token,
                key,
                algorithms=algorithms,
                audience=self._settings.jwt_audience,
                issuer=self._settings.jwt_issuer,
                options={"require": ["exp", "sub"]},
            )
            caller = Caller(decode_id(str(claims["sub"])), frozenset(str(claims.get("scope", USER)).split()))
        except (jwt.PyJWTError, NotFoundError) as error:
            raise UnauthenticatedError(f"The token does not hold: {error}") from error
        self._remembered[token] = caller, min(self._clock() + _REMEMBERED_SECONDS, float(claims["exp"]))
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return caller
