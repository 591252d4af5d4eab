"""The time as one module sees it. A patch of `time.sleep` itself would reach every thread of the tests' process."""

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


def patch_time(monkeypatch: pytest.MonkeyPatch, module: ModuleType, **functions: Callable[..., Any]) -> None:
    """Replace functions of `time` in a module that uses them as `time.monotonic` and the like."""
    monkeypatch.setattr(module, "time", SimpleNamespace(**(vars(module.time) | functions)))
