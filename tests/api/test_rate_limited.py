"""Rate limits on the running API, with counts in Redis."""

import asyncio
import uuid
from functools import partial
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from photofeed.ids import decode_id
from photofeed.tokens import SERVICE, mint_token
from serving import bootstrap
from serving.app import create_app
from serving.rate_limits import RateLimiter, RouteClass, shared_counts
from tests.api.contract_client import ContractClient

if TYPE_CHECKING:
    from photofeed.settings import Settings
    from tests.api.conftest import App

SPAN = 86_400


def test_every_reply_tells_what_is_left(app: "App") -> None:
    person, most = app.person(), app.settings.rate_reads.partition("/")[0]
    person.get("/v1/me")  # the token is known from now on
    first, second = (person.call("GET", "/v1/me").headers for _ in range(2))
    assert first["ratelimit-limit"] == most
    assert first["ratelimit-policy"] == f"{most};w=60"
    assert int(second["ratelimit-remaining"]) == int(first["ratelimit-remaining"]) - 1
    assert 0 < int(first["ratelimit-reset"]) <= 60
    assert "ratelimit-limit" in person.call("GET", "/v1/posts/00000000000").headers
    assert "ratelimit-limit" not in app.http.get("/healthz").headers


def test_a_person_over_the_limit_waits_and_others_do_not(app: "App") -> None:
    settings = app.settings.model_copy(update={"rate_reads": "3/day", "rate_writes": "9/day"})
    make_services = partial(bootstrap.services, connect_publisher=lambda _: app.log)
    one, other = app.person(), app.person()
    with ContractClient(create_app(settings, make_services)) as http:
        for person, expected in ((one, [200, 200, 200, 200, 429, 429]), (other, [200])):
            replies = [http.get("/v1/me", headers=person.headers) for _ in expected]
            assert [reply.status_code for reply in replies] == expected  # the first finds out whose token it is
        refused = http.get("/v1/me", headers=one.headers)
        assert refused.json()["code"] == "rate_limited"
        assert 0 < int(refused.headers["retry-after"]) <= 2 * SPAN
        assert refused.headers["ratelimit-remaining"] == "0"
        assert refused.headers["x-request-id"]
        assert http.put(f"/v1/users/{other.id}/follow", headers=one.headers).status_code == 204
        token = mint_token(settings, 0, frozenset({SERVICE}))
        service = {"Authorization": f"Bearer {token}", "Act-As": one.id}
        assert {http.get("/v1/me", headers=service).status_code for _ in range(9)} == {200}


def test_servers_share_the_count_in_redis(settings: "Settings") -> None:
    small = settings.model_copy(update={"rate_reads": "100/day"})
    caller = uuid.uuid4().hex

    async def admitted() -> int:
        url, calls = small.redis_url.get_secret_value(), 0
        async with Redis.from_url(url) as client:
            servers = [RateLimiter(small, shared_counts(client, url)) for _ in range(2)]
            for _ in range(100):
                for server in servers:
                    calls += server.admit(RouteClass.READS, caller).admitted
                    await server.share()
        return calls

    assert 100 <= asyncio.run(admitted()) <= 120


def test_a_person_with_too_many_streams_is_refused(app: "App") -> None:
    person, other = app.person(), app.person()
    photo = person.call("POST", "/v1/photos/initiate").json()["photoId"]
    streams, most = app.http.app_state["services"].streams, app.settings.streams_per_person
    for _ in range(most):
        streams.open(decode_id(person.id))
    refused = person.call("GET", f"/v1/photos/{photo}/status")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
    assert int(refused.headers["retry-after"]) > 0
    assert other.call("GET", f"/v1/photos/{photo}/status").status_code == 404
    for _ in range(most):
        streams.close(decode_id(person.id))
