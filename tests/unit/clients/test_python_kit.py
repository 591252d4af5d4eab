"""The Python kit: what it sends again, how it renews tokens, and what it does when a stream breaks."""

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photofeed_client import (
    Action,
    ApiError,
    AsyncPhotofeedClient,
    Call,
    PhotofeedClient,
    RetryPolicy,
    UnreachableError,
    WatchEndedError,
    calls,
)
from photofeed_client.events import BATCH, MOST_WAITING, AsyncEventBatch, EventBatch
from photofeed_client.generated.models import ClientEvent, EventsOutcome, ItemContent, RankRequest
from photofeed_client.retries import retry_after_seconds
from photofeed_client.server_sent_events import EventReader, ServerSentEvent

URL = "http://api.test"
POST = Call("POST", "/v1/photos/initiate", {})
PHOTO: dict[str, Any] = {
    **dict.fromkeys(["blurhash", "contentType", "dominantColor", "failure", "height", "width", "place"]),
    "caption": "",
    "altText": "",
    "tags": [],
    "images": {},
    "variants": [],
    "ownerId": "o",
    "id": "p",
    "createdAt": "2026-01-01T00:00:00Z",
}


class Server:
    """Gives the prepared answers in turn: replies, or errors of the connection."""

    def __init__(self, *answers: httpx.Response | type[httpx.TransportError]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.tokens: list[str | None] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.tokens.append(request.headers.get("Authorization"))
        answer = self.answers.pop(0)
        if isinstance(answer, type):
            raise answer("broken", request=request)
        return answer

    def client(self, **options: Any) -> PhotofeedClient:
        return PhotofeedClient(URL, "old", transport=httpx.MockTransport(self), sleep=self.pauses.append, **options)

    def call(self, asynchronous: bool, call: Call, **options: Any) -> Any:
        """Make a call with either client."""
        if not asynchronous:
            with self.client(**options) as client:
                return client.call(call)

        async def run() -> Any:
            async def sleep(seconds: float) -> None:
                self.pauses.append(seconds)

            transport = httpx.MockTransport(self)
            async with AsyncPhotofeedClient(URL, "old", transport=transport, sleep=sleep, **options) as client:
                return await client.call(call)

        return asyncio.run(run())


def ok(body: Any = None) -> httpx.Response:
    return httpx.Response(200, json=body or {"done": True})


def busy(**headers: str) -> httpx.Response:
    return httpx.Response(503, json={"code": "unavailable", "detail": "Later."}, headers=headers)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def asynchronous(request: pytest.FixtureRequest) -> bool:
    chosen: bool = request.param
    return chosen


def test_a_repeated_post_has_the_same_key(asynchronous: bool) -> None:
    server = Server(httpx.ConnectError, busy(), ok())
    assert server.call(asynchronous, POST) == {"done": True}
    keys = {request.headers["Idempotency-Key"] for request in server.requests}
    assert len(server.requests) == 3
    assert len(keys) == 1
    again = Server(ok())
    again.call(asynchronous, POST)
    assert again.requests[0].headers["Idempotency-Key"] not in keys


def test_the_client_waits_as_long_as_the_server_asks(asynchronous: bool) -> None:
    server = Server(busy(**{"Retry-After": "7"}), ok())
    server.call(asynchronous, POST)
    assert server.pauses == [7]


def test_a_reply_that_is_not_the_last_is_closed(asynchronous: bool) -> None:
    """An open reply keeps a connection of the pool."""

    class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
        closed = False

        def close(self) -> None:
            self.closed = True

        async def aclose(self) -> None:
            self.closed = True

    body = Body()
    Server(httpx.Response(503, stream=body), ok()).call(asynchronous, POST)
    assert body.closed


def test_a_wait_that_is_too_long_is_an_error_at_once(asynchronous: bool) -> None:
    server = Server(busy(**{"Retry-After": "3600"}))
    with pytest.raises(ApiError, match="POST /v1/photos/initiate: 503 unavailable: Later") as refused:
        server.call(asynchronous, POST)
    assert (refused.value.status, refused.value.code, server.pauses) == (503, "unavailable", [])


def test_attempts_end(asynchronous: bool) -> None:
    server = Server(*[httpx.ReadError] * 3)
    with pytest.raises(UnreachableError, match="POST /v1/photos/initiate: broken"):
        server.call(asynchronous, POST, retries=RetryPolicy(attempts=3))
    assert len(server.pauses) == 2
    assert server.pauses[0] < server.pauses[1] * 2


@pytest.mark.parametrize("lost", [httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.RemoteProtocolError])
def test_a_call_that_no_server_answered_is_sent_again(asynchronous: bool, lost: type[httpx.TransportError]) -> None:
    server = Server(lost, ok())
    assert server.call(asynchronous, POST) == {"done": True}
    assert len(server.pauses) == 1


@pytest.mark.parametrize("slow", [httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout])
def test_a_server_that_is_too_slow_is_not_asked_again(asynchronous: bool, slow: type[httpx.TransportError]) -> None:
    server = Server(slow)
    with pytest.raises(UnreachableError):
        server.call(asynchronous, POST)


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500])
def test_other_refusals_stand(asynchronous: bool, status: int) -> None:
    server = Server(httpx.Response(status, text="<html>"))
    with pytest.raises(ApiError) as refused:
        server.call(asynchronous, POST)
    assert (refused.value.status, refused.value.code) == (status, "http_error")


