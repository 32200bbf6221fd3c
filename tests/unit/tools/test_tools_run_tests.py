"""What the closing line of the test run says, and when it must say that something failed."""

import os
import signal
import sys
import threading
from pathlib import Path

from tools.run_tests import Count, phase_count, read_report, run_interruptible

REPORT = """<?xml version="1.0"?>
<testsuites><testsuite name="pytest" tests="7" failures="1" errors="1" skipped="2"/></testsuites>
"""


def test_a_report_is_summed_with_errors_as_failures(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    assert read_report(report) == Count(passed=3, failed=2, skipped=2)


def test_a_run_that_left_no_report_counts_as_a_failure(tmp_path: Path) -> None:
    assert phase_count(tmp_path / "none.xml", status=4) == Count(failed=1)


def test_a_run_that_collected_nothing_counts_as_a_failure(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="0" failures="0" errors="0" skipped="0"/></testsuites>')
    assert phase_count(report, status=5) == Count(failed=1)


def test_the_closing_line_names_skipped_tests_only_when_there_are_some() -> None:
    assert Count(12, 0).closing_line() == "12 passed, 0 failed"
    assert (Count(12, 1) + Count(1, 1, 3)).closing_line() == "13 passed, 2 failed, 3 skipped"


def test_a_run_that_is_told_to_end_lets_its_tests_stop_what_they_started(tmp_path: Path) -> None:
    ready, cleaned = tmp_path / "ready", tmp_path / "cleaned"
    os.mkfifo(ready)
    code = (
        "import pathlib, signal, sys\n"
        "try:\n"
        f"    pathlib.Path({str(ready)!r}).write_text('ready')\n"
        "    signal.pause()\n"
        "except KeyboardInterrupt:\n"
        f"    pathlib.Path({str(cleaned)!r}).touch()\n"
        "    sys.exit(2)\n"
    )

    def end_once_ready() -> None:
        ready.read_text()
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    ending = threading.Thread(target=end_once_ready)
    ending.start()
    assert run_interruptible([sys.executable, "-c", code]) == 2
    ending.join()
    assert cleaned.exists()
    assert signal.getsignal(signal.SIGTERM) is before
