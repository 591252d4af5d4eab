"""Traces: which requests and messages have spans, what goes on to other processes, and nothing while they are off."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from ingestion.post_traces import keeping_traces
from photofeed import tracing
from photofeed.errors import InvalidError
from photofeed.events import Envelope
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.logs import set_up_logs
from photofeed.post_traces import KEPT_SECONDS, trace_key
from photofeed.settings import Settings, load_settings
from tests.doubles.kafka_producer import FakeProducer
from tests.doubles.trace_collector import TraceCollector, collecting

OFF = """
import sys
from photofeed.settings import Settings
from photofeed.tracing import continued, linked, tracing
from serving.app import create_app
from ingestion.bootstrap import engagement, feeds, history, photos, removal
handler = print
with tracing(Settings(), "off"):
    assert continued(handler, "group") is handler and linked(handler, "group") is handler
    layers = [layer.cls.__name__ for layer in create_app(Settings()).user_middleware]
print([name for name in layers if name == "RequestTraces"])
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk.trace", "opentelemetry.exporter"))])
"""


@pytest.fixture
def collector() -> Iterator[TraceCollector]:
    """A collector to which this process sends all spans; they are there when `tracing` has ended."""
    with collecting() as running:
        yield running


def settings_for(collector: TraceCollector, ratio: float = 0.0) -> Settings:
    return Settings(traces_endpoint=collector.address, traces_ratio=ratio)


def context_of(trace: str) -> str:
    return f"00-{trace}-{'ab' * 8}-01"


def message(trace: str | None = None) -> Envelope:
    return Envelope("thing", "key", {}, traceparent=None if trace is None else context_of(trace))


def test_nothing_is_installed_or_imported_while_traces_are_off() -> None:
    done = subprocess.run([sys.executable, "-c", OFF], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.stdout.splitlines() == ["[]", "[]"], done.stderr


def test_a_message_takes_the_context_of_the_block_that_writes_it(collector: TraceCollector) -> None:
    trace, producer = secrets.token_hex(16), FakeProducer()
    publisher = KafkaPublisher(Settings(), connect=lambda *_: producer)
    written = message()
    with tracing.tracing(settings_for(collector), "writer"):
        tracing.continued(lambda _: publisher.publish("things", [written]), "group")([message(trace)])
        publisher.publish("things", [message()])
    (sent,) = (span for span in collector.spans if span.name == "send things")
    assert producer.headers == [[("traceparent", f"00-{trace}-{sent.id}-01".encode())], []]
    assert sent.trace == trace
    assert {name: sent.attributes[name] for name in sent.attributes if name.startswith(("messaging", "photofeed"))} == {
        "messaging.system": "kafka",
        "messaging.destination.name": "things",
        "messaging.message.id": written.id,
        "photofeed.message.type": "thing",
    }


def test_each_message_of_a_batch_continues_its_own_trace(collector: TraceCollector) -> None:
    traces, handled = [secrets.token_hex(16), secrets.token_hex(16)], list[list[Envelope]]()
    messages = [message(traces[0]), message(), message(traces[1])]
    with tracing.tracing(settings_for(collector), "worker"):
        tracing.continued(lambda envelopes: handled.append(list(envelopes)), "group")(messages)
    assert handled == [[one] for one in messages]
    assert [span.trace for span in collector.spans] == traces
    named = [
        (one.attributes["messaging.consumer.group.name"], one.attributes["messaging.message.id"])
        for one in collector.spans
    ]
    assert named == [("group", messages[0].id), ("group", messages[2].id)]


def test_a_batch_refers_to_the_traces_of_its_messages(collector: TraceCollector) -> None:
    traces, handled = [secrets.token_hex(16) for _ in range(tracing.MOST_LINKS + 1)], list[int]()
    with tracing.tracing(settings_for(collector), "worker"):
        handle = tracing.linked(lambda envelopes: handled.append(len(envelopes)), "group")
        handle([message(), *map(message, traces)])
        handle([message()])
    (batch,) = collector.spans
    assert batch.links == tuple(traces[: tracing.MOST_LINKS])
    assert batch.attributes["messaging.batch.message_count"] == len(traces) + 1
    assert batch.attributes["messaging.consumer.group.name"] == "group"
    assert handled == [len(traces) + 1, 1]


@pytest.mark.parametrize("context", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "ff" * 500])
def test_a_message_with_a_broken_context_is_handled(collector: TraceCollector, context: str) -> None:
    handled: list[int] = []
    with tracing.tracing(settings_for(collector), "worker"):
        tracing.continued(lambda envelopes: handled.append(len(envelopes)), "group")(
            [Envelope("thing", "key", {}, traceparent=context)]
        )
        tracing.linked(lambda envelopes: handled.append(len(envelopes)), "group")(
            [Envelope("thing", "key", {}, traceparent=context)]
        )
    assert handled == [1, 1]


def test_a_failing_handler_raises_and_its_span_is_sent(collector: TraceCollector) -> None:
    def fail(_: object) -> None:
        raise InvalidError("no")

    with tracing.tracing(settings_for(collector), "worker"), pytest.raises(InvalidError):
        tracing.continued(fail, "group")([message(secrets.token_hex(16))])
    assert [span.name for span in collector.spans] == ["group thing"]


def test_log_lines_have_the_ids_of_their_trace(collector: TraceCollector, capsys: pytest.CaptureFixture[str]) -> None:
    trace, settings, before = secrets.token_hex(16), settings_for(collector), structlog.get_config()
    try:
        set_up_logs(settings.model_copy(update={"env": "production"}))
        with tracing.tracing(settings, "worker"):
            tracing.continued(lambda _: structlog.get_logger().info("inside"), "group")([message(trace)])
            structlog.get_logger().info("outside")
        structlog.get_logger().info("after")
    finally:
        structlog.configure(**before)
    lines = {line["event"]: line for line in map(json.loads, capsys.readouterr().err.splitlines())}
    (span,) = collector.spans
    assert (lines["inside"]["trace_id"], lines["inside"]["span_id"]) == (trace, span.id)
    assert "trace_id" not in lines["outside"] | lines["after"]


def test_work_goes_on_without_a_collector() -> None:
    handled: list[int] = []
    with tracing.tracing(Settings(traces_endpoint="http://127.0.0.1:9"), "worker"):  # nothing listens there
        tracing.continued(lambda envelopes: handled.append(len(envelopes)), "group")([message(secrets.token_hex(16))])
    assert handled == [1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PHOTOFEED_TRACES_ENDPOINT", "collector:4318"),
        ("PHOTOFEED_TRACES_ENDPOINT", "ftp://collector"),
        ("PHOTOFEED_TRACES_ENDPOINT", "http://"),
        ("PHOTOFEED_TRACES_RATIO", "2"),
        ("PHOTOFEED_TRACES_RATIO", "-0.1"),
        ("PHOTOFEED_TRACES_RATIO", "nan"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTOFEED_STATE_DIR", str(tmp_path))
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidError, match=name):
        load_settings(needs_secrets=False)


def test_the_trace_of_a_visible_post_is_kept_for_a_time(collector: TraceCollector) -> None:
    kept: dict[str, tuple[str, int]] = {}

    class Redis:
        def set(self, key: str, value: str, *, ex: int) -> None:
            kept[key] = value, ex

    trace, handled = secrets.token_hex(16), list[Envelope]()
    traced, removed = (
        Envelope(type_, key, {}, traceparent=context_of(trace))
        for type_, key in (("photo.processed", "7"), ("photo.removed", "8"))
    )
    untraced = Envelope("photo.processed", "9", {})
    with tracing.tracing(settings_for(collector), "fan-out"):
        tracing.continued(keeping_traces(handled.extend, Redis()), "group")([traced, removed, untraced])
    assert handled == [traced, removed, untraced]
    ((key, (context, seconds)),) = kept.items()
    assert (key, seconds) == (trace_key(7), KEPT_SECONDS)
    assert trace in context