def test_a_refused_token_is_renewed_once(asynchronous: bool) -> None:
    server = Server(httpx.Response(401), ok(), httpx.Response(401))
    with_new = {"renew": lambda: "new"}
    server.call(asynchronous, POST, **with_new)
    assert server.tokens == ["Bearer old", "Bearer new"]
    refused = Server(httpx.Response(401), httpx.Response(401))
    with pytest.raises(ApiError):
        refused.call(asynchronous, POST, **with_new)


def test_requests_that_are_refused_together_renew_the_token_once(asynchronous: bool) -> None:
    renewed, together = list[str](), 3

    def renew() -> str:
        renewed.append("new")
        return "new"

    def is_new(request: httpx.Request) -> bool:
        return request.headers["Authorization"] == "Bearer new"

    def in_threads() -> list[Any]:
        all_came = threading.Barrier(together)

        def answer(request: httpx.Request) -> httpx.Response:
            if is_new(request):
                return ok()
            all_came.wait()
            return httpx.Response(401)

        transport = httpx.MockTransport(answer)
        with (
            PhotofeedClient(URL, "old", transport=transport, renew=renew) as client,
            ThreadPoolExecutor(together) as threads,
        ):
            return list(threads.map(client.call, [POST] * together))

    async def in_tasks() -> list[Any]:
        all_came = asyncio.Barrier(together)

        async def answer(request: httpx.Request) -> httpx.Response:
            if is_new(request):
                return ok()
            await all_came.wait()
            return httpx.Response(401)

        transport = httpx.MockTransport(answer)
        async with AsyncPhotofeedClient(URL, "old", transport=transport, renew=renew) as client:
            return list(await asyncio.gather(*(client.call(POST) for _ in range(together))))

    assert (asyncio.run(in_tasks()) if asynchronous else in_threads()) == [{"done": True}] * together
    assert renewed == ["new"]


def test_a_renewal_may_be_awaited() -> None:
    async def renew() -> str:
        return "new"

    server = Server(httpx.Response(401), ok())
    server.call(True, POST, renew=renew)
    assert server.tokens == ["Bearer old", "Bearer new"]


@given(st.integers(0, 10_000))
def test_retry_after_is_read_as_seconds_and_as_date(seconds: int) -> None:
    assert retry_after_seconds(busy(**{"Retry-After": str(seconds)})) == seconds
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    read = retry_after_seconds(busy(**{"Retry-After": date}))
    assert read is not None
    assert read <= seconds


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20))
def test_any_other_retry_after_is_ignored(text: str) -> None:
    read = retry_after_seconds(busy(**{"Retry-After": text}))
    assert read is None or read >= 0


def _stream(*statuses: str, retry: str = "") -> httpx.Response:
    events = "".join(
        f"id: {status}\nevent: status\ndata: {json.dumps(PHOTO | {'status': status})}\n\n" for status in statuses
    )
    return httpx.Response(200, text=f"{retry}: a comment\n\n{events}", headers={"Content-Type": "text/event-stream"})


