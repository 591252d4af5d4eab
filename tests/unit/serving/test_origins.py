"""Web apps of other origins, and compressed replies: both by settings."""

import gzip
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from photofeed.settings import Settings
from serving.app import create_app
from serving.rate_limits import RateLimiter

APP = "https://app.example"
ASK = {"Origin": APP, "Access-Control-Request-Method": "PUT"}


def _http(**settings: object) -> TestClient:
    """The API with the services that limit calls, and no others: enough for health checks, documents and refusals."""
    chosen = Settings().model_copy(update=settings)
    app = create_app(chosen)
    limiter = RateLimiter(chosen, SlidingWindowCounterRateLimiter(MemoryStorage()))
    verifier = SimpleNamespace(remembered=lambda _: None)
    services = SimpleNamespace(settings=chosen, rate_limiter=limiter, verifier=verifier)
    return TestClient(_with_services(app, services), base_url="http://127.0.0.1", raise_server_exceptions=False)


def _with_services(app: ASGIApp, services: SimpleNamespace) -> ASGIApp:
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"services": services}}, receive, send)

    return handle


@pytest.mark.parametrize("origins", [(APP,), ("https://a.example", APP), ("*",)])
def test_a_named_origin_may_call_and_read_the_headers(origins: tuple[str, ...]) -> None:
    http = _http(cors_origins=origins)
    wanted = "authorization, content-type, idempotency-key, act-as, if-none-match, x-request-id"
    preflight = http.options("/v1/posts/x/like", headers=ASK | {"Access-Control-Request-Headers": wanted})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] in (APP, "*")
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    for path, status in (("/healthz", 200), ("/v1/nothing", 404), ("/v1/me", 500)):
        reply = http.get(path, headers={"Origin": APP, "Authorization": "Bearer unreadable"})
        assert reply.status_code == status
        assert reply.headers["access-control-allow-origin"] in (APP, "*")
        exposed = reply.headers["access-control-expose-headers"]
        assert {"ETag", "Retry-After", "X-Request-Id", "Idempotency-Replayed"} <= set(exposed.split(", "))
        assert "access-control-allow-credentials" not in reply.headers


def test_another_origin_may_not_call() -> None:
    http = _http(cors_origins=(APP,))
    other = {"Origin": "https://other.example"}
    assert http.options("/v1/feed", headers=ASK | other).status_code == 400
    assert "access-control-allow-origin" not in http.get("/healthz", headers=other).headers


def test_without_the_setting_no_other_origin_may_call() -> None:
    http = _http()
    assert http.options("/v1/feed", headers=ASK).status_code == 405
    assert "access-control-allow-origin" not in http.get("/healthz", headers={"Origin": APP}).headers


def test_preflights_and_unexpected_errors_have_a_request_id() -> None:
    http = _http(cors_origins=(APP,))
    mine = {"X-Request-Id": "r-7"}
    assert http.options("/v1/feed", headers=ASK | mine).headers["x-request-id"] == "r-7"
    assert http.get("/v1/me", headers=mine).headers["x-request-id"] == "r-7"


def test_replies_are_compressed_only_by_the_setting_and_if_the_client_accepts_it() -> None:
    accepting = {"Accept-Encoding": "gzip"}
    plain = _http(env="dev").get("/openapi.json", headers=accepting)
    assert "content-encoding" not in plain.headers
    http = _http(env="dev", compress_replies=True)
    with http.stream("GET", "/openapi.json", headers=accepting) as reply:
        packed = b"".join(reply.iter_raw())
    assert (reply.headers["content-encoding"], reply.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert len(packed) < len(plain.content) / 4
    assert gzip.decompress(packed) == plain.content
    assert "content-encoding" not in http.get("/openapi.json", headers={"Accept-Encoding": "identity"}).headers
    assert "content-encoding" not in http.get("/healthz", headers=accepting).headers
