import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import jwt
import pytest

from photofeed import tokens
from photofeed.errors import RetryableError, UnauthenticatedError
from photofeed.ids import decode_id
from photofeed.settings import Settings
from photofeed.tokens import ADMIN, SERVICE, USER, Caller, TokenVerifier, mint_token
from tests.doubles.identity_provider import SHARED_SECRET, IdentityProvider, running_identity_provider
from tests.doubles.module_time import patch_time

SETTINGS = Settings()


def test_a_minted_token_says_who_calls_and_what_they_may() -> None:
    verified = TokenVerifier(SETTINGS).verify(mint_token(SETTINGS, 42, frozenset({SERVICE})))
    assert (verified.user_id, verified.scopes) == (42, frozenset({SERVICE}))
    caller = Caller(42, verified.scopes)
    assert caller.is_service
    assert not caller.is_admin


def _remembered(verifier: TokenVerifier, token: str) -> Caller:
    """Check a token and remember its caller, as the API does."""
    verified = verifier.verify(token)
    caller = Caller(verified.user_id or 0, verified.scopes)
    verifier.remember(token, verified, caller)
    return caller


def _claims(**changes: object) -> dict[str, object]:
    now = int(datetime.now(UTC).timestamp())
    return {"iss": "photofeed", "aud": "photofeed", "sub": "0000000000g", "exp": now + 60} | changes


@pytest.mark.parametrize(
    "changes", [{"exp": 1}, {"aud": "other"}, {"iss": "other"}, {"sub": "not-an-id"}, {"exp": None}]
)
def test_tokens_that_do_not_hold_are_refused(changes: dict[str, object]) -> None:
    claims = {name: value for name, value in _claims(**changes).items() if value is not None}
    token = jwt.encode(claims, SETTINGS.jwt_secret.get_secret_value(), algorithm="HS256")
    with pytest.raises(UnauthenticatedError):
        TokenVerifier(SETTINGS).verify(token)


def test_another_secret_or_no_signature_is_refused() -> None:
    for token in (
        jwt.encode(_claims(), "x" * 32, algorithm="HS256"),
        jwt.encode(_claims(), "", algorithm="none"),
        "x",
    ):
        with pytest.raises(UnauthenticatedError):
            TokenVerifier(SETTINGS).verify(token)


def test_a_token_is_remembered_no_longer_than_it_holds() -> None:
    now = int(datetime.now(UTC).timestamp())
    moment = [float(now)]
    verifier = TokenVerifier(SETTINGS, clock=lambda: moment[0])
    token = jwt.encode(_claims(exp=now + 30), SETTINGS.jwt_secret.get_secret_value(), algorithm="HS256")
    assert verifier.remembered(token) is None
    assert _remembered(verifier, token) == verifier.remembered(token)
    assert verifier.remembered(token + "x") is None
    moment[0] = now + 30.0
    assert verifier.remembered(token) is None


def test_a_key_that_is_withdrawn_does_not_count_for_long() -> None:
    moment = [datetime.now(UTC).timestamp()]
    verifier = TokenVerifier(SETTINGS, clock=lambda: moment[0])
    token = mint_token(SETTINGS, 42)
    _remembered(verifier, token)
    moment[0] += 61
    assert verifier.remembered(token) is None


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with running_identity_provider() as provider:
        yield provider


@pytest.fixture
def verifier(provider: IdentityProvider) -> TokenVerifier:
    return TokenVerifier(SETTINGS.model_copy(update={"jwt_jwks_url": provider.url, "jwt_subjects": "ids"}))


def test_tokens_of_the_identity_provider_are_accepted(provider: IdentityProvider, verifier: TokenVerifier) -> None:
    assert verifier.may_wait
    signed = {"RS256": (provider.rsa_key, "rs"), "ES256": (provider.ec_key, "es")}
    for algorithm, (key, kid) in signed.items():
        token = provider.token(algorithm, key, kid, scope="user admin")
        caller = _remembered(verifier, token)
        assert caller == Caller(decode_id("0000000000g"), frozenset({USER, ADMIN}))
        assert verifier.remembered(token) == caller


