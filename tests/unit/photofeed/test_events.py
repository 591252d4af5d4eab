from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photofeed.errors import PoisonError
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope, engagement_events, event_id

MOMENT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
EVENT = EngagementEvent(
    id="0192-abcd",
    action=Action.LIKE,
    user_id=11,
    creator_id=22,
    occurred_at=MOMENT,
    post_id=33,
    topic_id=44,
    content_type="reel",
    slate_id="s1",
    position=0,
    imported=True,
)

# Version 1 as it lies in logs that were written already: it must be readable for ever.
GOLDEN = (
    b'{"id":"0192b","type":"engagement","version":1,"occurredAt":"2026-03-01T12:30:15.123456+00:00","key":"11",'
    b'"payload":{"events":[{"id":"0192-abcd","action":"like","userId":11,"creatorId":22,'
    b'"occurredAt":"2026-03-01T12:30:15.123456+00:00","postId":33,"topicId":44,"contentType":"reel","slateId":"s1",'
    b'"position":0,"imported":true}]}}'
)


def test_an_event_written_by_version_1_still_decodes() -> None:
    envelope = Envelope.decode(GOLDEN)
    assert envelope.occurred_at == MOMENT
    assert engagement_events(envelope) == [EVENT]


def test_events_survive_the_log() -> None:
    envelope = engagement_envelope(11, [EVENT])
    decoded = Envelope.decode(envelope.encode())
    assert decoded == envelope
    assert engagement_events(decoded) == [EVENT]


@given(st.binary(max_size=200))
def test_bytes_that_are_no_envelope_are_poison_and_nothing_worse(data: bytes) -> None:
    with pytest.raises(PoisonError):
        Envelope.decode(data)


@pytest.mark.parametrize(
    "broken",
    [
        GOLDEN.replace(b'"payload":{', b'"payload":[{').replace(b"]}}", b"]}]}"),
        GOLDEN.replace(b"+00:00", b""),
        GOLDEN.replace(b'"version":1', b'"version":"one"'),
        GOLDEN.replace(b'"key":"11",', b""),
    ],
)
def test_envelopes_with_a_wrong_field_are_poison(broken: bytes) -> None:
    with pytest.raises(PoisonError):
        Envelope.decode(broken)


@pytest.mark.parametrize("broken", [b'"action":"like"', b'"userId":11', b'"id":"0192-abcd"'])
def test_events_without_a_needed_field_are_poison(broken: bytes) -> None:
    envelope = Envelope.decode(GOLDEN.replace(broken, b'"x":1'))
    with pytest.raises(PoisonError):
        engagement_events(envelope)


def test_an_event_is_known_by_its_person_and_the_clients_id() -> None:
    assert event_id(1, "a") == event_id(1, "a")
    assert len({event_id(1, "a"), event_id(2, "a"), event_id(1, "b"), event_id(11, "a"), event_id(1, "1:a")}) == 5


def test_an_engagement_message_without_a_list_of_events_is_poison() -> None:
    envelope = engagement_envelope(11, [EVENT])
    assert (envelope.type, envelope.key, envelope.occurred_at) == ("engagement", "11", EVENT.occurred_at)
    with pytest.raises(PoisonError, match="without events"):
        engagement_events(Envelope("engagement", "11", {"events": {}}))
