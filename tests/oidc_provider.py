"""A real OpenID provider for tests (npm's oidc-provider), which can be stopped, and started again with other keys."""

import base64
import hashlib
import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

SCRIPT = Path(__file__).parent / "oidc" / "provider.mjs"
_PACKAGE = Path(__file__).parents[1] / "web" / "node_modules" / "oidc-provider"
NODE = shutil.which("node")
IS_INSTALLED = NODE is not None and _PACKAGE.exists()
MISSING = "oidc-provider is not installed: run npm ci in web/"
SECRET = "a secret of the tests, and of nothing else"  # of tests/oidc/provider.mjs
CLIENT = "photofeed"  # the client of the API's sign-in
CALLBACK = "http://127.0.0.1/callback"


def signing_key(name: str) -> dict[str, Any]:
    """A key that the provider can sign with."""
    key = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048), as_dict=True)
    return key | {"kid": name, "use": "sig", "alg": "RS256"}


@dataclass
class Provider:
    """A provider whose sign-in leads back to the API at `api_url`."""

    folder: Path
    port: int
    api_url: str = "http://127.0.0.1:8000"

    @property
    def url(self) -> str:
        """The issuer."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self, *keys: dict[str, Any]) -> Iterator[None]:
        """The provider, which publishes these keys and signs with the first."""
        jwks = self.folder / "jwks.json"
        jwks.write_text(json.dumps({"keys": keys}))
        command = [str(NODE), str(SCRIPT), str(self.port), str(jwks), self.api_url]
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
                    raise AssertionError(f"the provider does not start: {said}")
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
        back = self.visit(f"{self.url}/auth", name, params=asked)
        code = parse_qs(urlsplit(back).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_id": "app"}
        reply = httpx.post(f"{self.url}/token", data=form | {"code_verifier": verifier, "resource": "urn:photofeed"})
        assert reply.status_code == 200, reply.text
        return str(reply.json()["access_token"])

    def visit(self, address: str, name: str, params: Mapping[str, str] | None = None) -> str:
        """Log in and consent on the pages of the provider; the address that it sends the browser to."""
        with httpx.Client(base_url=self.url) as browser:
            page = browser.get(address, params=params)
            for form in ({"prompt": "login", "login": name, "password": "any"}, {"prompt": "consent"}):
                page = self._follow(browser, page)
                page = browser.post(page.url, data=form)
            return self._follow(browser, page).headers["location"]

    def _follow(self, browser: httpx.Client, page: httpx.Response) -> httpx.Response:
        """Follow redirects within the provider."""
        while page.is_redirect and (to := urljoin(str(page.url), page.headers["location"])).startswith(self.url):
            page = browser.get(to)
        return page
