"""Bearer tokens: the caller, and what the caller may do."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from photofeed.errors import NotFoundError, UnauthenticatedError
from photofeed.ids import decode_id, encode_id
from photofeed.settings import Settings
from photofeed.signing_keys import SigningKeys

JWKS_ALGORITHMS = ("RS256", "ES256")  # that identity providers may sign with
USER, SERVICE, MODERATOR, ADMIN = "user", "service", "moderator", "admin"

# By which the clock of a provider may be ahead, for `nbf`, from which on a token is valid. Expiry has no leeway.
_LEEWAY_SECONDS = 60
_LONGEST_SUBJECT = 255  # OpenID Connect Core 1.0, section 2

# Checking a signature is too slow to do for every feed. A withdrawn key counts for this long after the keys were
# fetched again (photofeed/signing_keys.py), less than five minutes in all.
_REMEMBERED_SECONDS, _MOST_REMEMBERED = 60.0, 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request. A service acts for many people and has the user id 0."""

    user_id: int
    scopes: frozenset[str]

    @property
    def is_service(self) -> bool:
        """Whether the caller may act for others and back-date things."""
        return SERVICE in self.scopes

    @property
    def is_admin(self) -> bool:
        """Whether the caller runs photofeed: sees its health and the explanation of feeds, rolls back, replays."""
        return ADMIN in self.scopes


def mint_token(settings: Settings, user_id: int, scopes: frozenset[str] = frozenset({USER}), hours: float = 24) -> str:
    """A token signed with the development secret; in production the identity provider issues tokens."""
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


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What a valid token says.

    Attributes:
        issuer: the identity provider.
        subject: the person or service, by the provider's own id.
        user_id: the user, if subjects are ids of photofeed; else None, and the subject is mapped to a user.
        scopes: what the token allows.
        expires_at: seconds since 1970.
        handle: the name that the provider suggests for a new account; may be empty.
        display_name: likewise.
    """

    issuer: str
    subject: str
    user_id: int | None
    scopes: frozenset[str]
    expires_at: float
    handle: str
    display_name: str


class TokenVerifier:
    """Checks tokens: HS256 with the shared secret in dev, RS256 or ES256 with the provider's JWKS in production."""

    def __init__(self, settings: Settings, clock: Callable[[], float] | None = None) -> None:
        self._settings = settings
        self._clock = clock or time.time
        # what is remembered must not live longer when the time of day is set back
        self._ticks = clock or time.monotonic
        self._remembered: OrderedDict[str, tuple[Caller, float]] = OrderedDict()
        self._keys = SigningKeys(settings.jwt_jwks_url, self._ticks) if settings.jwt_jwks_url else None

    @property
    def may_wait(self) -> bool:
        """Whether `verify` may request keys from the identity provider; then an event loop must not call it."""
        return self._keys is not None

    def remembered(self, token: str) -> Caller | None:
        """The caller of a token that was checked in the last minute and is still valid; never waits."""
        caller, until = self._remembered.get(token, (None, 0.0))
        return caller if self._ticks() < until else None

    def remember(self, token: str, verified: VerifiedToken, caller: Caller) -> None:
        """Remember the caller of a checked token for a minute, or until it expires."""
        seconds = min(_REMEMBERED_SECONDS, verified.expires_at - self._clock())
        self._remembered[token] = caller, self._ticks() + seconds
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)

    def forget_token(self, token: str) -> None:
        """Forget a remembered token, so that it is looked up again."""
        self._remembered.pop(token, None)

    def forget(self, user_id: int) -> None:
        """Forget the remembered tokens of a user, so that each is looked up again; other servers do within a minute."""
        for token in [token for token, (caller, _) in self._remembered.items() if caller.user_id == user_id]:
            del self._remembered[token]

    def verify(self, token: str) -> VerifiedToken:
        """What a token says.

        Raises:
            UnauthenticatedError: the token is malformed, expired, forged, or for another audience.
            RetryableError: the identity provider does not answer, so its keys are unknown.
        """
        settings = self._settings
        try:
            key: str | jwt.PyJWK
            if self._keys is None:
                key, algorithms = settings.jwt_secret.get_secret_value(), ["HS256"]
            else:  # a PyJWK, unlike its key, has the algorithm that it is for
                key, algorithms = self._keys.of(token), list(JWKS_ALGORITHMS)
            claims = jwt.decode(
                token,
                key,
                algorithms=algorithms,
                audience=settings.jwt_audience,
                issuer=settings.jwt_issuer,
                leeway=_LEEWAY_SECONDS,
                # `iat` tells the age of a token, and limits nothing: a server whose clock is behind takes new tokens
                options={"require": ["exp", settings.jwt_subject_claim], "verify_iat": False},
            )
            expires_at = float(claims["exp"])
            if expires_at <= self._clock():
                raise UnauthenticatedError("The token is not valid: it has expired.")
            subject = subject_of(claims, settings.jwt_subject_claim)
            is_own_id = self._keys is None or settings.jwt_subjects == "ids"
            user_id = decode_id(subject) if is_own_id else None
        except (jwt.PyJWTError, NotFoundError, OverflowError) as error:  # the last one: of an expiry without end
            raise UnauthenticatedError(f"The token is not valid: {error}") from error
        return VerifiedToken(
            issuer=settings.jwt_issuer,
            subject=subject,
            user_id=user_id,
            scopes=scopes_of(claims, settings.jwt_scopes_claim),
            expires_at=expires_at,
            handle=suggested_handle(claims),
            display_name=str(claims.get("name") or ""),
        )


def subject_of(claims: Mapping[str, Any], name: str) -> str:
    """The person that a claim names, as text. Only values that can be one person's own are taken.

    Raises:
        UnauthenticatedError: the claim is empty, too long, not text, or not a whole number.
    """
    value = claims[name]
    subject = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not subject.strip() or len(subject) > _LONGEST_SUBJECT or not subject.isprintable():
        raise UnauthenticatedError(f"The token is not valid: its claim {name!r} names nobody.")
    return subject


def suggested_handle(claims: Mapping[str, Any]) -> str:
    """The name that the provider suggests for a new account; may be empty."""
    return str(claims.get("preferred_username") or claims.get("nickname") or "")


def scopes_of(claims: Mapping[str, Any], path: str) -> frozenset[str]:
    """The scopes in `scope` and `scp`, and those at the path of a claim; each is a list or separated by spaces."""
    found = [claims.get("scope"), claims.get("scp"), _at(claims, path) if path else None]
    scopes: set[str] = set()
    for value in found:
        if isinstance(value, str):
            scopes.update(value.split())
        elif isinstance(value, list):
            scopes.update(one for one in value if isinstance(one, str))
    return frozenset(scopes)


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """The value of a claim: of this very name, such as a URL, or nested with dots, such as `realm_access.roles`."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
