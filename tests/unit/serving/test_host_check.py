"""Requests for another host are refused, whatever page sent them."""

import asyncio

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from photofeed.settings import Settings
from serving.api.host_check import HostCheck
from serving.app import create_app


def _status(host: str, path: str = "/", hosts: frozenset[str] = frozenset({"photos.example", "::1"})) -> int:
    app = FastAPI()
    app.add_middleware(HostCheck, hosts=hosts)

    @app.get("/{path:path}")
    async def found(path: str) -> str:
        return path

    return TestClient(app).get(path, headers={"Host": host}).status_code


@pytest.mark.parametrize("host", ["photos.example", "PHOTOS.example:443", "photos.example.", "[::1]", "[::1]:8000"])
def test_the_own_host_is_answered_in_every_spelling(host: str) -> None:
    assert _status(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "photos.example.evil.example", "evil.example:443", "photos.example@evil.example", "::2", ""),
        *("photos.example:evil", "photos.example:80:80"),
    ],
)
def test_another_host_is_refused(host: str) -> None:
    assert _status(host) == 421
    assert _status(host, "/v1/feed") == 421


def _passes(*hosts: bytes) -> bool:
    """Whether a request with these Host headers reaches the application."""
    reached: list[Scope] = []

    async def application(scope: Scope, _: Receive, __: Send) -> None:
        reached.append(scope)

    async def nothing() -> Message:
        return {"type": "http.request"}

    async def ignore(_: Message) -> None:
        pass

    headers = [(b"host", host) for host in hosts]
    scope = {"type": "http", "path": "/v1/feed", "headers": headers}
    asyncio.run(HostCheck(application, frozenset({"Photos.Example"}))(scope, nothing, ignore))
    return bool(reached)


def test_every_host_header_must_name_this_host() -> None:
    assert _passes(b"photos.example", b" photos.example ")
    assert not _passes(b"photos.example", b"evil.example")
    assert not _passes(b"evil.example", b"photos.example")
    assert _passes()  # no browser sends this


def test_probes_address_a_process_by_its_address() -> None:
    assert [_status("10.1.2.3:8000", path) for path in ("/healthz", "/readyz", "/metrics")] == [200] * 3


def test_a_cdn_asks_for_images_under_its_own_name() -> None:
    assert _status("varnish:8080", "/photos/15OGRpnNiJv/640") == 200


def test_a_star_allows_every_host() -> None:
    assert _status("evil.example", hosts=frozenset({"*"})) == 200


def test_the_api_refuses_other_hosts_with_a_problem() -> None:
    reply = TestClient(create_app(Settings())).get("/v1/feed", headers={"Host": "evil.example"})
    assert (reply.status_code, reply.json()["code"]) == (421, "unknown_host")


@pytest.mark.parametrize(
    ("settings", "served"),
    [
        (Settings(env="dev"), True),
        (Settings(), False),
        (Settings(env="dev", host="0.0.0.0"), False),  # noqa: S104  it is what the test is about
    ],
)
def test_development_routes_need_the_setting_and_a_loopback_address(settings: Settings, served: bool) -> None:
    assert any(path.startswith("/v1/dev") for path in create_app(settings).openapi()["paths"]) is served
