"""Limits that clients and operators rely on and that no document of the API states: a change is made here, too."""

from datetime import timedelta
from importlib import import_module

import pytest

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
}


@pytest.mark.parametrize("module", LIMITS)
def test_the_limits_of_a_module_are_these(module: str) -> None:
    found = vars(import_module(module))
    assert {name: found[name] for name in LIMITS[module]} == LIMITS[module]
