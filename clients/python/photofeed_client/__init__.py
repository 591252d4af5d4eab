"""A typed client of the photofeed API, sync and async.

`PhotofeedClient` and `AsyncPhotofeedClient` upload photos, watch their processing, read feeds and report events.
`photofeed_client.generated` has every operation and model of the API; it is made from the OpenAPI document.
"""

from photofeed_client.async_client import AsyncPhotofeedClient
from photofeed_client.calls import FINAL, Call
from photofeed_client.client import PhotofeedClient
from photofeed_client.errors import ApiError, PhotofeedClientError, UnreachableError, WatchEndedError
from photofeed_client.events import AsyncEventBatch, EventBatch
from photofeed_client.generated.models import Action, ClientEvent, FeedItem, FeedPage, Photo, UploadTicket
from photofeed_client.retries import RetryPolicy

__all__ = [
    "FINAL",
    "Action",
    "ApiError",
    "AsyncEventBatch",
    "AsyncPhotofeedClient",
    "Call",
    "ClientEvent",
    "EventBatch",
    "FeedItem",
    "FeedPage",
    "Photo",
    "PhotofeedClient",
    "PhotofeedClientError",
    "RetryPolicy",
    "UnreachableError",
    "UploadTicket",
    "WatchEndedError",
]
