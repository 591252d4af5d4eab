"""One photo's trace, over the real API and workers: from the request that completes it to the next feed."""

import secrets
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from io import BytesIO

import httpx
import pytest
from PIL import Image

from photofeed.ids import decode_id
from photofeed.settings import Settings
from photofeed.tokens import SERVICE, mint_token
from simulation.running import running_photofeed
from simulation.scale import SMOKE
from simulation.waiting import Polling
from tests.doubles.silent_stages import SilentStages
from tests.doubles.trace_collector import CollectedSpan, TraceCollector, collecting

PATIENCE_SECONDS = 60.0
CALLERS_SPAN = "00f067aa0ba902b7"


@dataclass(frozen=True)
class TracedApp:
    """photofeed as separate processes that trace requests only if their callers do."""

    settings: Settings
    collector: TraceCollector
    owned: ExitStack

    def person(self) -> tuple[str, httpx.Client]:
        """Id and client of a new person."""
        body = {"handle": f"t{uuid.uuid4().hex[:12]}", "displayName": "Traced"}
        with self._client(mint_token(self.settings, 0, frozenset({SERVICE}))) as service:
            user_id: str = service.post("/v1/users", json=body).raise_for_status().json()["id"]
        token = mint_token(self.settings, decode_id(user_id))
        return user_id, self.owned.enter_context(self._client(token))

    def _client(self, token: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.settings.public_url, headers=headers, timeout=PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def traced_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TracedApp]:
    with pytest.MonkeyPatch.context() as variables, collecting() as collector, ExitStack() as owned:
        variables.setenv("PHOTOFEED_TRACES_ENDPOINT", collector.address)
        variables.setenv("PHOTOFEED_TRACES_RATIO", "0")
        variables.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        running = owned.enter_context(running_photofeed(tmp_path_factory.mktemp("traced"), SMOKE, SilentStages()))
        yield TracedApp(running.settings, collector, owned)


def of_trace(trace: str) -> dict[str, str]:
    """The header of a caller whose trace this is."""
    return {"traceparent": f"00-{trace}-{CALLERS_SPAN}-01"}


def refers(service: str, trace: str, span: CollectedSpan) -> bool:
    """Whether a span of a service has a link to a trace."""
    return span.service == service and trace in span.links


def picture() -> bytes:
    file = BytesIO()
    Image.radial_gradient("L").resize((1500, 1200)).save(file, "JPEG")
    return file.getvalue()


def test_a_photo_is_followed_from_its_upload_to_the_next_feed(traced_app: TracedApp) -> None:
    collector, (uploaded, opened) = traced_app.collector, (secrets.token_hex(16), secrets.token_hex(16))
    (author_id, author), (_, reader) = traced_app.person(), traced_app.person()
    reader.put(f"/v1/users/{author_id}/follow").raise_for_status()
    initiated = author.post("/v1/photos/initiate").raise_for_status().json()
    photo_id = initiated["photoId"]
    httpx.put(initiated["uploadUrl"], content=picture()).raise_for_status()
    author.post(f"/v1/photos/{photo_id}/complete", headers=of_trace(uploaded)).raise_for_status()
    delivered = collector.wait_for(lambda span: span.trace == uploaded and span.service == "photofeed-fanout")

    def shown() -> int:
        items = reader.get("/v1/feed", headers=of_trace(opened)).raise_for_status().json()["items"]
        return sum(item["post"]["id"] == photo_id for item in items)

    Polling().until_done(shown, 1, stalled_seconds=PATIENCE_SECONDS, what="the photo in the feed")
    end = collector.wait_for(lambda span: span.trace == uploaded and span.name == "feed shows post")

    spans = {span.id: span for span in collector.trace(uploaded)}
    path, at = [], end.id
    while at != CALLERS_SPAN:
        path.append((spans[at].service, spans[at].name))
        at = spans[at].parent
    assert path[::-1] == [
        ("photofeed-api", "POST /v1/photos/{photo_id}/complete"),
        ("photofeed-relay", "send photo.uploaded"),
        ("photofeed-photos", "photos photo.uploaded"),
        ("photofeed-relay", "send photo.processed"),
        ("photofeed-fanout", "fanout photo.processed"),
        ("photofeed-api", "feed shows post"),
    ]
    assert end.links == (opened,)
    assert end.parent == delivered.id
    (handled,) = (span for span in spans.values() if span.name == "photos photo.uploaded")
    steps = {span.name for span in spans.values() if span.parent == handled.id}
    assert steps >= {f"photo {step}" for step in ("fetch", "check", "process", "moderate", "store")}
    (process,) = (span for span in spans.values() if span.name == "photo process")
    inside = {span.name for span in spans.values() if span.parent == process.id}
    assert inside >= {"photo validate", "photo normalise", "photo variants"}


def test_the_feed_that_was_traced_has_its_stages(traced_app: TracedApp) -> None:
    trace, (_, reader) = secrets.token_hex(16), traced_app.person()
    reader.get("/v1/feed", headers=of_trace(trace)).raise_for_status()
    request = traced_app.collector.wait_for(lambda span: span.trace == trace and span.name == "GET /v1/feed")
    traced_app.collector.wait_for(lambda span: span.name == "page" and span.parent == request.id)
    assert request.parent == CALLERS_SPAN
    assert request.attributes["http.response.status_code"] == 200


def test_the_worker_of_features_refers_to_the_requests_that_brought_events(traced_app: TracedApp) -> None:
    trace, (author_id, _), (_, reader) = secrets.token_hex(16), traced_app.person(), traced_app.person()
    events = [{"id": uuid.uuid4().hex, "type": "profile_visit", "personId": author_id}]
    reader.post("/v1/events", json={"events": events}, headers=of_trace(trace)).raise_for_status()
    for service in ("photofeed-features", "photofeed-archive"):
        batch = traced_app.collector.wait_for(partial(refers, service, trace))
        assert batch.name.endswith("batch")
        assert batch.trace != trace


def test_requests_of_nobody_who_traces_are_not_traced_at_a_ratio_of_zero(traced_app: TracedApp) -> None:
    _, reader = traced_app.person()
    trace = secrets.token_hex(16)
    for headers in ({}, {"traceparent": "00-nonsense"}, {"traceparent": f"00-{trace}-{CALLERS_SPAN}-00"}):
        reader.get("/v1/me", headers=headers).raise_for_status()
    last = secrets.token_hex(16)
    reader.get("/v1/me/likes", headers=of_trace(last)).raise_for_status()
    traced_app.collector.wait_for(lambda span: span.trace == last)
    assert [span for span in traced_app.collector.spans if span.name == "GET /v1/me"] == []
