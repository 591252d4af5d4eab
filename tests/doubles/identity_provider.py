"""An identity provider: signs tokens, and serves its public keys as a JWKS on 127.0.0.1."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, RSAAlgorithm

SHARED_SECRET = b"a symmetric key, which is not a secret once it is published"


@dataclass
class IdentityProvider:
    """Keys by id: an RSA key "rs", an EC key "es" and, by mistake, a symmetric key "hs".

    `published` replaces the document with the keys. `asked` is how often the keys were requested, and `meanwhile` is
    called before each answer.
    """

    url: str
    rsa_name: str = "rs"
    published: bytes | None = None
    asked: int = 0
    meanwhile: Callable[[], object] = bool
    rsa_key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    ec_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def jwks(self) -> dict[str, Any]:
        """The published keys."""
        keys = {
            self.rsa_name: RSAAlgorithm.to_jwk(self.rsa_key.public_key(), as_dict=True),
            "es": ECAlgorithm.to_jwk(self.ec_key.public_key(), as_dict=True),
            "hs": HMACAlgorithm.to_jwk(SHARED_SECRET, as_dict=True),
        }
        return {"keys": [key | {"kid": kid} for kid, key in keys.items()]}

    def token(self, algorithm: str, key: Any, kid: str, **claims: object) -> str:
        """A token for user `0000000000g` that is valid for an hour, unless `claims` say otherwise."""
        expires = int(datetime.now(UTC).timestamp()) + 3_600
        valid = {"iss": "photofeed", "aud": "photofeed", "sub": "0000000000g", "exp": expires}
        return jwt.encode(valid | claims, key, algorithm=algorithm, headers={"kid": kid})


@contextmanager
def running_identity_provider() -> Iterator[IdentityProvider]:
    """A provider that answers while the context is open."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked += 1
            provider.meanwhile()
            body = provider.published or json.dumps(provider.jwks()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests print nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        provider = IdentityProvider(f"http://127.0.0.1:{server.server_port}/jwks.json")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