def _watched(server: Server) -> list[str]:
    with server.client(retries=RetryPolicy(attempts=1)) as client:
        return [str(photo.status) for photo in client.watch("p")]


def test_a_stream_that_ends_early_is_continued_after_the_last_event() -> None:
    server = Server(_stream("awaiting_upload", retry="retry: 1500\n\n"), _stream("processing", "ready"))
    assert _watched(server) == ["awaiting_upload", "processing", "ready"]
    assert server.requests[1].headers["Last-Event-ID"] == "awaiting_upload"
    assert server.pauses == [1.5]


def test_where_streams_break_the_status_is_polled() -> None:
    polled = [ok(PHOTO | {"status": status}) for status in ("processing", "processing", "review")]
    server = Server(*[httpx.ReadError] * calls.STREAMS, *polled)
    assert _watched(server) == ["processing", "review"]


def test_watching_ends_when_processing_never_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "WATCH_SECONDS", 0.0)
    with pytest.raises(WatchEndedError):
        _watched(Server(*[httpx.ReadError] * calls.STREAMS))


def test_an_unknown_photo_is_an_error_and_not_watched_again() -> None:
    with pytest.raises(ApiError, match="404"):
        _watched(Server(httpx.Response(404, json={"code": "photo_not_found", "detail": "No."})))


def test_an_upload_reports_progress_and_is_sent_again_from_the_start(asynchronous: bool) -> None:
    data = bytes(200_000)
    ticket = {"photoId": "p", "uploadUrl": "http://store.test/p", "expiresAt": "2026-01-01T00:00:00Z", "headers": {}}
    server = Server(
        httpx.Response(201, json=ticket),
        httpx.WriteError,
        httpx.Response(200),
        httpx.Response(202, json=PHOTO | {"status": "processing"}),
    )
    progress: list[tuple[int, int]] = []

    async def run() -> str:
        async with AsyncPhotofeedClient(URL, "t", transport=httpx.MockTransport(server), sleep=_no_sleep) as client:
            photo = await client.upload(data, on_progress=lambda *sent: progress.append(sent))
            return str(photo.status)

    if asynchronous:
        assert asyncio.run(run()) == "processing"
    else:
        with server.client() as client:
            assert str(client.upload(data, on_progress=lambda *sent: progress.append(sent)).status) == "processing"
    puts = [request for request in server.requests if request.method == "PUT"]
    assert [put.headers["Content-Length"] for put in puts] == ["200000"] * 2
    assert all("Authorization" not in put.headers for put in puts)
    assert progress[-1] == (200_000, 200_000)


async def _no_sleep(_: float) -> None:
    return


def _outcome() -> httpx.Response:
    return httpx.Response(202, json={"accepted": 1, "unchanged": 0, "refused": []})


def test_events_keep_their_ids_until_the_server_has_them() -> None:
    server = Server(busy(), _outcome(), _outcome())
    with server.client(retries=RetryPolicy(attempts=1)) as client:
        batch = client.events()
        batch.add(Action.OPEN, post_id="p")
        with pytest.raises(ApiError):
            batch.flush()
        batch.add(Action.DWELL, post_id="p", dwell_ms=5)
        batch.flush()
        batch.flush()
    first, second = (json.loads(request.content)["events"] for request in server.requests)
    assert first[0] == second[0]
    assert len(second) == 2
    assert "Idempotency-Key" not in server.requests[0].headers


