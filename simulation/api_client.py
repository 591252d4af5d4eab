"""The simulation's client: the Python kit with a service token, which may act for any user."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

import httpx
import photofeed_client
from photofeed_client import Call, PhotofeedClient, RetryPolicy, UploadTicket

from photofeed.settings import Settings
from photofeed.tokens import SERVICE, mint_token
from simulation.behaviour import ClientEvent
from simulation.errors import ApiError, UnreachableError
from simulation.replies import EventsReply, Feed, Photo, WorkersProgress

ATTEMPTS, FIRST_PAUSE_SECONDS = 6, 0.1
# A busy machine may be late for a moment. What lasts is shown: a demo that waits says nothing.
_RETRIES = RetryPolicy(attempts=ATTEMPTS, first_pause_seconds=FIRST_PAUSE_SECONDS, statuses=frozenset({429, 503}))


class ApiClient:
    """Calls the API with a service token; thread-safe.

    Args:
        base_url: the API's address.
        token: a bearer token with the scope `service`.
        transport: replaces the network in tests.
        sleep: replaces the pause between attempts in tests.

    Every method raises ApiError if the API refuses the call and UnreachableError if it cannot be reached.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._kit = PhotofeedClient(base_url, token, retries=_RETRIES, transport=transport, sleep=sleep)

    @classmethod
    def for_service(cls, settings: Settings) -> Self:
        """A client of the API in `settings` with a new service token."""
        return cls(settings.public_url, mint_token(settings, 0, frozenset({SERVICE})))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._kit.close()

    def create_user(self, handle: str, display_name: str, created_at: datetime) -> str:
        """Create a user and return the id."""
        body = {"handle": handle, "displayName": display_name, "createdAt": created_at.isoformat()}
        with _our_errors():
            return str(self._kit.call(Call("POST", "/v1/users", body))["id"])

    def initiate(self, owner_id: str, created_at: datetime, media_type: str, byte_size: int) -> UploadTicket:
        """Start an upload by `owner_id`, dated `created_at`."""
        with _our_errors():
            return self._kit.initiate(
                media_type=media_type, byte_size=byte_size, created_at=created_at.isoformat(), act_as=owner_id
            )

    def put_bytes(self, ticket: UploadTicket, data: bytes) -> None:
        """PUT a photo's bytes to its pre-signed URL."""
        with _our_errors():
            self._kit.put_bytes(ticket, data)

    def complete(self, owner_id: str, photo_id: str, *, caption: str, tags: Sequence[str], content_type: str) -> Photo:
        """Tell the API that the bytes are stored, which starts processing."""
        with _our_errors():
            photo = self._kit.complete(photo_id, caption=caption, tags=tags, content_type=content_type, act_as=owner_id)
        return Photo.read(photo)

    def photo(self, owner_id: str, photo_id: str) -> Photo:
        """The current state of an upload."""
        with _our_errors():
            return Photo.read(self._kit.photo(photo_id, act_as=owner_id))

    def feed(self, user_id: str, limit: int = 30, ranker: str | None = None) -> Feed:
        """The first page of a user's feed. `ranker` overrides the experiment that the user is in."""
        with _our_errors():
            return Feed.read(self._kit.feed_page(limit=limit, ranker=ranker, act_as=user_id))

    def send_events(self, events: Sequence[ClientEvent]) -> EventsReply:
        """Send at most MAX_EVENTS engagement events, each with its `actorId`."""
        with _our_errors():
            return EventsReply.read(self._kit.send_events(events))

    def workers_progress(self) -> WorkersProgress:
        """The workers' progress. The endpoint exists only where env=dev."""
        with _our_errors():
            return WorkersProgress.read(self._kit.call(Call("GET", "/v1/dev/progress")))


@contextmanager
def _our_errors() -> Iterator[None]:
    """Turn errors of the kit into errors of the simulation."""
    try:
        yield
    except photofeed_client.ApiError as error:
        raise ApiError(str(error), status=error.status, code=error.code) from error
    except photofeed_client.UnreachableError as error:
        raise UnreachableError(str(error)) from error
