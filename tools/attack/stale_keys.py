"""How long a key that the identity provider withdrew is accepted, and what a production server serves to strangers."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tools.attack import BrokenError, expect
from tools.attack.world import World, wait_for
from tools.listening import free_port, running_handler

_MOST_SECONDS = 400.0
_SOON_SECONDS = 3.0  # keys are fetched at most once per second
_PHOTOFEED = str(Path(sys.executable).with_name("photofeed"))


class _Provider:
    """Publishes keys by their name."""

    def __init__(self) -> None:
        self.keys = {name: rsa.generate_private_key(65537, 2048) for name in ("old", "new")}
        self.published = {"old"}

    def token(self, world: World, name: str, subject: str) -> str:
        """A new token that the key of this name signs."""
        claims = {"iss": world.settings.jwt_issuer, "aud": world.settings.jwt_audience, "sub": subject}
        claims |= {"scope": "user", "jti": uuid.uuid4().hex}
        signed: str = jwt.encode(
            claims | {"exp": int(time.time()) + 3600}, self.keys[name], "RS256", headers={"kid": name}
        )
        return signed

    def document(self) -> bytes:
        """The published keys."""
        public = {name: RSAAlgorithm.to_jwk(self.keys[name].public_key(), as_dict=True) for name in self.published}
        return json.dumps({"keys": [key | {"kid": name} for name, key in public.items()]}).encode()


@contextmanager
def _serving(provider: _Provider) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(provider.document())

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with running_handler(Handler) as port:
        yield f"http://127.0.0.1:{port}/jwks"


@contextmanager
def _production(world: World, jwks_url: str) -> Iterator[httpx.Client]:
    """A production server on the stack, with an identity provider."""
    port = free_port()
    environment = {
        **os.environ,
        "PHOTOFEED_STATE_DIR": str(world.settings.state_dir),
        "PHOTOFEED_ENV": "production",
        "PHOTOFEED_PORT": str(port),
        "PHOTOFEED_JWT_JWKS_URL": jwks_url,
    }
    with (world.folder / "production.log").open("wb") as log:
        process = subprocess.Popen([_PHOTOFEED, "serve"], env=environment, stdout=log, stderr=log)  # noqa: S603
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
                wait_for(lambda: _answers(http))
                yield http
        finally:
            process.terminate()
            process.wait()


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").is_success
    except httpx.TransportError:
        return False


def stale_key_seconds(world: World) -> float:
    """Seconds for which tokens of a withdrawn key are accepted, known ones and new ones.

    Raises:
        BrokenError: a published key is refused, a route of development is served, or the key is accepted for too long.
    """
    provider, subject = _Provider(), f"auth0|{uuid.uuid4().hex}"
    with _serving(provider) as url, _production(world, url) as http:
        for path in ("/v1/dev/people", "/v1/dev/progress"):
            expect(http.get(path), 404)
        expect(http.post("/v1/dev/tokens", json={"userId": world.people["owner"].id}), 404, 405)
        known = provider.token(world, "old", subject)
        expect(_me(http, known), 200)
        provider.published = {"old", "new"}
        wait_for(lambda: _me(http, provider.token(world, "new", subject)).is_success, _SOON_SECONDS)
        provider.published = {"new"}
        began = time.monotonic()
        while any(_me(http, token).is_success for token in (known, provider.token(world, "old", subject))):
            if time.monotonic() - began > _MOST_SECONDS:
                raise BrokenError(f"a withdrawn key is still accepted after {_MOST_SECONDS:.0f} s")
            time.sleep(2)
        return time.monotonic() - began


def _me(http: httpx.Client, token: str) -> httpx.Response:
    return http.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
