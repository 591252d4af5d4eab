"""The client for asyncio: the methods of PhotofeedClient, awaited."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from photofeed_client import calls
from photofeed_client.calls import FINAL, Call
from photofeed_client.errors import ApiError, UnreachableError, WatchEndedError
from photofeed_client.events import AsyncEventBatch
from photofeed_client.generated import AuthenticatedClient
from photofeed_client.generated.models import (
    CandidatesRequest,
    ClientEvent,
    EventsOutcome,
    FeedItem,
    FeedPage,
    FoundCandidates,
    ItemContent,
    ItemsOutcome,
    Photo,
    RankedItems,
    RankRequest,
    UploadTicket,
)
from photofeed_client.retries import AsyncRetryingTransport, RetryPolicy
from photofeed_client.server_sent_events import EventReader
from photofeed_client.tokens import AsyncRenew, BearerAuth, Renew
from photofeed_client.uploads import AsyncChunks, Progress, read_file


class AsyncPhotofeedClient:
    """Calls the API as one person, or as a service for any person.

    Every method raises ApiError if the API refuses the call and UnreachableError if no reply comes. Requests are sent
    again as `retries` says, POSTs with an `Idempotency-Key`.

    Args:
        base_url: the API's address, without `/v1`.
        token: a bearer token.
        renew: returns a new token when the server refuses the old one.
        retries: which requests are sent again.
        timeout: seconds that a request may take.
        transport: replaces the network in tests.
        sleep: replaces the pause between attempts in tests.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        renew: Renew | AsyncRenew | None = None,
        retries: RetryPolicy | None = None,
        timeout: float = 60.0,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        policy = retries or RetryPolicy()
        self._sleep = sleep
        self.http = httpx.AsyncClient(
            base_url=base_url,
            auth=BearerAuth(token, renew),
            transport=AsyncRetryingTransport(transport or _network(), policy, sleep),
            timeout=timeout,
        )
        # Object storage is another system and must not see the token.
        self._storage = httpx.AsyncClient(
            transport=AsyncRetryingTransport(transport or _network(), policy, sleep), timeout=2 * timeout
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()
        await self._storage.aclose()

    @property
    def api(self) -> AuthenticatedClient:
        """For the functions of `photofeed_client.generated.api`, which have every operation of the API."""
        client = AuthenticatedClient(base_url=str(self.http.base_url), token="")
        return client.set_async_httpx_client(self.http)

    async def call(self, call: Call) -> Any:
        """The body of a successful reply; None if it has none."""
        try:
            reply = await self.http.request(**call.arguments())
        except httpx.TransportError as error:
            raise UnreachableError.of(error) from error
        if reply.is_error:
            raise ApiError.of(reply)
        return json.loads(reply.content) if reply.content else None

    async def feed_page(
        self, *, limit: int = 30, cursor: str | None = None, ranker: str | None = None, act_as: str | None = None
    ) -> FeedPage:
        """A page of the feed: the first of a new slate or, with the cursor of a page, the next one."""
        return FeedPage.from_dict(await self.call(calls.feed_page("/v1/feed", limit, cursor, ranker, act_as)))

    def feed(self, *, limit: int = 30, act_as: str | None = None) -> AsyncIterator[FeedItem]:
        """The items of a new feed to its end; pages of `limit` are read when they are needed."""
        return self._items("/v1/feed", limit, act_as)

    def explore(self, *, limit: int = 30, act_as: str | None = None) -> AsyncIterator[FeedItem]:
        """Posts of people who are not followed, like `feed`."""
        return self._items("/v1/explore", limit, act_as)

    async def _items(self, path: str, limit: int, act_as: str | None) -> AsyncIterator[FeedItem]:
        cursor: str | None = None
        while True:
            page = FeedPage.from_dict(await self.call(calls.feed_page(path, limit, cursor, None, act_as)))
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return

    async def initiate(
        self,
        *,
        media_type: str | None = None,
        byte_size: int | None = None,
        created_at: str | None = None,
        act_as: str | None = None,
    ) -> UploadTicket:
        """Start an upload: the address for the bytes of a photo. Only a service may give `created_at`, in RFC 3339."""
        return UploadTicket.from_dict(await self.call(calls.initiate(media_type, byte_size, created_at, act_as)))

    async def put_bytes(self, ticket: UploadTicket, data: bytes, on_progress: Progress | None = None) -> None:
        """Send the bytes of a photo to object storage."""
        headers = {**ticket.headers.additional_properties, "Content-Length": str(len(data))}
        try:
            reply = await self._storage.put(ticket.upload_url, content=AsyncChunks(data, on_progress), headers=headers)
        except httpx.TransportError as error:
            raise UnreachableError.of(error) from error
        if reply.is_error:
            raise ApiError.of(reply)

    async def complete(
        self,
        photo_id: str,
        *,
        caption: str = "",
        alt_text: str = "",
        tags: Sequence[str] = (),
        content_type: str = "photo",
        act_as: str | None = None,
    ) -> Photo:
        """Tell the API that the bytes are stored, which starts processing."""
        return Photo.from_dict(await self.call(calls.complete(photo_id, caption, alt_text, tags, content_type, act_as)))

    async def upload(
        self,
        file: bytes | Path,
        *,
        caption: str = "",
        alt_text: str = "",
        tags: Sequence[str] = (),
        content_type: str = "photo",
        on_progress: Progress | None = None,
        act_as: str | None = None,
    ) -> Photo:
        """Upload a photo: initiate, send the bytes, complete. The photo is then `processing`: see `watch`."""
        data = read_file(file)
        ticket = await self.initiate(byte_size=len(data), act_as=act_as)
        await self.put_bytes(ticket, data, on_progress)
        return await self.complete(
            ticket.photo_id, caption=caption, alt_text=alt_text, tags=tags, content_type=content_type, act_as=act_as
        )

    async def photo(self, photo_id: str, *, act_as: str | None = None) -> Photo:
        """The current state of a photo."""
        return Photo.from_dict(await self.call(calls.photo(photo_id, act_as)))

    async def watch(self, photo_id: str) -> AsyncIterator[Photo]:
        """The states of a photo as they change, to the final one: by events or, if streams break, by polling.

        Raises:
            WatchEndedError: the processing did not end in `calls.WATCH_SECONDS`.
        """
        reader, known = EventReader(), ""
        for _ in range(calls.STREAMS):
            async for photo in self._stream(photo_id, reader):
                known = photo.status
                yield photo
            if known in FINAL:
                return
            await self._sleep(reader.retry_seconds)
        until = time.monotonic() + calls.WATCH_SECONDS
        while time.monotonic() < until:
            photo = await self.photo(photo_id)
            if photo.status != known:
                known = photo.status
                yield photo
            if known in FINAL:
                return
            await self._sleep(calls.POLL_SECONDS)
        raise WatchEndedError(f"photo {photo_id} is still {known}")

    async def _stream(self, photo_id: str, reader: EventReader) -> AsyncIterator[Photo]:
        """The states of one stream until it ends or breaks."""
        headers = {"Last-Event-ID": reader.last_id} if reader.last_id else {}
        try:
            async with self.http.stream("GET", f"/v1/photos/{photo_id}/status", headers=headers) as reply:
                if reply.is_error:
                    await reply.aread()
                    raise ApiError.of(reply)
                async for line in reply.aiter_lines():
                    event = reader.feed(line)
                    if event is not None and event.name == "status":
                        yield Photo.from_dict(json.loads(event.data))
        except httpx.TransportError:
            return  # the caller connects again

    async def send_events(self, events: Sequence[ClientEvent | dict[str, Any]]) -> EventsOutcome:
        """Send up to 500 engagement events."""
        return EventsOutcome.from_dict(await self.call(calls.events(events)))

    async def put_items(self, items: Sequence[ItemContent | dict[str, Any]]) -> ItemsOutcome:
        """Add or change up to 500 items of a service's own; the outcome lists refused ones."""
        return ItemsOutcome.from_dict(await self.call(calls.put_items(items)))

    async def rank(self, request: RankRequest | dict[str, Any]) -> RankedItems:
        """Order up to 2,000 candidates of a service for a person."""
        return RankedItems.from_dict(await self.call(calls.rank(request)))

    async def candidates(self, request: CandidatesRequest | dict[str, Any]) -> FoundCandidates:
        """Find items or posts to rank for a person."""
        return FoundCandidates.from_dict(await self.call(calls.candidates(request)))

    def events(self) -> AsyncEventBatch:
        """A batch that collects events and sends them together."""
        return AsyncEventBatch(self.send_events)


def _network() -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=32))
