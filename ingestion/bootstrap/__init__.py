"""Builds the workers from the settings, and closes what it built.

A worker's file is imported only to build that worker: a photo worker holds none of the libraries of the lake.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import cast

from photofeed.settings import Settings

Run = Callable[[], None]
Builder = Callable[[Settings, threading.Event], AbstractContextManager[Run]]

# Every worker there is, and the file here that builds it, by a function of the worker's name.
_FILES = {
    "relay": "outbox",
    "photos": "photos",
    "zoom": "photos",
    "features": "engagement",
    "fanout": "feeds",
    "archive": "history",
    "purge": "removal",
    "removal": "removal",
    "sweeper": "removal",
    "pools": "feeds",
}


def open_worker(name: str, settings: Settings, stop: threading.Event) -> AbstractContextManager[Run]:
    """The worker `name`, ready to run until `stop` is set."""
    builder = cast("Builder", getattr(import_module(f"{__name__}.{_FILES[name]}"), name))
    return builder(settings, stop)
