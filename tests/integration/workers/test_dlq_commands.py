"""`photofeed dlq` on Kafka."""

import subprocess
import uuid
from typing import TYPE_CHECKING

from photofeed import database, topics
from photofeed.dead_letters import DeadLetter
from photofeed.errors import PermanentError
from photofeed.event_log import KafkaReader, Message
from photofeed.events import Envelope
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.kafka_topics import create_topics
from tests.command_line import photofeed

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack


def _run(stack: "EmbeddedStack", *arguments: str) -> subprocess.CompletedProcess[str]:
    return photofeed("dlq", *arguments, PHOTOFEED_STATE_DIR=stack.state.path)


def test_an_operator_lists_a_letter_and_replays_it_once(stack: "EmbeddedStack") -> None:
    settings, group, topic = stack.settings(), topics.PHOTOS_GROUP, topics.PHOTO_UPLOADED.name
    dead = topics.dead_letters(topic, group)
    create_topics(settings, [topics.PHOTO_UPLOADED, topics.Topic(dead, key="photoId", partitions=1)])
    value = Envelope("photo.uploaded", uuid.uuid4().hex, {"photoId": 1}).encode()
    error = PermanentError("cannot\nbe", code="nope")
    letters = [DeadLetter.about(Message(topic, 0, n, f"k{n}", value), group, error) for n in range(2)]
    publisher = KafkaPublisher(settings)
    publisher.publish(dead, [letter.to_envelope() for letter in letters])
    publisher.close()

    shown = _run(stack, "list", "--group", group)
    assert shown.returncode == 0, shown.stderr
    lines = {line.split("\t")[0]: line.split("\t")[2:] for line in shown.stdout.splitlines()}
    assert lines[letters[0].id] == [group, topic, "k0", "nope", "cannot be"]
    assert lines[letters[1].id]

    with database.connect(settings) as features_worker:  # which holds its lock for as long as it runs
        assert database.try_leadership(features_worker, database.FEATURES_LEADER)
        for expected in (0, 1):  # the second time there is nothing left to replay
            assert _run(stack, "replay", "--id", letters[0].id).returncode == expected
    assert letters[0].id not in _run(stack, "list").stdout
    assert letters[1].id in _run(stack, "list").stdout
    assert [message.value for message in KafkaReader(settings).read(topic)].count(value) == 1
    assert _run(stack, "list", "--group", "nobody").returncode == 1
