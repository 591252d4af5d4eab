import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from prometheus_client import REGISTRY
from redis.exceptions import ConnectionError as RedisConnectionError

from photofeed.settings import Settings
from serving.api.rate_limit import RateLimits, route_class
from serving.rate_limits import RateLimiter, RouteClass, headers_of
from serving.session_cookies import SESSION
from tests.metric_values import metric

READS = RouteClass.READS


@dataclass
class Clock:
    now: float = 1_000_040.0  # a third of a minute has passed

    def __call__(self) -> float:
        return self.now


class AwayStorage(MemoryStorage):
    """Redis that does not answer."""

    async def acquire_sliding_window_entry(self, *_: Any, **__: Any) -> bool:
        raise RedisConnectionError


def _limiter(clock: Clock | None = None, storage: MemoryStorage | None = None, reads: str = "60/minute") -> RateLimiter:
    settings = Settings(env="dev", rate_reads=reads)
    shared = SlidingWindowCounterRateLimiter(storage or MemoryStorage())
    return RateLimiter(settings, shared, clock or Clock())


def _admitted(limiter: RateLimiter, calls: int, caller: str = "a") -> int:
    return sum(limiter.admit(READS, caller).admitted for _ in range(calls))


def test_a_caller_has_a_limit_of_its_own() -> None:
    limiter = _limiter()
    assert _admitted(limiter, 100) == 60
    assert _admitted(limiter, 10, "b") == 10
    assert limiter.admit(RouteClass.WRITES, "a").admitted


def test_what_is_left_is_told() -> None:
    limiter = _limiter()
    first = limiter.admit(READS, "a")
    assert (first.limit, first.span, first.remaining, first.reset) == (60, 60, 59, 40)
    assert headers_of(first) == {
        "RateLimit-Limit": "60",
        "RateLimit-Remaining": "59",
        "RateLimit-Reset": "40",
        "RateLimit-Policy": "60;w=60",
    }
    _admitted(limiter, 59)
    refused = limiter.admit(READS, "a")
    assert not refused.admitted
    assert headers_of(refused) == {
        "RateLimit-Limit": "60",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "40",
        "RateLimit-Policy": "60;w=60",
        "Retry-After": "41",
    }


@pytest.mark.parametrize("before", [60, 30])
def test_a_call_is_admitted_after_retry_after(before: int) -> None:
    clock = Clock()
    limiter = _limiter(clock)
    _admitted(limiter, before)
    clock.now += 50  # in the next window
    _admitted(limiter, 100)
    refused = limiter.admit(READS, "a")
    assert refused.retry_after >= 1
    clock.now += refused.retry_after
    assert limiter.admit(READS, "a").admitted


def test_calls_of_the_window_before_count_by_its_remaining_part() -> None:
    clock = Clock()
    limiter = _limiter(clock)
    assert _admitted(limiter, 100) == 60
    clock.now += 55  # a quarter of the next window has passed
    assert _admitted(limiter, 100) == 15
    clock.now += 120
    assert _admitted(limiter, 100) == 60


def test_processes_share_a_limit() -> None:
    storage = MemoryStorage()
    one, other = (_limiter(storage=storage, reads="60/day") for _ in range(2))
    admitted = 0
    for _ in range(60):
        admitted += _admitted(one, 1) + _admitted(other, 1)
        asyncio.run(one.share())
        asyncio.run(other.share())
    assert 60 <= admitted <= 60 * 1.2


def test_calls_that_no_longer_fit_into_the_shared_count_are_counted() -> None:
    storage = MemoryStorage()
    one, other = (_limiter(storage=storage, reads="60/day") for _ in range(2))
    for limiter in (one, other):
        assert _admitted(limiter, 40) == 40
        asyncio.run(limiter.share())
    assert _admitted(other, 20) == 0


def test_counts_that_have_ended_make_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.rate_limits.MAX_KEYS", 10)
    clock = Clock()
    limiter = _limiter(clock)
    _admitted(limiter, 60, "long ago")
    clock.now += 3 * 60
    assert _admitted(limiter, 60, "used up") == 60
    for number in range(9):
        _admitted(limiter, 1, f"other {number}")
    assert len(limiter._counts) <= 10
    assert _admitted(limiter, 1, "used up") == 0
    for number in range(50):
        _admitted(limiter, 1, f"more {number}")
    assert len(limiter._counts) <= 10


