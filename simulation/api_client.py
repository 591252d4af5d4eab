"""A typed client of the public API, as a service that acts for people."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx

from simulation.behaviour import ClientEvent
from simulation.errors import ApiError, UnreachableError
from simulation.replies import EventsReply, Feed, Photo, Upload, WorkersProgress

MAX_EVENTS = 500
ATTEMPTS, FIRST_PAUSE_SECONDS = 6, 0.1
# The connection failed and nothing was answered. Repeating is safe: events and photos carry ids of their own.
_CONNECTION_ERRORS = (httpx.NetworkError, httpx.ConnectTimeout, httpx.RemoteProtocolError)


class ApiClient:
    """Calls the API with a service token; thread-safe.

    Args:
        base_url: the API's address.
        token: a bearer token with the scope `service`.
        transport: what carries the requests; the network unless given.
        sleep: how to wait between attempts.

    Every method raises ApiError when the API refuses and UnreachableError when it cannot be reached.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.base_url,
            headers={"Authorization": f"Bearer {token}"},
            transport=transport,
            timeout=60,
            limits=httpx.Limits(max_connections=32),
        )
        # Object storage is another system: our token is none of its business.
        self._storage = httpx.Client(transport=transport, timeout=120)
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._storage.close()

    def create_user(self, handle: str, display_name: str, created_at: datetime) -> str:
        """Make a person; returns their id."""
        body = {"handle": handle, "displayName": display_name, "createdAt": created_at.isoformat()}
        return str(self._call("POST", "/v1/users", json=body)["id"])

    def initiate(self, owner_id: str, created_at: datetime, media_type: str, byte_size: int) -> Upload:
        """Announce an upload of `owner_id`, dated `created_at`."""
        body = {"createdAt": created_at.isoformat(), "mediaType": media_type, "byteSize": byte_size}
        reply = self._call("POST", "/v1/photos/initiate", acting_for=owner_id, json=body)
        return Upload(reply["photoId"], reply["uploadUrl"])

    def put_bytes(self, upload: Upload, data: bytes, media_type: str) -> None:
        """PUT a photo's bytes to its pre-signed address."""
        reply = self._send(self._storage, "PUT", upload.url, content=data, headers={"Content-Type": media_type})
        if reply.is_error:
            raise ApiError(
                f"object storage refused the bytes of photo {upload.photo_id}: HTTP {reply.status_code}",
                status=reply.status_code,
                code="upload_refused",
            )

    def complete(self, owner_id: str, photo_id: str, *, caption: str, tags: Sequence[str], content_type: str) -> Photo:
        """Say that the bytes are there; processing starts."""
        body = {"caption": caption, "tags": list(tags), "contentType": content_type}
        return Photo.read(self._call("POST", f"/v1/photos/{photo_id}/complete", acting_for=owner_id, json=body))

    def photo(self, owner_id: str, photo_id: str) -> Photo:
        """What became of an upload so far."""
        return Photo.read(self._call("GET", f"/v1/photos/{photo_id}", acting_for=owner_id))

    def feed(self, user_id: str, limit: int = 30, cursor: str | None = None, ranker: str | None = None) -> Feed:
        """A page of a person's feed; ranked by `ranker` if one is named, whatever experiments say."""
        given = {"limit": str(limit), "cursor": cursor, "ranker": ranker}
        parameters = {name: value for name, value in given.items() if value is not None}
        return Feed.read(self._call("GET", "/v1/feed", acting_for=user_id, params=parameters))

    def send_events(self, events: Sequence[ClientEvent]) -> EventsReply:
        """Report what people did: at most MAX_EVENTS, each with its `actorId`."""
        return EventsReply.read(self._call("POST", "/v1/events", json={"events": list(events)}))

    def is_ready(self) -> bool:
        """Whether the API says that it can serve."""
        return self._send(self._http, "GET", "/readyz").status_code == HTTPStatus.OK

    def workers_progress(self) -> WorkersProgress:
        """How far the workers are; only where env=dev."""
        return WorkersProgress.read(self._call("GET", "/v1/dev/progress"))

    def _call(self, method: str, path: str, *, acting_for: str | None = None, **request: Any) -> Any:
        headers = {} if acting_for is None else {"Act-As": acting_for}
        reply = self._send(self._http, method, path, headers=headers, **request)
        if reply.is_error:
            raise _refusal(method, path, reply)
        return reply.json()

    def _send(self, client: httpx.Client, method: str, url: str, *, attempt: int = 1, **request: Any) -> httpx.Response:
        try:
            return client.request(method, url, **request)
        except _CONNECTION_ERRORS as error:
            if attempt == ATTEMPTS:
                raise UnreachableError(f"{method} {url}: {error or type(error).__name__}") from error
        except httpx.TimeoutException as error:
            raise UnreachableError(f"{method} {url} was not answered in time") from error
        self._sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        return self._send(client, method, url, attempt=attempt + 1, **request)


def _refusal(method: str, path: str, reply: httpx.Response) -> ApiError:
    problem = reply.json() if "json" in reply.headers.get("Content-Type", "") else {}
    what = problem.get("detail") or problem.get("title") or reply.text[:200]
    code = str(problem.get("code", "http_error"))
    return ApiError(f"{method} {path}: {reply.status_code} {code}: {what}", status=reply.status_code, code=code)
