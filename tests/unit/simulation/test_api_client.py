from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from photofeed_client import UploadTicket
from photofeed_client.generated.models import UploadTicketHeaders

from simulation.api_client import ATTEMPTS, ApiClient
from simulation.errors import ApiError, UnreachableError


def test_a_failed_connection_is_retried(api: Any) -> None:
    api.broken_connections = ATTEMPTS - 1

    assert api.client().workers_progress().events_in_features == 0


def test_the_error_names_an_unreachable_api(api: Any) -> None:
    api.broken_connections = ATTEMPTS

    with pytest.raises(UnreachableError, match=r"GET /v1/dev/progress: refused"):
        api.client().workers_progress()


def test_a_refusal_names_request_status_and_reason(api: Any) -> None:
    client = api.client()
    with pytest.raises(ApiError, match=r"POST /v1/photos/nope/complete: 409 not_uploaded: no bytes yet") as refused:
        client.complete("user", "nope", caption="", tags=(), content_type="photo")

    assert (refused.value.status, refused.value.code) == (409, "not_uploaded")


def test_a_refusal_is_not_retried() -> None:
    calls = []

    def handle(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(502, text="<html>bad gateway</html>")

    with pytest.raises(ApiError, match="502 http_error: <html>bad gateway"):
        ApiClient("http://api.test", "token", transport=httpx.MockTransport(handle)).workers_progress()
    assert len(calls) == 1


def test_what_is_late_for_a_moment_is_asked_again() -> None:
    late = ["The event log does not answer."] * (ATTEMPTS - 1)

    def handle(_: httpx.Request) -> httpx.Response:
        if late:
            return httpx.Response(503, json={"code": "try_again", "detail": late.pop()})
        return httpx.Response(200, json={"accepted": 0, "refused": [], "unchanged": 0})

    client = ApiClient("http://api.test", "token", transport=httpx.MockTransport(handle), sleep=lambda _: None)
    assert client.send_events([]).accepted == 0


def _ticket(url: str) -> UploadTicket:
    return UploadTicket(datetime.now(UTC), UploadTicketHeaders(), "p", url)


def test_object_storage_never_sees_our_token(api: Any) -> None:
    api.client().put_bytes(_ticket("http://storage.test/p?signature=1"), b"bytes")  # 403 with it

    assert api.bytes == {"p": b"bytes"}


def test_refused_bytes_are_an_error() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(403))
    client = ApiClient("http://api.test", "token", transport=transport)

    with pytest.raises(ApiError, match="PUT /p: 403 http_error"):
        client.put_bytes(_ticket("http://storage.test/p"), b"bytes")