def test_making_room_keeps_the_counts_of_the_window_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.rate_limits.MAX_KEYS", 10)
    clock = Clock()
    limiter = _limiter(clock)
    for number in range(10):
        _admitted(limiter, 60, f"caller {number}")
    clock.now += 55  # a quarter of the next window has passed
    _admitted(limiter, 1, "another")
    assert _admitted(limiter, 100, "caller 9") == 15


def test_without_redis_a_process_limits_alone_and_it_is_counted() -> None:
    limiter, before = _limiter(storage=AwayStorage()), metric("photofeed_rate_limits_unshared_total")
    assert _admitted(limiter, 30) == 30
    asyncio.run(limiter.share())
    assert metric("photofeed_rate_limits_unshared_total") == before + 1
    assert _admitted(limiter, 100) == 30


def test_few_calls_are_never_sent_to_redis() -> None:
    limiter = _limiter(storage=AwayStorage())
    before = metric("photofeed_rate_limits_unshared_total")
    _admitted(limiter, 5)
    asyncio.run(limiter.share())
    assert metric("photofeed_rate_limits_unshared_total") == before


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/feed", RouteClass.READS),
        ("PUT", "/v1/posts/1/like", RouteClass.WRITES),
        ("DELETE", "/v1/photos/1", RouteClass.WRITES),
        ("POST", "/v1/photos/initiate", RouteClass.UPLOADS),
        ("POST", "/v1/photos/1/complete", RouteClass.UPLOADS),
        ("POST", "/v1/events", RouteClass.EVENTS),
        ("GET", "/v1/search", RouteClass.SEARCH),
        ("GET", "/v1/people", RouteClass.SEARCH),
        ("GET", "/v1/tags", RouteClass.SEARCH),
        ("GET", "/v1/tags/sea/posts", RouteClass.READS),
        ("GET", "/photos/1/640", RouteClass.IMAGES),
        ("GET", "/", RouteClass.READS),
        ("HEAD", "/v1/feed", RouteClass.READS),
        ("OPTIONS", "/v1/me", RouteClass.READS),
        ("PATCH", "/v1/me", RouteClass.WRITES),
    ],
)
def test_each_call_has_a_class(method: str, path: str, expected: RouteClass) -> None:
    assert route_class(method, path) is expected


@dataclass
class Verifier:
    """Knows no token."""

    def remembered(self, _: str) -> None:
        return None