def test_the_latest_events_wait_for_a_server_that_is_away_and_are_sent_in_order(asynchronous: bool) -> None:
    failures, sent, sizes = [UnreachableError("away")], list[object](), list[int]()

    def send(events: list[ClientEvent]) -> EventsOutcome:
        if failures:
            raise failures.pop()
        sent.extend(event.post_id for event in events)
        sizes.append(len(events))
        return EventsOutcome(accepted=len(events), unchanged=0, refused=[])

    async def send_async(events: list[ClientEvent]) -> EventsOutcome:
        return send(events)

    batch = AsyncEventBatch(send_async) if asynchronous else EventBatch(send)
    for number in range(MOST_WAITING + 120):
        batch.add(Action.OPEN, post_id=str(number))

    def flush() -> list[EventsOutcome]:
        return asyncio.run(batch.flush()) if isinstance(batch, AsyncEventBatch) else batch.flush()

    with pytest.raises(UnreachableError):
        flush()
    assert len(flush()) == len(sizes)
    assert sizes == [BATCH] * (MOST_WAITING // BATCH)
    assert sent == [str(number) for number in range(120, MOST_WAITING + 120)]
    assert flush() == []


def test_a_batch_that_the_server_refuses_is_not_sent_again() -> None:
    server = Server(httpx.Response(422, json={"code": "invalid", "detail": "No."}))
    with server.client() as client:
        batch = client.events()
        batch.add(Action.OPEN, post_id="p")
        with pytest.raises(ApiError):
            batch.flush()
        assert batch.flush() == []


def _read(lines: Iterator[str] | list[str]) -> list[ServerSentEvent]:
    reader = EventReader()
    return [event for line in lines if (event := reader.feed(line)) is not None]


@given(st.lists(st.tuples(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.from_regex(r"[ -~]{0,30}", fullmatch=True))))
def test_every_event_of_a_stream_is_read(events: list[tuple[str, str]]) -> None:
    lines = [line for name, data in events for line in (f"event: {name}", ": comment", f"data: {data}", "")]
    assert _read(lines) == [ServerSentEvent(name, data) for name, data in events]


def test_data_of_several_lines_is_joined_and_blocks_without_data_are_no_event() -> None:
    assert _read(["data: a", "data:b", "", "event: x", "", "data"]) == [ServerSentEvent("message", "a\nb")]


def test_both_clients_have_the_same_methods() -> None:
    def public(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    assert public(PhotofeedClient) == public(AsyncPhotofeedClient)


def test_a_feed_is_read_page_by_page() -> None:
    page: dict[str, Any] = {"exploreShare": 0, "insteadOf": None, "model": None, "ranking": "recency", "repeats": 0}
    page |= {"skippedSources": [], "slateId": "s", "items": []}
    server = Server(ok(page | {"nextCursor": "c"}), ok(page | {"nextCursor": None}))
    with server.client() as client:
        assert list(client.feed(limit=5)) == []
    assert [dict(request.url.params) for request in server.requests] == [{"limit": "5"}, {"limit": "5", "cursor": "c"}]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_service_describes_finds_and_ranks_items(asynchronous: bool) -> None:
    person, sku = {"externalId": "u-17"}, "sku-1"
    ranked = {
        **dict.fromkeys(["arm", "experiment", "insteadOf", "model"]),
        "items": [],
        "leftOut": [{"externalId": sku, "id": None, "reason": "own"}],
        "unknown": [sku],
        "ranking": "popularity",
        "slateId": "s",
    }
    server = Server(ok({"created": 1, "refused": [], "unchanged": 0, "updated": 0}), ok({"candidates": []}), ok(ranked))
    item = ItemContent(external_id=sku, title="Skis")
    request = RankRequest.from_dict({"person": person, "candidates": [{"externalId": sku}]})

    async def run() -> tuple[Any, Any, Any]:
        async with AsyncPhotofeedClient(URL, "old", transport=httpx.MockTransport(server)) as client:
            return (
                await client.put_items([item]),
                await client.candidates({"person": person}),
                await client.rank(request),
            )

    if asynchronous:
        outcome, found, order = asyncio.run(run())
    else:
        with server.client() as client:
            outcome, found = client.put_items([item]), client.candidates({"person": person})
            order = client.rank(request)
    assert (outcome.created, found.candidates, order.unknown) == (1, [], [sku])
    assert [(one.external_id, one.reason) for one in order.left_out] == [(sku, "own")]
    sent = [(one.method, one.url.path, json.loads(one.content)) for one in server.requests]
    assert sent[0] == ("PUT", "/v1/items", {"items": [item.to_dict()]})
    assert sent[1] == ("POST", "/v1/candidates", {"person": person})
    assert sent[2] == ("POST", "/v1/rank", request.to_dict())
