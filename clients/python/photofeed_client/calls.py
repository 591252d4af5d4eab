"""What the sync and the async client share: the requests that they send, without sending them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from photofeed_client.generated.models import CandidatesRequest, ClientEvent, ItemContent, PhotoStatus, RankRequest

FINAL = frozenset({PhotoStatus.READY, PhotoStatus.REVIEW, PhotoStatus.REJECTED, PhotoStatus.FAILED})
STREAMS = 3  # that may break before the status is polled
POLL_SECONDS = 1.0
WATCH_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the API: method, path, JSON body and parameters; None and absent values are left out."""

    method: str
    path: str
    json: Any = None
    params: dict[str, str | int] = field(default_factory=dict)
    act_as: str | None = None

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of httpx's `request`."""
        headers = {} if self.act_as is None else {"Act-As": self.act_as}
        body = {} if self.json is None else {"json": self.json}
        return {"method": self.method, "url": self.path, "params": self.params, "headers": headers, **body}


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def feed_page(path: str, limit: int, cursor: str | None, ranker: str | None, act_as: str | None) -> Call:
    """A page of a ranked list."""
    return Call("GET", path, params=_given(limit=limit, cursor=cursor, ranker=ranker), act_as=act_as)


def initiate(media_type: str | None, byte_size: int | None, created_at: str | None, act_as: str | None) -> Call:
    """Start an upload."""
    body = _given(mediaType=media_type, byteSize=byte_size, createdAt=created_at)
    return Call("POST", "/v1/photos/initiate", body, act_as=act_as)


def complete(
    photo_id: str, caption: str, alt_text: str, tags: Sequence[str], content_type: str, act_as: str | None
) -> Call:
    """End an upload."""
    body = {"caption": caption, "altText": alt_text, "tags": list(tags), "contentType": content_type}
    return Call("POST", f"/v1/photos/{photo_id}/complete", body, act_as=act_as)


def photo(photo_id: str, act_as: str | None) -> Call:
    """The state of a photo."""
    return Call("GET", f"/v1/photos/{photo_id}", act_as=act_as)


def events(batch: Sequence[ClientEvent | dict[str, Any]]) -> Call:
    """Send events, also some that were made as JSON already."""
    bodies = [one if isinstance(one, dict) else one.to_dict() for one in batch]
    return Call("POST", "/v1/events", {"events": bodies})


def put_items(batch: Sequence[ItemContent | dict[str, Any]]) -> Call:
    """Describe items."""
    return Call("PUT", "/v1/items", {"items": [one if isinstance(one, dict) else one.to_dict() for one in batch]})


def rank(request: RankRequest | dict[str, Any]) -> Call:
    """Order candidates."""
    return Call("POST", "/v1/rank", request if isinstance(request, dict) else request.to_dict())


def candidates(request: CandidatesRequest | dict[str, Any]) -> Call:
    """Find candidates."""
    return Call("POST", "/v1/candidates", request if isinstance(request, dict) else request.to_dict())
