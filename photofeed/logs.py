"""Logs: one line per event, JSON in production and readable text in development."""

import logging
import sys
import warnings

import structlog

from photofeed.settings import Settings
from photofeed.tracing import add_trace_ids


def set_up_logs(settings: Settings) -> None:
    """Configure structlog and the libraries' loggers; call it once per process, before anything logs."""
    production = settings.env == "production"
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *([add_trace_ids] if settings.traces_endpoint else []),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.dict_tracebacks] if production else []),
            structlog.processors.JSONRenderer()
            if production
            else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    # kafka-python warns about delays of a tenth of a second on a busy machine, and about its own deprecated imports
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="kafka|importlib")
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
