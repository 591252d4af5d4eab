"""Consumer groups on Kafka: who is there, and what they have not committed."""

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from photofeed import topics
from photofeed.errors import UnavailableError
from photofeed.event_log import KafkaGroupConsumer
from photofeed.events import Envelope
from photofeed.kafka_groups import GroupState, group_states
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.kafka_topics import create_topics
from photofeed.settings import Settings
from photofeed.topics import PHOTO_PROCESSED, PURGE_GROUP, REMOVAL_GROUP, SUBSCRIPTIONS

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack


def _removal(settings: Settings) -> GroupState:
    return next(one for one in group_states(settings) if one.group == REMOVAL_GROUP)


def test_a_group_shows_its_members_and_what_waits_for_it(stack: "EmbeddedStack") -> None:
    settings = stack.settings()
    create_topics(settings, topics.all_topics())
    with closing(KafkaGroupConsumer(settings, REMOVAL_GROUP, SUBSCRIPTIONS[REMOVAL_GROUP])) as consumer:
        while not consumer.assigned:
            consumer.poll(1_000, 0.2)
        with closing(KafkaPublisher(settings)) as publisher:
            publisher.publish(PHOTO_PROCESSED.name, [Envelope("photo.nothing", str(key), {}) for key in range(4)])
        waiting = _removal(settings)
        assert waiting.members == 1
        assert waiting.lags[PHOTO_PROCESSED.name] > 0
        while _removal(settings).lags[PHOTO_PROCESSED.name]:
            consumer.poll(1_000, 0.2)
            consumer.commit()
    assert _removal(settings).members == 0


def test_a_group_that_needs_no_worker_is_left_out(stack: "EmbeddedStack") -> None:
    settings = stack.settings()
    create_topics(settings, topics.all_topics())
    assert PURGE_GROUP not in {one.group for one in group_states(settings)}
    purges = settings.model_copy(update={"cdn_purge_url": "http://127.0.0.1:9/"})
    assert {one.group for one in group_states(purges)} == set(SUBSCRIPTIONS)


def test_brokers_that_are_away_are_said_to_be() -> None:
    with pytest.raises(UnavailableError, match="the event log"):
        group_states(Settings(kafka_bootstrap_servers="127.0.0.1:9"))
