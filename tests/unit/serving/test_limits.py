"""Limits and weights that clients, operators and rankings rely on: a change is made here, too."""

from datetime import timedelta

import pytest

from serving.feed.rerankers.diversity import SAME_AUTHOR, SAME_KIND, SAME_TOPIC
from tests.named_values import values_of

LIMITS: dict[str, dict[str, object]] = {
    "serving.account_export": {
        "ADDRESS_SECONDS": 24 * 3600,  # addresses of originals in an export work for a day
    },
    "serving.api.account": {
        "EXPORT_SECONDS": 60,  # an export a minute
    },
    "serving.api.admin": {
        "_LONGEST_REASON": 500,
        "MOST_LETTERS": 100,
        "MOST_MOVES": 10,
    },
    "serving.api.admin_explanation": {
        "MOST_CANDIDATES": 200,
    },
    "serving.api.cors": {
        "_PREFLIGHT_SECONDS": 600,
    },
    "serving.api.feed": {
        "_MOST_VERSIONS": 4,
    },
    "serving.api.fields": {
        "_CLOCK_SKEW": timedelta(minutes=5),  # clocks of clients
    },
    "serving.api.idempotency": {
        "_RUNNING_SECONDS": 60,  # a request that died frees its key
    },
    "serving.api.notifications": {
        "_LOOK_SECONDS": 15.0,  # proxies close silent streams after 60 s or less
    },
    "serving.api.photos": {
        "_COPY_ATTEMPTS": 3,
        "_STATUS_FAST_TURNS": 40,
        "_STATUS_POLL_SECONDS": 0.25,
        "_STATUS_SILENT_TURNS": 15,  # proxies close silent streams
        "_STATUS_SLOW_SECONDS": 1.0,
        "_STATUS_TURNS": 210,
    },
    "serving.api.problems": {
        "_MAX_FIELD_ERRORS": 20,
    },
    "serving.api.rank": {
        "_LARGEST": 1e30,  # of a feature: float32
        "_MOST_FEATURES": 100,
        "_NAMED": 5,
    },
    "serving.app": {
        "BODY_SECONDS": 30.0,
        "MAX_BODY_BYTES": 2**20,
    },
    "serving.bootstrap": {
        "FEATURE_SECONDS": 0.5,
        "REDIS_SECONDS": 1.0,
    },
    "serving.commands": {
        "_HEADER_BYTES": 64 * 2**10,
        "_HEADER_SECONDS": 15,
    },
    "serving.engagement.actions": {
        "FUTURE_LIMIT": timedelta(minutes=5),
        "IMPORT_PAST_LIMIT": timedelta(days=90),
    },
    "serving.engagement.recorder": {
        "_ATTEMPTS": 5,
    },
    "serving.feed.arrivals": {
        "DEPTH": 50,  # clients show "50+" for more
    },
    "serving.feed.chain": {
        "MOST_SHOWN": 10_000,
    },
    "serving.feed.dislikes": {
        "HALF_LIFE_SECONDS": 30 * 86_400.0,
        "LARGEST_SKIP_WEIGHT": 0.5,
        "LATEST": 200,
        "SKIP_WEIGHT": 0.1,
        "UNFOLLOW_WEIGHT": 1.0,
    },
    "serving.feed.given": {
        "MOST_GIVEN": 2_000,
        "SHORTEST": 30,
    },
    "serving.feed.pipeline": {
        "EXPLORE_CANDIDATE_SHARE": 0.2,
        "POSTGRES_SECONDS": 2.0,
        "SHORTEST_SLATE": 30,
        "SLATE_LENGTH": 150,
        "SOURCE_SECONDS": 0.5,
    },
    "serving.feed.reasons": {
        "HOT_LIKES": 5.0,
        "OFTEN_LIKED_RATE": 0.25,
        "STRONG_TOPIC_RATE": 0.35,
    },
    "serving.feed.rerankers.author_spacing": {
        "MAX_IN_A_ROW": 2,
    },
    "serving.feed.rerankers.explore_slots": {
        "TEMPERATURE": 1.0,
    },
    "serving.feed.rerankers.freshness": {
        "HALF_LIFE_MS": 6 * 3600 * 1000.0,
        "MAX_GAIN": 0.15,
    },
    "serving.feed.rerankers.near_duplicates": {
        "MAX_DIFFERENT_BITS": 6,
    },
    "serving.feed.rerankers.shown_less": {
        "ALIKE_LOSS": 2.0,
        "AUTHOR_LOSS": 2.0,
        "ENOUGH_OTHERS": 30,
        "FLAGGED_FROM": 1.0,
        "LARGEST_TOPIC_LOSS": 1.0,
        "LEFT_OUT_FROM": 1.5,
        "TOPIC_LOSS": 0.3,
    },
    "serving.feed.served_log": {
        "MAX_PAGES": 10_000,
    },
    "serving.feed.slate": {
        "KEPT_SECONDS": 10 * 60,
    },
    "serving.feed.sources.items": {
        "_DEPTH": 5_000,
    },
    "serving.feed.sources.pools": {
        "FRESH_DEPTH": 500,
    },
    "serving.feed.sources.postgres": {
        "_DEPTH": 2_000,
        "_NEWEST_PER_AUTHOR": 20,
    },
    "serving.feed.sources.taste": {
        "MAX_LIKED": 10,
        "MAX_TOPICS": 3,
    },
    "serving.identities": {
        "_LONGEST_HANDLE": 30,
        "_LONGEST_NAME": 80,
        "_SHORTEST_HANDLE": 2,
    },
    "serving.image_addresses": {
        "VALID_SECONDS": 24 * 3600,
    },
    "serving.items": {
        "MOST_ITEMS": 500,
    },
    "serving.log_writer": {
        "PATIENCE_SECONDS": 2.5,  # requests are refused within 3 s
    },
    "serving.model_slot": {
        "FIRST_LOOK_SECONDS": 15.0,
    },
    "serving.notification_signals": {
        "MOST_STREAMS": 10,
    },
    "serving.notifications": {
        "ACTORS_SHOWN": 3,
    },
    "serving.oidc": {
        "_DEFAULT_LIFETIME": 3_600,
        "_KEPT_SECONDS": 3_600.0,
        "_LEEWAY_SECONDS": 60,
        "_SHORTEST_LIFETIME": 30,
        "_TIMEOUT_SECONDS": 5.0,
    },
    "serving.rate_limits": {
        "LOCAL_SHARE": 0.1,
        "MAX_KEYS": 100_000,
        "SYNC_SECONDS": 0.2,
    },
    "serving.reads": {
        "_SECONDS": 10.0,  # of a statement
    },
    "serving.session_cookies": {
        "SIGN_IN_SECONDS": 600,
    },
    "serving.sessions": {
        "_EXPIRED_AT_ONCE": 100,
        "_NONCE_BYTES": 12,
        "_SECRET_BYTES": 32,
        "_TOKEN_FRESH_SECONDS": 60,
    },
    "serving.streams": {
        "_RETRY_SECONDS": 5,
    },
}


@pytest.mark.parametrize("module", LIMITS)
def test_the_limits_of_a_module_are_these(module: str) -> None:
    assert values_of(module, LIMITS[module]) == LIMITS[module]


def test_repeating_the_author_costs_more_than_the_topic_and_that_more_than_the_kind() -> None:
    penalties = [(one.step, one.shrink) for one in (SAME_AUTHOR, SAME_TOPIC, SAME_KIND)]
    assert penalties == [(0.5, 0.7), (0.1, 0.9), (0.03, 0.97)]
