"""Run all the tests: the quick ones first and in parallel, then the rest one by one, and one closing line for both.

The closing line (`N passed, N failed`) is also left in `.flux/tests/closing-line` for `.ci/run`. The exit status is 0
only if something ran and nothing failed.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tools.errors import run_tool
from tools.paths import ROOT, STATE

REPORTS = STATE / "tests"
CLOSING_LINE = REPORTS / "closing-line"
QUICK = ("unit", "property", "simulation")
"""What runs in parallel: it needs processors alone, no engine and no time on a clock."""
ORDER = ("vectors", "ports", "e2e")
"""Of the other directories, the quicker first; any that is not named here comes last."""
_INTERRUPTED = 2


@dataclass(frozen=True, slots=True)
class Count:
    """How many tests ended how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def closing_line(self) -> str:
        """The line that test runners end with."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def main() -> int:
    """Run both phases, whatever the first one gives, and print the closing line."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    CLOSING_LINE.unlink(missing_ok=True)
    count = Count()
    for name, directories, options in _phases(ROOT / "tests"):
        report = REPORTS / f"{name}.xml"
        report.unlink(missing_ok=True)
        status = _run_pytest(directories, [*options, f"--junitxml={report}"])
        count += phase_count(report, status)
        if status == _INTERRUPTED:
            break
    CLOSING_LINE.write_text(f"{count.closing_line()}\n", encoding="ascii")
    print(f"\n{count.closing_line()}", flush=True)
    return 0 if count.passed and not count.failed else 1


def phase_count(report: Path, status: int) -> Count:
    """What pytest reported; a phase that ended badly for any other reason than its tests counts as one failure."""
    count = read_report(report) if report.exists() else Count()
    if status != 0 and count.failed == 0:
        count += Count(failed=1)
    return count


def read_report(report: Path) -> Count:
    """The sums of a JUnit report. Errors outside of tests (a module that cannot be imported) are failures."""
    count = Count()
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        tests, failures, errors, skipped = (
            int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")
        )
        failed = failures + errors
        count += Count(max(tests - failed - skipped, 0), failed, skipped)
    return count


def _phases(tests: Path) -> list[tuple[str, list[Path], list[str]]]:
    present = {path.name for path in tests.iterdir() if any(path.rglob("test_*.py"))}
    quick = [tests / name for name in QUICK if name in present]
    others = sorted(
        present - set(QUICK), key=lambda name: (name not in ORDER, name in ORDER and ORDER.index(name), name)
    )
    phases = [
        ("quick", quick, ["--numprocesses=auto", "--dist=worksteal"]),
        ("rest", [tests / name for name in others], []),
    ]
    return [phase for phase in phases if phase[1]]


def _run_pytest(directories: Sequence[Path], options: Sequence[str]) -> int:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--quiet",
        "--durations=5",
        "-m",
        "not slow",
        *options,
        *map(str, directories),
    ]
    return run_interruptible(command)


def run_interruptible(command: Sequence[str]) -> int:
    """Run a command to its end and return its status; SIGTERM to this process interrupts it, as Ctrl-C would.

    So tests stop what they started, instead of going on without anybody who waits for them.
    """
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL) as process:
        before = signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))
        try:
            return process.wait()
        finally:
            signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    run_tool(main)
