"""Dead letters keep all of a message, and those of each group and topic are found until they are replayed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from photofeed.dead_letters import DeadLetter, DeadLetters, count_waiting
from photofeed.errors import PermanentError, PoisonError
from photofeed.event_log import Message
from photofeed.events import Envelope
from photofeed.topics import Topic, dead_letters
from tests.doubles.event_log import InMemoryEventLog

PHOTOS, FOLLOWS = Topic("photos", key="id"), Topic("follows", key="id")
SUBSCRIPTIONS = {"fanout": (PHOTOS, FOLLOWS), "archive": (PHOTOS,)}
MOMENT = datetime(2026, 3, 1, tzinfo=UTC)


def _letter(number: int, group: str, topic: Topic) -> DeadLetter:
    message = Message(topic.name, 3, 70 + number, f"key {number}", b"value %d" % number)
    return DeadLetter(message, group, "code", "why", "trace", occurred_at=MOMENT + timedelta(seconds=number))


@pytest.mark.parametrize("value", ["text: ä".encode(), b"\xff\x00", b""])
def test_a_letter_has_all_of_its_message(value: bytes) -> None:
    message = Message("photos", 3, 71, "key", value)
    letter = DeadLetter.about(message, "fanout", PermanentError("cannot be", code="nope"))
    assert (letter.code, letter.reason) == ("nope", "cannot be")
    assert DeadLetter.from_envelope(Envelope.decode(letter.to_envelope().encode())) == letter


@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in ("partition", "offset")),
        *({"offset": "x"}, {"value": None, "valueBase64": "no base64!"}),
    ],
)
def test_a_letter_with_a_wrong_field_is_poison(changes: dict[str, Any]) -> None:
    whole = _letter(1, "fanout", PHOTOS).to_envelope()
    with pytest.raises(PoisonError, match="not a dead letter"):
        DeadLetter.from_envelope(Envelope(whole.type, whole.key, whole.payload | changes))
    for name in ("topic", "partition", "offset", "group", "code", "reason", "trace", "value"):
        payload = {key: value for key, value in whole.payload.items() if key != name}
        with pytest.raises(PoisonError, match="not a dead letter"):
            DeadLetter.from_envelope(Envelope(whole.type, whole.key, payload))


def test_letters_of_all_groups_and_topics_wait_oldest_first_until_they_are_replayed() -> None:
    log = InMemoryEventLog(partitions=1)
    desk = DeadLetters(log, log, SUBSCRIPTIONS)
    places = [("fanout", FOLLOWS), ("archive", PHOTOS), ("fanout", PHOTOS), ("fanout", FOLLOWS)]
    letters = [_letter(number, group, topic) for number, (group, topic) in enumerate(places)]
    for letter in letters:
        log.publish(dead_letters(letter.message.topic, letter.group), [letter.to_envelope()])
    assert desk.waiting() == letters
    assert desk.waiting("fanout") == [letters[0], *letters[2:]]
    assert set(count_waiting(log, SUBSCRIPTIONS)) == {
        ("photos", "fanout", 1),
        ("follows", "fanout", 2),
        ("photos", "archive", 1),
    }
    for letter in letters[1:3]:
        desk.replay(letter, "me")
    assert desk.waiting() == [letters[0], letters[3]]
    assert list(count_waiting(log, SUBSCRIPTIONS)) == [("follows", "fanout", 2)]
    assert [(one.key, one.value, one.group) for one in log.read("photos")] == [
        ("key 1", b"value 1", "archive"),
        ("key 2", b"value 2", "fanout"),
    ]
