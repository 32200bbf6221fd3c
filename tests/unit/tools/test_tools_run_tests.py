"""What the closing line of the test run says, and when it must say that something failed."""

from pathlib import Path

from tools.run_tests import Count, phase_count, read_report

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
