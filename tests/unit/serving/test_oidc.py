"""What an OpenID provider may say, and what is refused, with a provider that says anything."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import jwt
import pytest
from pydantic import SecretStr

from photofeed.errors import RetryableError, UnauthenticatedError
from photofeed.settings import Settings
from photofeed.signing_keys import SigningKeys
from serving.oidc import Attempt, OidcProvider
from tests.oidc_provider import CLIENT, signing_key

ISSUER = "https://identity.example"
ATTEMPT = Attempt("state", "nonce", "verifier")
KEY = signing_key("one")
SETTINGS = Settings(
    env="dev", oidc_issuer=ISSUER, oidc_client_id=CLIENT, oidc_client_secret=SecretStr("a secret of a test")
)


@dataclass
class Answers:
    """What the provider answers: its metadata, and the claims of the ID token; None for no token."""

    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] | None = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=lambda: {"refresh_token": "again", "expires_in": 600})
    status: int = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/.well-known"):
            endpoints = {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
            return httpx.Response(200, json={"issuer": ISSUER, **endpoints, **self.metadata})
        reply = {"access_token": "a", **self.tokens}
        if self.claims is not None:
            reply["id_token"] = self._id_token()
        return httpx.Response(self.status, json=reply)

    def _id_token(self) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": CLIENT, "sub": "ann", "nonce": "nonce", "iat": now, "exp": now + 60}
        key = cast("Any", jwt.PyJWK(KEY).key)
        stated = {name: value for name, value in {**claims, **(self.claims or {})}.items() if value is not None}
        return jwt.encode(stated, key, "RS256", {"kid": "one"})


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def provider(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> OidcProvider:
    public = {name: value for name, value in KEY.items() if name in {"kty", "n", "e", "kid", "use", "alg"}}
    monkeypatch.setattr(SigningKeys, "of", lambda *_: jwt.PyJWK(public))
    provider = OidcProvider(SETTINGS)
    asyncio.run(provider.aclose())
    provider._http = httpx.AsyncClient(transport=httpx.MockTransport(answers))
    return provider


def _exchanged(provider: OidcProvider) -> Any:
    return asyncio.run(provider.exchange("code", ATTEMPT, "https://app.example/callback"))


def test_the_person_and_the_lifetime_are_those_of_the_answer(provider: OidcProvider) -> None:
    person, sign_in = _exchanged(provider)
    assert (person.issuer, person.subject) == (ISSUER, "ann")
    assert (sign_in.refresh_token, sign_in.fresh_seconds) == ("again", 600)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        pytest.param({"nonce": "of another sign-in"}, "not one of this sign-in", id="another nonce"),
        pytest.param({"nonce": None}, "not one of this sign-in", id="no nonce"),
        pytest.param({"azp": "another client"}, "another client", id="authorized for another client"),
        pytest.param({"aud": "another client"}, "not valid", id="another audience"),
        pytest.param({"aud": [CLIENT, "b"], "azp": "b"}, "another client", id="two audiences, the other is authorized"),
        pytest.param({"iss": "https://other.example"}, "not valid", id="another issuer"),
        pytest.param({"exp": 1_000}, "not valid", id="expired"),
        pytest.param({"iat": time.time() + 86_400}, "not valid", id="of tomorrow"),
    ],
)
def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    provider: OidcProvider, answers: Answers, claims: dict[str, Any], why: str
) -> None:
    answers.claims = claims
    with pytest.raises(UnauthenticatedError, match=why):
        _exchanged(provider)


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "iat", "exp"])
def test_an_id_token_states_who_it_is_from_for_and_about_and_when(
    provider: OidcProvider, answers: Answers, missing: str
) -> None:
    answers.claims = {missing: None}
    with pytest.raises(UnauthenticatedError, match="not valid"):
        _exchanged(provider)


@pytest.mark.parametrize(
    ("claim", "seconds", "accepted"), [("exp", -1, True), ("exp", -150, False), ("iat", 30, True), ("iat", 3600, False)]
)
def test_the_clock_of_the_provider_may_differ_by_a_minute(
    provider: OidcProvider, answers: Answers, claim: str, seconds: int, accepted: bool
) -> None:
    answers.claims = {claim: int(time.time()) + seconds}
    if accepted:
        assert _exchanged(provider)[0].subject == "ann"
        return
    with pytest.raises(UnauthenticatedError, match="not valid"):
        _exchanged(provider)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (
            {"end_session_endpoint": f"{ISSUER}/logout?realm=a"},
            {"realm": "a", "client_id": CLIENT, "post_logout_redirect_uri": "https://app.example/"},
        ),
        ({}, None),
        ({"end_session_endpoint": ""}, None),
        ({"issuer": "https://other.example"}, None),  # nothing that it says is believed, as if it were away
    ],
)
def test_people_sign_out_at_the_provider_where_it_has_a_page_for_that(
    provider: OidcProvider, answers: Answers, metadata: dict[str, Any], expected: dict[str, str] | None
) -> None:
    answers.metadata = metadata
    url = asyncio.run(provider.sign_out_url("https://app.example/"))
    if expected is None:
        assert url is None
    else:
        assert url is not None
        assert httpx.URL(url).path == "/logout"
        assert dict(httpx.URL(url).params) == expected


def test_a_refresh_is_about_the_same_person(provider: OidcProvider, answers: Answers) -> None:
    refreshed = asyncio.run(provider.refresh("before", "ann"))
    assert refreshed.token is not None
    assert refreshed.refresh_token == "again"
    with pytest.raises(UnauthenticatedError, match="another person"):
        asyncio.run(provider.refresh("before", "bob"))
    answers.claims = None  # providers may send no ID token
    assert asyncio.run(provider.refresh("before", "bob")).token is None


def test_a_refresh_token_that_is_not_rotated_is_kept(provider: OidcProvider, answers: Answers) -> None:
    answers.tokens = {}
    assert asyncio.run(provider.refresh("before", "ann")).refresh_token == "before"


@pytest.mark.parametrize(
    ("supported", "named", "expected"),
    [
        (True, ISSUER, True),
        (True, None, False),
        (True, "https://other.example", False),
        (False, None, True),
        (False, "https://other.example", False),
    ],
)
def test_a_reply_names_its_issuer(
    provider: OidcProvider, answers: Answers, supported: bool, named: str | None, expected: bool
) -> None:
    answers.metadata = {"authorization_response_iss_parameter_supported": supported}
    assert asyncio.run(provider.issuer_is(named)) is expected


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"issuer": "https://other.example"}, id="another issuer"),
        pytest.param({"token_endpoint": "http://identity.example/token"}, id="a token endpoint without TLS"),
        pytest.param({"jwks_uri": ""}, id="no keys"),
    ],
)
def test_a_provider_that_cannot_be_used_is_said(
    provider: OidcProvider, answers: Answers, metadata: dict[str, Any]
) -> None:
    answers.metadata = metadata
    with pytest.raises(RetryableError, match="identity provider"):
        _exchanged(provider)


@pytest.mark.parametrize(
    ("status", "expected"), [(400, UnauthenticatedError), (401, UnauthenticatedError), (503, RetryableError)]
)
def test_a_refusal_is_told_from_an_outage(
    provider: OidcProvider, answers: Answers, status: int, expected: type[Exception]
) -> None:
    answers.status = status
    with pytest.raises(expected):
        _exchanged(provider)
