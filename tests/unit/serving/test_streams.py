import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY
from starlette.types import Message

from photofeed.errors import QuotaError, RetryableError
from photofeed.settings import Settings
from serving.streams import CountedStream, Streams


def _streams(of_person: int = 2, in_all: int = 3) -> Streams:
    return Streams(Settings(env="dev", streams_per_person=of_person, streams_per_process=in_all))


def test_a_person_has_a_number_of_streams() -> None:
    streams = _streams()
    streams.open(1)
    streams.open(1)
    with pytest.raises(QuotaError) as refusal:
        streams.open(1)
    assert refusal.value.code == "too_many_streams"
    assert refusal.value.retry_after_seconds > 0
    streams.open(2)
    streams.close(1)
    streams.open(1)
    for person in (1, 1, 2):
        streams.close(person)
    assert not streams._open  # nothing is kept of people who have left


def test_a_process_has_a_number_of_streams() -> None:
    streams = _streams()
    for person in (1, 2, 3):
        streams.open(person)
    with pytest.raises(RetryableError):
        streams.open(4)
    streams.close(2)
    streams.open(4)


def test_open_streams_are_counted_until_they_end() -> None:
    def shown() -> float:
        return REGISTRY.get_sample_value("photofeed_open_streams") or 0.0

    streams, before = _streams(), shown()
    streams.open(1)
    streams.open(2)
    assert shown() == before + 2
    streams.close(1)
    assert shown() == before + 1
    streams.close(2)
    assert shown() == before


async def _events() -> AsyncIterator[bytes]:
    yield b"data: 1\n\n"


async def _nothing() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def test_a_stream_that_ended_is_not_open() -> None:
    streams, sent = _streams(of_person=1), list[Message]()

    async def send(message: Message) -> None:
        sent.append(message)

    for _ in range(3):
        asyncio.run(CountedStream(streams, 1, _events(), "text/plain", {})({"type": "http"}, _nothing, send))
    assert sent[1]["body"] == b"data: 1\n\n"


def test_a_stream_whose_client_left_before_its_first_event_is_not_open() -> None:
    streams = _streams(of_person=1)

    async def gone(_: Message) -> None:
        raise OSError("the client left")

    for _ in range(3):
        stream = CountedStream(streams, 1, _events(), "text/plain", {})
        with pytest.raises((OSError, ExceptionGroup)):
            asyncio.run(stream({"type": "http"}, _nothing, gone))
