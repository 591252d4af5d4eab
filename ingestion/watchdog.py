"""Ends a worker that is stuck, so that its supervisor starts it again. Nothing is lost: work is repeated."""

import faulthandler
import os
import threading

import structlog

from ingestion.progress import Progress

log = structlog.get_logger(__name__)

STUCK_EXIT_CODE = 70
_LOOK_SECONDS = 1.0


def watch(progress: Progress, stop: threading.Event) -> None:
    """End the process when the worker is stuck; returns when `stop` is set."""
    while not stop.wait(_LOOK_SECONDS):
        reason = progress.stuck()
        if reason is not None:
            log.error("worker is stuck: the process ends, to be started again", reason=reason)
            faulthandler.dump_traceback()  # where it is stuck
            os._exit(STUCK_EXIT_CODE)
