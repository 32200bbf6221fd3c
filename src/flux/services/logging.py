"""Logs of our processes: one line an event on stderr, a fixed sentence and key=value facts."""

import os
import sys

import structlog

FORMAT_VARIABLE = "FLUX_LOG_FORMAT"
"""`json` for one JSON object a line; anything else for people."""


def configure_logging() -> None:
    """Set up structlog for a service process."""
    renderer: structlog.typing.Processor
    if os.environ.get(FORMAT_VARIABLE) == "json":
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"], drop_missing=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=_stderr_logger,
        cache_logger_on_first_use=False,
    )


def _stderr_logger(*_: object) -> structlog.PrintLogger:
    """A logger on what is stderr now: whoever redirected it for a while may have closed the file since."""
    return structlog.PrintLogger(sys.stderr)
