"""Ends a process when the process that started it has died: it would go on with old code and old settings."""

import multiprocessing
import os
from threading import Thread

import structlog

log = structlog.get_logger(__name__)


def end_with_parent() -> None:
    """End this process at once when its parent of `multiprocessing` dies; nothing to do in other processes.

    The parent holds one end of a pipe, so this works on every platform, and whichever thread of the parent started it.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent,), name="parent-watch", daemon=True).start()


def _end_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    log.error("the parent process has died: this process ends too", parent=parent.pid)
    os._exit(1)
