"""Logs of our processes go to stderr, whatever it is at the moment."""

import io
from collections.abc import Iterator

import pytest
import structlog

from flux.services.logging import configure_logging


@pytest.fixture(autouse=True)
def _default_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_logger_outlives_the_stderr_that_it_was_first_used_with(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stderr", first)
    configure_logging()
    log = structlog.get_logger("test")
    log.info("begun", number=1)
    first.close()
    monkeypatch.setattr("sys.stderr", second)
    log.info("went on", number=2)
    line = second.getvalue()
    assert line.count("\n") == 1
    assert "event='went on'" in line
    assert "number=2" in line
