"""Set up everything that the other targets need. Repeatable; a second run takes about a second.

Run by `tools/setup` with a plain Python, before `.venv` exists.
"""

import fcntl
import subprocess

from tools.cometbft import install_cometbft
from tools.debian import install_programs, missing_programs
from tools.environment import install_environment
from tools.errors import ToolError, run_tool
from tools.paths import ROOT, STATE, VENV_PYTHON


def main() -> int:
    """Programs, Python packages, the consensus engine, container images: each only when absent or out of date."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = missing_programs()
        if missing:
            install_programs(missing)
        install_environment()
        install_cometbft()
        _build_images()
    return 0


def _build_images() -> None:
    """In the environment just made, because that is where everything after setup runs."""
    if subprocess.run([str(VENV_PYTHON), "-m", "tools.images"], cwd=ROOT, check=False).returncode != 0:
        raise ToolError("The container images could not be built (above).")


if __name__ == "__main__":
    run_tool(main)
