from datetime import UTC, datetime

import jwt
import pytest

from photofeed.errors import UnauthenticatedError
from photofeed.settings import Settings
from photofeed.tokens import SERVICE, TokenVerifier, mint_token

SETTINGS = Settings()


def test_a_minted_token_says_who_calls_and_what_they_may() -> None:
    caller = TokenVerifier(SETTINGS).verify(mint_token(SETTINGS, 42, frozenset({SERVICE})))
    assert caller.user_id == 42
    assert caller.is_service
    assert not caller.is_admin


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
    assert verifier.verify(token) == verifier.remembered(token)
    assert verifier.remembered(token + "x") is None
    moment[0] = now + 30.0
    assert verifier.remembered(token) is None


def test_a_key_that_is_withdrawn_does_not_count_for_long() -> None:
    moment = [datetime.now(UTC).timestamp()]
    verifier = TokenVerifier(SETTINGS, clock=lambda: moment[0])
    token = mint_token(SETTINGS, 42)
    verifier.verify(token)
    moment[0] += 61
    assert verifier.remembered(token) is None
