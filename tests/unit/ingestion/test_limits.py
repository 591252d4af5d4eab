"""Limits of the workers that operators and other parts rely on: a change is made here, too."""

from datetime import timedelta

import pytest

from tests.named_values import values_of

LIMITS: dict[str, dict[str, object]] = {
    "ingestion.bootstrap.engagement": {
        "_TAKE_OVER_SECONDS": 120.0,
    },
    "ingestion.bootstrap.photos": {
        "_MOST_ATTEMPTS": 6,  # of a photo, as CONTRIBUTING.md states
        "_ZOOM_NICENESS": 10,  # feeds come before zoom
    },
    "ingestion.celebrities": {
        "HYSTERESIS": 0.9,
    },
    "ingestion.consumer.dlq_commands": {
        "_LONGEST_REASON": 100,
    },
    "ingestion.consumer.lag": {
        "MEASURE_SECONDS": 10.0,
    },
    "ingestion.consumer.worker": {
        "_FIRST_PAUSE_SECONDS": 0.2,
        "_LONGEST_PAUSE_SECONDS": 10.0,
    },
    "ingestion.engagement.partials": {
        "_MOST_SENT": 4_000,  # contributions in a message, which Kafka must accept
    },
    "ingestion.engagement.pipeline": {
        "MOST_EVENTS": 10_000,
    },
    "ingestion.engagement.stages": {
        "HELD_SECONDS": 0.5,
    },
    "ingestion.erasure.eraser": {
        "_AGAIN_SECONDS": 30.0,
        "_POLL_SECONDS": 5.0,
    },
    "ingestion.erasure.lake": {
        "_ATTEMPTS": 10,
    },
    "ingestion.importing.catalogue": {
        "_ATTEMPTS": 6,
    },
    "ingestion.importing.checks": {
        "_LONGEST_TAG": 80,
    },
    "ingestion.importing.tables": {
        "LONGEST_ID": 200,
        "LONGEST_TEXT": 2_200,
        "MOST_TAGS": 30,
    },
    "ingestion.photos.hash_list": {
        "_MOST_BITS": 4,  # of difference to a listed picture
    },
    "ingestion.photos.metadata": {
        "_LONGEST_TEXT": 80,
        "_MOST_ISO": 10_000_000,
    },
    "ingestion.photos.sandbox": {
        "DEFAULT_CPU_SECONDS": 30,
        "DEFAULT_MEMORY_BYTES": 3 * 2**29,
        "DEFAULT_TIMEOUT_SECONDS": 300.0,  # longer than the processor time of a photo on a loaded machine
    },
    "ingestion.pools.neighbours": {
        "FEWEST_PEOPLE": 2,
        "MOST_PAIRS": 5_000_000,
    },
    "ingestion.pools.new_creators": {
        "FRESH_FOR": timedelta(days=7),
    },
    "ingestion.pools.worker": {
        "_REST_PER_WORK": 10.0,
    },
    "ingestion.sweeper": {
        "_KEPT_CHANGES_DAYS": 8,
        "_KEPT_UPLOAD_DAYS": 7,
        "_MOST_REQUEUES": 5,
    },
    "ingestion.verify": {
        "_ROUNDS": 3,
    },
    "ingestion.verify.features": {
        "_TOLERANCE": 1e-6,
    },
    "ingestion.webhooks.post": {
        "_CONNECT_SECONDS": 5.0,
    },
    "ingestion.webhooks.sender": {
        "_BATCH": 32,
        "_SPREAD": 0.1,
    },
}


@pytest.mark.parametrize("module", LIMITS)
def test_the_limits_of_a_module_are_these(module: str) -> None:
    assert values_of(module, LIMITS[module]) == LIMITS[module]
