"""Sign-in at an OpenID provider: authorization code with PKCE (OpenID Connect Core 1.0, RFC 7636, RFC 9207).

The API is the client. Browsers get a cookie (sessions.py) and never see a token of the provider.
"""

import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import quote_plus, urlencode

import anyio.to_thread
import httpx
import jwt

from photofeed.errors import RetryableError, UnauthenticatedError
from photofeed.settings import Settings, is_confidential
from photofeed.signing_keys import SigningKeys
from photofeed.tokens import (
    ADMIN,
    JWKS_ALGORITHMS,
    MODERATOR,
    USER,
    VerifiedToken,
    scopes_of,
    subject_of,
    suggested_handle,
)

_WELL_KNOWN = "/.well-known/openid-configuration"
_KEPT_SECONDS = 3_600.0  # of what discovery says
_TIMEOUT_SECONDS = 5.0
_LEEWAY_SECONDS = 60  # by which the clock of the provider may differ
_DEFAULT_LIFETIME = 3_600  # of a token whose lifetime the provider does not say
_SHORTEST_LIFETIME = 30
_AWAY = "The identity provider does not answer. Please try again in a moment."
_ROLES = frozenset({MODERATOR, ADMIN})  # a browser is never a service


@dataclass(frozen=True, slots=True)
class Attempt:
    """What ties a reply of the provider to the browser that asked: state, nonce and PKCE's verifier."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """What the provider said: who signed in, and after how many seconds it has to be asked again.

    Attributes:
        token: the person; None if a refresh brought no new ID token.
        refresh_token: empty if the provider cannot be asked again.
        fresh_seconds: how long the answer holds.
    """

    token: VerifiedToken | None
    refresh_token: str
    fresh_seconds: int


class OidcProvider:
    """The provider of the settings; its endpoints are those of its discovery document."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._http = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS)
        self._metadata: Mapping[str, Any] = {}
        self._asked_at = float("-inf")
        self._keys: SigningKeys | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def authorization_url(self, attempt: Attempt, redirect_uri: str) -> str:
        """Where the browser goes to sign in.

        Raises:
            RetryableError: the provider does not answer.
        """
        challenge = urlsafe_b64encode(sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": redirect_uri,
            "scope": self._settings.oidc_scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return _with_query(await self._endpoint("authorization_endpoint"), asked)

    async def exchange(self, code: str, attempt: Attempt, redirect_uri: str) -> tuple[VerifiedToken, SignIn]:
        """Exchange the code for the person who signed in, and for what a session keeps of it.

        Raises:
            UnauthenticatedError: the provider refuses the code, or its ID token is not valid for this attempt.
            RetryableError: the provider does not answer.
        """
        form = {"code": code, "redirect_uri": redirect_uri, "code_verifier": attempt.verifier}
        reply = await self._tokens({"grant_type": "authorization_code", **form})
        claims = await self._claims(str(reply.get("id_token", "")))
        if not hmac.compare_digest(str(claims.get("nonce", "")), attempt.nonce):
            raise UnauthenticatedError("The ID token is not one of this sign-in.")
        return self._person(claims), self._sign_in(reply, claims)

    async def refresh(self, refresh_token: str, subject: str) -> SignIn:
        """Ask whether the person may go on.

        Raises:
            UnauthenticatedError: they may not, or the reply is about somebody else.
            RetryableError: the provider does not answer.
        """
        reply = await self._tokens({"grant_type": "refresh_token", "refresh_token": refresh_token})
        claims = await self._claims(str(reply["id_token"])) if reply.get("id_token") else None
        if claims is not None and claims["sub"] != subject:
            raise UnauthenticatedError("The ID token is about another person.")
        # providers that do not rotate refresh tokens send none
        return self._sign_in({"refresh_token": refresh_token, **reply}, claims)

    async def sign_out_url(self, return_to: str) -> str | None:
        """Where the browser ends its session at the provider; None if the provider has no such page, or is away."""
        try:
            endpoint = (await self._discovered()).get("end_session_endpoint")
        except RetryableError:
            return None
        if not endpoint:
            return None
        asked = {"client_id": self._settings.oidc_client_id, "post_logout_redirect_uri": return_to}
        return _with_query(str(endpoint), asked)

    async def issuer_is(self, named: str | None) -> bool:
        """Whether a reply may be the provider's: one that names its sender (RFC 9207) names this one."""
        if named is None:
            return not (await self._discovered()).get("authorization_response_iss_parameter_supported", False)
        return named == self._settings.oidc_issuer

    def _sign_in(self, reply: Mapping[str, Any], claims: Mapping[str, Any] | None) -> SignIn:
        token = None if claims is None else self._person(claims)
        return SignIn(token, str(reply.get("refresh_token") or ""), _lifetime(reply))

    def _person(self, claims: Mapping[str, Any]) -> VerifiedToken:
        return VerifiedToken(
            issuer=self._settings.oidc_issuer,
            subject=subject_of(claims, "sub"),
            user_id=None,
            scopes=frozenset({USER}) | (scopes_of(claims, self._settings.jwt_scopes_claim) & _ROLES),
            expires_at=float(claims["exp"]),
            handle=suggested_handle(claims),
            display_name=str(claims.get("name") or ""),
        )

    async def _claims(self, id_token: str) -> Mapping[str, Any]:
        keys = await self._signing_keys()
        client_id = self._settings.oidc_client_id
        try:
            key = await anyio.to_thread.run_sync(keys.of, id_token)
            claims: Mapping[str, Any] = jwt.decode(
                id_token,
                key,
                algorithms=list(JWKS_ALGORITHMS),
                audience=client_id,
                issuer=self._settings.oidc_issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "sub", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise UnauthenticatedError(f"The ID token is not valid: {error}") from error
        if claims.get("azp", client_id) != client_id:
            raise UnauthenticatedError("The ID token is for another client.")
        return claims

    async def _tokens(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        secret, client_id = self._settings.oidc_client_secret, self._settings.oidc_client_id
        endpoint, sent = await self._endpoint("token_endpoint"), dict(form)
        auth: httpx.BasicAuth | None = None
        methods = (await self._discovered()).get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if secret is None:
            sent["client_id"] = client_id
        elif "client_secret_basic" in methods:
            auth = httpx.BasicAuth(quote_plus(client_id), quote_plus(secret.get_secret_value()))
        else:
            sent |= {"client_id": client_id, "client_secret": secret.get_secret_value()}
        reply = await self._asked(self._http.build_request("POST", endpoint, data=sent), auth)
        body = _object(reply)
        if reply.status_code != HTTPStatus.OK:
            raise UnauthenticatedError(f"The identity provider refuses: {body.get('error', reply.status_code)}.")
        return body

    async def _signing_keys(self) -> SigningKeys:
        endpoint = await self._endpoint("jwks_uri")
        if self._keys is None:
            self._keys = SigningKeys(endpoint, self._clock)
        return self._keys

    async def _endpoint(self, name: str) -> str:
        url = str((await self._discovered()).get(name, ""))
        if not is_confidential(url):
            raise RetryableError(f"The identity provider has no {name} that can be used.")
        return url

    async def _discovered(self) -> Mapping[str, Any]:
        if self._clock() - self._asked_at >= _KEPT_SECONDS:
            url = self._settings.oidc_issuer.rstrip("/") + _WELL_KNOWN
            reply = await self._asked(self._http.build_request("GET", url), None)
            found = _object(reply)
            if reply.status_code != HTTPStatus.OK or found.get("issuer") != self._settings.oidc_issuer:
                raise RetryableError("The identity provider does not describe itself as PHOTOFEED_OIDC_ISSUER.")
            self._metadata, self._asked_at, self._keys = found, self._clock(), None
        return self._metadata

    async def _asked(self, request: httpx.Request, auth: httpx.BasicAuth | None) -> httpx.Response:
        try:
            reply = await self._http.send(request, auth=auth)
        except httpx.HTTPError as error:
            raise RetryableError(_AWAY) from error
        if reply.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise RetryableError(_AWAY)
        return reply


def _object(reply: httpx.Response) -> dict[str, Any]:
    try:
        body = reply.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _lifetime(reply: Mapping[str, Any]) -> int:
    stated = reply.get("expires_in", _DEFAULT_LIFETIME)
    return max(int(stated) if isinstance(stated, int | float) else _DEFAULT_LIFETIME, _SHORTEST_LIFETIME)


def _with_query(url: str, asked: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}"
