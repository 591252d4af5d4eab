"""Tokens of a real OpenID provider (npm's oidc-provider): login with PKCE, withdrawn and new keys, provider away."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from photofeed.signing_keys import KEPT_SECONDS
from photofeed.tokens import TokenVerifier
from tests.doubles.clock import Clock
from tests.oidc_provider import IS_INSTALLED, MISSING, Provider, signing_key
from tools.listening import free_port

if TYPE_CHECKING:
    from tests.api.conftest import App

pytestmark = pytest.mark.skipif(not IS_INSTALLED, reason=MISSING)


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    return Provider(tmp_path, free_port())


@pytest.fixture
def clock(app: "App", provider: Provider) -> Iterator[Clock]:
    """The API trusts the provider, and its verifier has this clock."""
    state, clock = app.http.app_state, Clock()
    services = state["services"]
    changed = app.settings.model_copy(update={"jwt_jwks_url": f"{provider.url}/jwks", "jwt_issuer": provider.url})
    identities = replace(services.identities, provision=True)
    state["services"] = replace(services, verifier=TokenVerifier(changed, clock), identities=identities)
    yield clock
    state["services"] = services


def _me(app: "App", token: str) -> httpx2.Response:
    return app.http.get("/v1/me", headers={"Authorization": f"Bearer {token}"})


def test_a_person_who_logs_in_has_an_account(app: "App", provider: Provider, clock: Clock) -> None:
    with provider.running(signing_key("one")):
        name = f"marta-{secrets.token_hex(4)}"
        first, again, other = (_me(app, provider.login(who)) for who in (name, name, f"{name}-2"))
        assert first.status_code == 200, first.text
        assert first.json()["id"] == again.json()["id"] != other.json()["id"]
        assert _me(app, provider.machine_token()).status_code == 200
    assert clock.now == 100.0


def test_a_new_key_is_accepted_at_once_and_a_withdrawn_one_within_minutes(
    app: "App", provider: Provider, clock: Clock
) -> None:
    old, new = signing_key("old"), signing_key("new")
    with provider.running(old):
        token = provider.machine_token()
        assert _me(app, token).status_code == 200
    clock.now += 2  # the keys are fetched at most once per second
    with provider.running(new):
        assert _me(app, provider.machine_token()).status_code == 200
        clock.now += KEPT_SECONDS + 61  # kept, and remembered for a minute
        refused = _me(app, token)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")


def test_a_provider_that_is_away_is_a_503_without_its_reason(app: "App", provider: Provider, clock: Clock) -> None:
    with provider.running(signing_key("one")):
        token = provider.machine_token()
    reply = _me(app, token)
    assert (reply.status_code, reply.json()["code"]) == (503, "try_again")
    assert int(reply.headers["retry-after"]) > 0
    assert "127.0.0.1" not in reply.text
    assert clock.now == 100.0
