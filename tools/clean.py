"""Remove everything that the other targets made: `.venv`, `.flux`, caches. Uses the system's Python, not `.venv`'s."""

import shutil

from tools.dockerd import Daemon
from tools.errors import ToolError, run_tool
from tools.paths import ROOT, STATE, VENV

_CACHES = ("build", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache", ".coverage")


def main() -> int:
    """Refuse while the private Engine of this checkout runs: its files are mounted."""
    if Daemon(STATE / "engine").is_answering():
        raise ToolError("The Docker Engine of this checkout is in use. End the command that uses it, then clean again.")
    for path in (VENV, STATE, *(ROOT / name for name in _CACHES)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for directory in ("src", "tests", "tools", "bench", "examples"):
        for path in [*(ROOT / directory).rglob("__pycache__"), *(ROOT / directory).glob("*.egg-info")]:
            shutil.rmtree(path)
    return 0


if __name__ == "__main__":
    run_tool(main)
