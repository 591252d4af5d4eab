"""Logs: one line per event, JSON in production and readable text in development."""

import logging
import sys
import warnings
from typing import TextIO, cast

import structlog
import structlog.tracebacks
from prometheus_client import Counter

from photofeed.settings import Settings
from photofeed.tracing import add_trace_ids

# Variables of the functions of a traceback stay out of the log: they hold tokens, and words of people.
TEXT = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))

FAILED_WRITES = Counter("photofeed_log_failed_writes", "Writes of log lines that failed, such as on a full disk")


class ForgivingStream:
    """A stream whose failures are counted: work that logs goes on when the disk of the logs is full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, or count the failure."""
        try:
            self._stream.write(text)
        except OSError:
            FAILED_WRITES.inc()

    def flush(self) -> None:
        """Flush, or count the failure."""
        try:
            self._stream.flush()
        except OSError:
            FAILED_WRITES.inc()


def set_up_logs(settings: Settings) -> None:
    """Configure structlog and the libraries' loggers; call it once per process, before anything logs."""
    production = settings.env == "production"
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *([add_trace_ids] if settings.traces_endpoint else []),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([_TRACEBACKS] if production else []),
            structlog.processors.JSONRenderer() if production else TEXT,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level]),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", ForgivingStream(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    # kafka-python warns about delays of a tenth of a second on a busy machine, and about its own deprecated imports
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="kafka|importlib")
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
