"""Limits and numbers that processes, stored data or operators rely on: a change is made here, too."""

from datetime import timedelta

import pytest

from tests.named_values import values_of

LIMITS: dict[str, dict[str, object]] = {
    "photofeed.action_weights": {
        "QUICK_SKIP_SECONDS": 1.0,
    },
    "photofeed.database": {
        "ERASER_LEADER": 73017,  # locks are shared by processes of different releases
        "FEATURES_LEADER": 73014,
        "FEATURES_WANTED": 73018,
        "MIGRATION_LOCK": 73012,
        "MODEL_MOVES": 73021,
        "RELAYING": 73019,
        "RELAY_LEADER": 73013,
        "REPLAY": 73016,
        "RETRAINING": 73022,
        "TIMELINES": 73015,
        "WAIT_SECONDS": 3.0,
    },
    "photofeed.doctor.certificates": {
        "SHORTEST_DAYS": 14,
    },
    "photofeed.doctor.kafka_cluster": {
        "FEWEST_REPLICAS": 2,
    },
    "photofeed.doctor.postgres": {
        "FEWEST_CONNECTIONS": 100,
        "OLDEST_MAJOR": 15,
    },
    "photofeed.doctor.redis_server": {
        "_FULL": 0.9,
    },
    "photofeed.embedded.supervisor": {
        "FIRST_DELAY": 0.25,
        "LONGEST_DELAY": 30.0,
        "STEADY_SECONDS": 60.0,
    },
    "photofeed.event_log": {
        "_COMMIT_MS": 10_000,
        "_HANDOVER_SECONDS": 5.0,
        "_OFFSETS_MS": 5_000,
        "_READ_PATIENCE_SECONDS": 60.0,
    },
    "photofeed.events": {
        "LATEST_EVENTS": timedelta(days=2),
        "MAX_EVENTS": 500,
    },
    "photofeed.factorization": {
        "FACTORS": 32,
        "ITERATIONS": 10,
        "REGULARIZATION": 0.05,
    },
    "photofeed.features.popularity": {
        "HALF_LIFE_HOURS": 24.0,
        "UNKNOWN_AGE_HOURS": 1e6,
    },
    "photofeed.features.profile": {
        "SMALLEST_SHARE": 1e-3,
    },
    "photofeed.features.rates": {
        "MOST_ACTIONS_PER_IMPRESSION": 1.0,  # priors are part of the meaning of features
        "PRIOR_DWELL_SECONDS_PER_IMPRESSION": 2.0,
        "PRIOR_ENGAGEMENT_PER_IMPRESSION": 0.15,
        "PRIOR_IMPRESSIONS": 10.0,
        "PRIOR_LIKES_A_DAY": 5.0,
    },
    "photofeed.kafka_client": {
        "BOOTSTRAP_MS": 10_000,
        "_LONGEST_RECONNECT_MS": 1_000,
    },
    "photofeed.kafka_publisher": {
        "_BATCH_BYTES": 512 * 1024,  # below the 1 MiB that Kafka accepts
        "_CLOSE_SECONDS": 5.0,
        "_DELIVERY_MS": 30_000,
        "_LINGER_MS": 5,
        "_REQUEST_MS": 15_000,
    },
    "photofeed.models.history": {
        "_NOTING_SECONDS": 3,
    },
    "photofeed.models.mlflow_api": {
        "TIMEOUT_SECONDS": 10.0,
    },
    "photofeed.notifications": {
        "MOST_MENTIONS": 20,
    },
    "photofeed.offline_store.compaction": {
        "FEWEST_PARTS": 8,
        "LARGEST_BYTES": 64 * 2**20,
    },
    "photofeed.offline_store.contracts": {
        "CLOCKS_APART": timedelta(days=1),
    },
    "photofeed.offline_store.rewrite": {
        "_DISORDER": timedelta(hours=1),
    },
    "photofeed.online_store.hot_rows": {
        "SILENCE": 1.0,
    },
    "photofeed.online_store.reader": {
        "RELEARN_SECONDS": 1.0,
    },
    "photofeed.settings": {
        "SHORTEST_SECRET": 32,
    },
    "photofeed.signing_keys": {
        "_ASK_AGAIN_SECONDS": 1.0,
        "_TIMEOUT_SECONDS": 5.0,
    },
    "photofeed.spans": {
        "_EXPORT_SECONDS": 5.0,
    },
    "photofeed.timelines": {
        "AUTHOR_LENGTH": 500,
        "POOL_LENGTH": 5_000,
        "SEEN_FOR": timedelta(hours=24),
        "SEEN_LENGTH": 2_000,
        "TRENDING_HALF_LIFE_SECONDS": 86_400.0,
    },
    "photofeed.tokens": {
        "_LEEWAY_SECONDS": 60,
        "_LONGEST_SUBJECT": 255,  # OpenID Connect Core 1.0, section 2
        "_REMEMBERED_SECONDS": 60.0,
    },
    "photofeed.webhooks": {
        "_SECRET_BYTES": 32,
    },
}


@pytest.mark.parametrize("module", LIMITS)
def test_the_limits_of_a_module_are_these(module: str) -> None:
    assert values_of(module, LIMITS[module]) == LIMITS[module]
