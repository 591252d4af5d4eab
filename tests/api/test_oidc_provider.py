"""Tokens of a real OpenID provider (npm's oidc-provider): login with PKCE, withdrawn and new keys, provider away."""

import base64
import hashlib
import json
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from photofeed.signing_keys import KEPT_SECONDS
from photofeed.tokens import TokenVerifier
from serving.identities import Identities
from tests.doubles.clock import Clock

if TYPE_CHECKING:
    from tests.api.conftest import App

SCRIPT = Path(__file__).parents[1] / "oidc" / "provider.mjs"
INSTALLED = Path(__file__).parents[2] / "web" / "node_modules" / "oidc-provider"
SECRET = "a secret of the tests, and of nothing else"  # of tests/oidc/provider.mjs
NODE = shutil.which("node")
CALLBACK = "http://127.0.0.1/callback"

pytestmark = pytest.mark.skipif(
    NODE is None or not INSTALLED.exists(), reason="oidc-provider is not installed: run npm ci in web/"
)


def _key(name: str) -> dict[str, Any]:
    key = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048), as_dict=True)
    return key | {"kid": name, "use": "sig", "alg": "RS256"}


@dataclass
class Provider:
    """A provider that can be stopped, and started again with other keys."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self, *keys: dict[str, Any]) -> Iterator[None]:
        """The provider, which publishes these keys and signs with the first."""
        jwks = self.folder / "jwks.json"
        jwks.write_text(json.dumps({"keys": keys}))
        command = [str(NODE), str(SCRIPT), str(self.port), str(jwks)]
        with subprocess.Popen(  # noqa: S603  our own script
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                assert process.stdout is not None
                said = []
                for line in process.stdout:
                    said.append(line)
                    if line.startswith("ready"):
                        break
                else:
                    pytest.fail(f"the provider does not start: {said}")
                yield
            finally:
                process.terminate()

    def machine_token(self) -> str:
        """A token of the client credentials grant."""
        form = {"grant_type": "client_credentials", "scope": "user", "resource": "urn:photofeed"}
        reply = httpx.post(f"{self.url}/token", data=form, auth=("machine", SECRET))
        assert reply.status_code == 200, reply.text
        return str(reply.json()["access_token"])

    def login(self, name: str) -> str:
        """The token of a person who logs in with the code flow and PKCE."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "client_id": "app",
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": "openid user",
            "resource": "urn:photofeed",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        with httpx.Client(base_url=self.url) as browser:
            page = browser.get("/auth", params=asked)
            for form in ({"prompt": "login", "login": name, "password": "any"}, {"prompt": "consent"}):
                page = self._follow(browser, page)
                page = browser.post(page.url, data=form)
            page = self._follow(browser, page)
        code = parse_qs(urlsplit(page.headers["location"]).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_id": "app"}
        reply = httpx.post(f"{self.url}/token", data=form | {"code_verifier": verifier, "resource": "urn:photofeed"})
        assert reply.status_code == 200, reply.text
        return str(reply.json()["access_token"])

    def _follow(self, browser: httpx.Client, page: httpx.Response) -> httpx.Response:
        """Follow redirects within the provider."""
        while page.is_redirect and not page.headers["location"].startswith(CALLBACK):
            page = browser.get(urljoin(str(page.url), page.headers["location"]))
        return page


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Provider(tmp_path, free.getsockname()[1])


@pytest.fixture
def clock(app: "App", provider: Provider) -> Iterator[Clock]:
    """The API trusts the provider, and its verifier has this clock."""
    state, clock = app.http.app_state, Clock()
    services = state["services"]
    changed = app.settings.model_copy(update={"jwt_jwks_url": f"{provider.url}/jwks", "jwt_issuer": provider.url})
    identities = Identities(services.database, services.ids, provision=True)
    state["services"] = replace(services, verifier=TokenVerifier(changed, clock), identities=identities)
    yield clock
    state["services"] = services


def _me(app: "App", token: str) -> httpx2.Response:
    return app.http.get("/v1/me", headers={"Authorization": f"Bearer {token}"})


def test_a_person_who_logs_in_has_an_account(app: "App", provider: Provider, clock: Clock) -> None:
    with provider.running(_key("one")):
        name = f"marta-{secrets.token_hex(4)}"
        first, again, other = (_me(app, provider.login(who)) for who in (name, name, f"{name}-2"))
        assert first.status_code == 200, first.text
        assert first.json()["id"] == again.json()["id"] != other.json()["id"]
        assert _me(app, provider.machine_token()).status_code == 200
    assert clock.now == 100.0


def test_a_new_key_is_accepted_at_once_and_a_withdrawn_one_within_minutes(
    app: "App", provider: Provider, clock: Clock
) -> None:
    old, new = _key("old"), _key("new")
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
    with provider.running(_key("one")):
        token = provider.machine_token()
    reply = _me(app, token)
    assert (reply.status_code, reply.json()["code"]) == (503, "try_again")
    assert int(reply.headers["retry-after"]) > 0
    assert "127.0.0.1" not in reply.text
    assert clock.now == 100.0
