"""Builds the workers from the settings, and closes what it built.

The file of a worker is imported only to build that worker, so a photo worker loads none of the lake's libraries.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import cast

from ingestion.progress import Progress
from photofeed.settings import Settings

Run = Callable[[], None]
Builder = Callable[[Settings, threading.Event, Progress], AbstractContextManager[Run]]

# Every worker, and the file in this folder with the function of the same name that builds it.
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


def open_worker(
    name: str, settings: Settings, stop: threading.Event, progress: Progress
) -> AbstractContextManager[Run]:
    """The worker `name`, ready to run until `stop` is set. It reports to `progress`."""
    builder = cast("Builder", getattr(import_module(f"{__name__}.{_FILES[name]}"), name))
    return builder(settings, stop, progress)