@dataclass
class Api:
    """An application behind the limits, and what it answers to callers without a token."""

    settings: Settings
    statuses: list[int] = field(default_factory=list)
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        limiter = RateLimiter(self.settings, SlidingWindowCounterRateLimiter(MemoryStorage()), Clock())
        self.services = type("S", (), {"rate_limiter": limiter, "verifier": Verifier()})()

    async def call(
        self, peer: str, forwarded: str = "", token: str = "", path: str = "/v1/feed", cookie: str = ""
    ) -> int:
        async def answer(_: Any, __: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def note(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.statuses.append(message["status"])
                self.headers = message["headers"]

        headers = [(b"x-forwarded-for", line.encode()) for line in forwarded.splitlines()]
        headers += [(b"authorization", f"Bearer {token}".encode())] if token else []
        headers += [(b"cookie", cookie.encode())] if cookie else []
        scope = {"type": "http", "method": "GET", "path": path, "client": (peer, 1), "headers": headers}
        await RateLimits(answer, self.settings)(scope | {"state": {"services": self.services}}, None, note)  # type: ignore[arg-type]
        return self.statuses[-1]


def _api(**settings: Any) -> Api:
    return Api(Settings(env="dev", rate_reads="1/day", rate_address_people=2, rate_sign_in="3/day", **settings))


def _statuses(api: Api, *calls: tuple[str, str], **more: str) -> list[int]:
    return [asyncio.run(api.call(*call, **more)) for call in calls]


def test_an_address_may_make_the_calls_of_its_people() -> None:
    assert _statuses(_api(), *[("203.0.113.1", "")] * 3, ("203.0.113.2", "")) == [200, 200, 429, 200]


def test_only_trusted_proxies_name_the_address() -> None:
    forged = [("203.0.113.1", f"198.51.100.{number}") for number in range(3)]
    assert _statuses(_api(), *forged) == [200, 200, 429]
    proxied = [("10.0.0.1", f"192.0.2.{number}, 198.51.100.7, 10.0.0.2") for number in range(3)]
    assert _statuses(_api(), *proxied) == [200, 200, 429]
    assert _statuses(_api(), *[("10.0.0.1", f"198.51.100.{number}") for number in range(3)]) == [200] * 3


@pytest.mark.parametrize(
    "spellings",
    [
        ["198.51.100.7:1001", "198.51.100.7:1002", "198.51.100.7"],
        ["::ffff:198.51.100.7", "198.51.100.7", "[::ffff:c633:6407]:1003"],
        ["[2001:db8::1]:1001", "2001:db8::1", "[2001:0DB8::2]"],
        ["fe80::1%eth0", "fe80::1%eth1", "fe80::1"],
    ],
)
def test_an_address_is_one_however_it_is_written(spellings: list[str]) -> None:
    assert _statuses(_api(), *[("10.0.0.1", one) for one in spellings]) == [200, 200, 429]
    wrapped = [("::ffff:10.0.0.1", one) for one in spellings]
    assert _statuses(_api(), *wrapped) == [200, 200, 429]


def test_addresses_that_ipv6_wraps_are_different_ones() -> None:
    assert _statuses(_api(), *[(f"::ffff:203.0.113.{number}", "") for number in range(3)]) == [200] * 3


def test_the_header_that_a_proxy_adds_goes_before_the_one_of_the_client() -> None:
    lines = [("10.0.0.1", f"192.0.2.{number}\n198.51.100.7") for number in range(3)]
    assert _statuses(_api(), *lines) == [200, 200, 429]


def test_a_network_of_ipv6_is_one_address() -> None:
    assert _statuses(_api(), *[(f"2001:db8::{number}", "") for number in range(1, 4)]) == [200, 200, 429]
    assert _statuses(_api(), *[(f"2001:db8:0:{number}::1", "") for number in range(3)]) == [200] * 3


def test_unknown_tokens_are_limited_by_address() -> None:
    api = Api(Settings(env="dev", rate_sign_in="3/day"))
    statuses = [asyncio.run(api.call("203.0.113.1", token=f"t{number}")) for number in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert asyncio.run(api.call("203.0.113.1")) == 200


def test_unknown_session_cookies_are_limited_by_address() -> None:
    api = Api(Settings(env="dev", rate_sign_in="3/day"))
    statuses = [asyncio.run(api.call("203.0.113.1", cookie=f"{SESSION}=s{number}")) for number in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert asyncio.run(api.call("203.0.113.1", cookie="another=s1")) == 200


def test_images_of_an_address_have_the_limit_of_one_person() -> None:
    api = _api(rate_images="2/day")
    assert [asyncio.run(api.call("203.0.113.1", path="/photos/1/640")) for _ in range(3)] == [200, 200, 429]


def test_a_refused_call_says_when_to_come_back_and_is_counted() -> None:
    api, labels = _api(), {"route_class": "reads", "by": "address"}
    before = REGISTRY.get_sample_value("photofeed_rate_limited_total", labels) or 0.0
    assert _statuses(api, *[("203.0.113.1", "")] * 3) == [200, 200, 429]
    told = dict(api.headers)
    assert int(told[b"retry-after"]) > 0
    assert told[b"ratelimit-remaining"] == b"0"
    assert REGISTRY.get_sample_value("photofeed_rate_limited_total", labels) == before + 1


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_are_never_limited(path: str) -> None:
    api = _api()
    assert [asyncio.run(api.call("203.0.113.1", path=path)) for _ in range(9)] == [200] * 9


def test_what_is_left_is_in_the_headers_of_every_reply() -> None:
    api = _api()
    assert asyncio.run(api.call("203.0.113.1")) == 200
    told = {b"ratelimit-limit": b"2", b"ratelimit-remaining": b"1", b"ratelimit-reset": b"36760"}
    assert dict(api.headers) == told | {b"ratelimit-policy": b"2;w=86400"}