def test_with_an_identity_provider_no_shared_secret_signs(provider: IdentityProvider, verifier: TokenVerifier) -> None:
    """Neither the development secret, nor a published symmetric key, nor a public key taken for a secret."""
    for kid in ("rs", "es", "hs"):
        for secret in (SETTINGS.jwt_secret.get_secret_value().encode(), SHARED_SECRET):
            with pytest.raises(UnauthenticatedError):
                verifier.verify(provider.token("HS256", secret, kid))
    public = provider.jwks()["keys"][0]["n"].encode()
    with pytest.raises(UnauthenticatedError):
        verifier.verify(provider.token("HS256", public, "rs"))
    with pytest.raises(UnauthenticatedError):
        verifier.verify(mint_token(SETTINGS, 42))


def test_tokens_that_another_key_signed_are_refused(provider: IdentityProvider, verifier: TokenVerifier) -> None:
    stranger = IdentityProvider("")
    for token in (
        provider.token("RS256", stranger.rsa_key, "rs"),
        provider.token("ES256", stranger.ec_key, "es"),
        provider.token("ES256", provider.ec_key, "rs"),
        provider.token("RS256", provider.rsa_key, "no such key"),
        provider.token("RS384", provider.rsa_key, "rs"),
    ):
        with pytest.raises(UnauthenticatedError):
            verifier.verify(token)


@pytest.mark.parametrize("claims", [{"exp": 1}, {"aud": "other"}, {"iss": "other"}, {"sub": "not-an-id"}])
def test_claims_are_checked_with_an_identity_provider_too(
    provider: IdentityProvider, verifier: TokenVerifier, claims: dict[str, object]
) -> None:
    with pytest.raises(UnauthenticatedError):
        verifier.verify(provider.token("RS256", provider.rsa_key, "rs", **claims))


def test_an_identity_provider_that_does_not_answer_is_not_the_callers_fault(provider: IdentityProvider) -> None:
    with running_identity_provider() as gone:
        verifier = TokenVerifier(SETTINGS.model_copy(update={"jwt_jwks_url": gone.url}))
    with pytest.raises(RetryableError, match="identity provider"):
        verifier.verify(provider.token("RS256", provider.rsa_key, "rs"))


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).timestamp()

    def __call__(self) -> float:
        return self.now


def _with_clock(provider: IdentityProvider, **settings: str) -> tuple[TokenVerifier, Clock]:
    clock = Clock()
    return TokenVerifier(SETTINGS.model_copy(update={"jwt_jwks_url": provider.url} | settings), clock), clock


def test_a_withdrawn_key_is_refused_within_five_minutes_and_a_new_one_is_accepted_at_once() -> None:
    with running_identity_provider() as provider:
        verifier, clock = _with_clock(provider)
        old = provider.token("RS256", provider.rsa_key, "rs")
        assert verifier.verify(old).subject
        withdrawn = provider.rsa_key
        provider.rsa_key, provider.rsa_name = IdentityProvider("").rsa_key, "rs2"
        clock.now += 1
        assert verifier.verify(provider.token("RS256", provider.rsa_key, "rs2")).subject
        with pytest.raises(UnauthenticatedError):  # the keys were just fetched
            verifier.verify(provider.token("RS256", withdrawn, "rs"))

        verifier, clock = _with_clock(provider)
        assert verifier.verify(provider.token("RS256", provider.rsa_key, "rs2")).subject
        provider.rsa_name = "rs3"
        clock.now += 300 - 60  # a checked token is remembered for a minute
        with pytest.raises(UnauthenticatedError, match="names no key"):
            verifier.verify(provider.token("RS256", provider.rsa_key, "rs2"))


def test_a_key_that_is_published_for_encryption_signs_nothing() -> None:
    with running_identity_provider() as provider:
        for use, holds in (("sig", True), ("enc", False)):
            keys = [key | {"use": use} for key in provider.jwks()["keys"]]
            provider.published = json.dumps({"keys": keys}).encode()
            verifier, _ = _with_clock(provider)
            token = provider.token("RS256", provider.rsa_key, "rs")
            if holds:
                assert verifier.verify(token).subject
            else:
                with pytest.raises(UnauthenticatedError, match="names no key"):
                    verifier.verify(token)


