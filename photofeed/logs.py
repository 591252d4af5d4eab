"""Logs: JSON lines in production, readable ones in development; one line an event."""

import logging
import sys
import warnings

import structlog

from photofeed.settings import Settings


def set_up_logs(settings: Settings) -> None:
    """Configure structlog and the libraries' own loggers, once a process, before anything logs."""
    production = settings.env == "production"
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
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
    # kafka-python warns of every tenth of a second that a busy machine takes from it, and of its own deprecated imports
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="kafka|importlib")
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