def test_unknown_keys_are_asked_for_once_a_second(provider: IdentityProvider) -> None:
    verifier, clock = _with_clock(provider)
    asked = provider.asked
    for _ in range(100):
        with pytest.raises(UnauthenticatedError):
            verifier.verify(provider.token("RS256", provider.rsa_key, "no such key"))
    assert provider.asked == asked + 1
    clock.now += 1
    with pytest.raises(UnauthenticatedError):
        verifier.verify(provider.token("RS256", provider.rsa_key, "no such key"))
    assert provider.asked == asked + 2


def test_a_provider_that_is_away_is_no_fault_of_the_caller_and_tells_nothing() -> None:
    with running_identity_provider() as provider:
        verifier, clock = _with_clock(provider)
        token = provider.token("RS256", provider.rsa_key, "rs")
        verifier.verify(token)
        for published in (b"not JSON", b"[]", b"{}", b'{"keys": 5}', b'{"keys": [5]}'):
            provider.published = published
            clock.now += 300
            with pytest.raises(RetryableError) as away:
                verifier.verify(token)
            assert str(away.value) == "The identity provider does not answer. Please try again in a moment."
        provider.published = None
        clock.now += 1
        assert verifier.verify(token).subject
        with pytest.raises(UnauthenticatedError, match="names no key"):  # it has answered since
            verifier.verify(provider.token("RS256", provider.rsa_key, "no such key"))
    clock.now += 2
    assert verifier.verify(token).subject  # the keys are known
    for seconds in (0, 0, 300, 0):  # an unknown key, again at once, keys that are too old, and again at once
        clock.now += seconds
        with pytest.raises(RetryableError, match=r"^The identity provider does not answer"):
            verifier.verify(provider.token("RS256", provider.rsa_key, "new key"))


def test_a_provider_that_answers_late_is_asked_once_for_all_who_wait(provider: IdentityProvider) -> None:
    verifier, clock = _with_clock(provider)
    asked, provider.published = provider.asked, b"not JSON"

    def pass_time() -> None:
        clock.now += 5

    provider.meanwhile = pass_time
    try:
        for _ in range(3):
            with pytest.raises(RetryableError):
                verifier.verify(provider.token("RS256", provider.rsa_key, "rs"))
    finally:
        provider.published, provider.meanwhile = None, bool
    assert provider.asked == asked + 1


def test_known_keys_count_while_the_provider_is_asked_for_another(provider: IdentityProvider) -> None:
    verifier, clock = _with_clock(provider)
    token = provider.token("RS256", provider.rsa_key, "rs")
    verifier.verify(token)
    clock.now += 1
    is_asked, may_answer = threading.Event(), threading.Event()

    def hold() -> None:
        is_asked.set()
        may_answer.wait()

    provider.meanwhile = hold
    with ThreadPoolExecutor(1) as other:
        try:
            unknown = other.submit(verifier.verify, provider.token("RS256", provider.rsa_key, "no such key"))
            is_asked.wait()
            assert verifier.verify(token).subject
            assert not unknown.done()
        finally:
            may_answer.set()
            provider.meanwhile = bool
        assert isinstance(unknown.exception(), UnauthenticatedError)


def test_a_clock_that_is_set_back_prolongs_nothing(provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered, and keys that were withdrawn, are dropped by a clock that nobody sets."""
    ticks = Clock()
    patch_time(monkeypatch, tokens, monotonic=ticks)
    verifier = TokenVerifier(SETTINGS.model_copy(update={"jwt_jwks_url": provider.url, "jwt_subjects": "ids"}))
    token = provider.token("RS256", provider.rsa_key, "rs")
    _remembered(verifier, token)
    patch_time(monkeypatch, tokens, time=lambda: datetime.now(UTC).timestamp() - 3_600)
    ticks.now += 61
    assert verifier.remembered(token) is None
    asked = provider.asked
    ticks.now += 180
    assert verifier.verify(token).subject
    assert provider.asked == asked + 1


def test_a_provider_whose_clock_is_ahead_is_accepted(provider: IdentityProvider, verifier: TokenVerifier) -> None:
    now = int(datetime.now(UTC).timestamp())
    assert verifier.verify(provider.token("RS256", provider.rsa_key, "rs", iat=now + 30, nbf=now + 30)).subject
    with pytest.raises(UnauthenticatedError):
        verifier.verify(provider.token("RS256", provider.rsa_key, "rs", nbf=now + 3_600))


def test_a_server_whose_clock_was_set_back_accepts_a_new_token(
    provider: IdentityProvider, verifier: TokenVerifier
) -> None:
    later = int(datetime.now(UTC).timestamp()) + 600
    assert verifier.verify(provider.token("RS256", provider.rsa_key, "rs", iat=later)).subject


@pytest.mark.parametrize("expiry", [0, -1, float("inf"), float("nan"), "soon"])
def test_a_token_needs_an_expiry_that_has_not_come(
    provider: IdentityProvider, verifier: TokenVerifier, expiry: object
) -> None:
    if isinstance(expiry, int):
        expiry = int(datetime.now(UTC).timestamp()) + expiry
    with pytest.raises(UnauthenticatedError):
        verifier.verify(provider.token("RS256", provider.rsa_key, "rs", exp=expiry))


@pytest.mark.parametrize(
    "value", ["", "  ", None, True, False, 1.5, [], ["a"], {}, "a\0b", "a\nb", "\ud800", "x" * 256]
)
def test_a_claim_that_many_could_have_names_nobody(provider: IdentityProvider, value: object) -> None:
    """Else all whose claim is empty would share an account."""
    verifier, _ = _with_clock(provider, jwt_subject_claim="employee")
    with pytest.raises(UnauthenticatedError, match="employee"):
        verifier.verify(provider.token("RS256", provider.rsa_key, "rs", employee=value))


def test_a_number_may_name_the_person(provider: IdentityProvider) -> None:
    verifier, _ = _with_clock(provider, jwt_subject_claim="employee")
    assert verifier.verify(provider.token("RS256", provider.rsa_key, "rs", employee=0)).subject == "0"


@pytest.mark.parametrize(
    ("claims", "path", "scopes"),
    [
        ({"scope": "openid user"}, "", {"openid", "user"}),
        ({"scp": ["user", "moderator"]}, "", {"user", "moderator"}),
        ({"scp": "user admin"}, "", {"user", "admin"}),
        ({"scope": ["user"]}, "", {"user"}),
        ({"realm_access": {"roles": ["user", 5]}}, "realm_access.roles", {"user"}),
        ({"https://photos.example/roles": ["user"]}, "https://photos.example/roles", {"user"}),
        ({"scope": "openid", "roles": "user"}, "roles", {"openid", "user"}),
        ({"realm_access": "user"}, "realm_access.roles", set()),
        ({}, "", set()),
        ({"scope": None, "scp": 5}, "a.b", set()),
    ],
)
def test_scopes_are_read_where_providers_put_them(
    provider: IdentityProvider, claims: dict[str, object], path: str, scopes: set[str]
) -> None:
    verifier, _ = _with_clock(provider, jwt_scopes_claim=path)
    assert verifier.verify(provider.token("RS256", provider.rsa_key, "rs", **claims)).scopes == scopes


def test_any_claim_may_name_the_person(provider: IdentityProvider) -> None:
    verifier, _ = _with_clock(provider)
    verified = verifier.verify(provider.token("RS256", provider.rsa_key, "rs", sub="auth0|5f7c8ec7"))
    assert (verified.subject, verified.user_id) == ("auth0|5f7c8ec7", None)
    verifier, _ = _with_clock(provider, jwt_subject_claim="oid")
    assert verifier.verify(provider.token("RS256", provider.rsa_key, "rs", oid="7e0b1a3c")).subject == "7e0b1a3c"
    with pytest.raises(UnauthenticatedError, match="oid"):
        verifier.verify(provider.token("RS256", provider.rsa_key, "rs"))
