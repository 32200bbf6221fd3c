"""Make `requirements.lock` and `requirements-dev.lock` again: `.venv/bin/python -m tools.lock [--upgrade]`.

Without --upgrade versions stay as they are where the project still allows them. The development lock also has the
build backend, so that the project itself is installed without anything that has no hash.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

from tools.errors import ToolError, run_tool
from tools.paths import DEVELOPMENT_LOCK, ROOT, RUNTIME_LOCK, VENV

_OPTIONS = ("--universal", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-header", "--quiet")


def main() -> int:
    """Compile both locks and check that they name no host."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    backend = "\n".join(project["build-system"]["requires"])
    _compile(RUNTIME_LOCK, [], "")
    _compile(DEVELOPMENT_LOCK, ["--extra", "dev", "-"], backend)
    return 0


def _compile(lock: Path, sources: list[str], standard_input: str) -> None:
    command = [str(VENV / "bin" / "uv"), "pip", "compile", *_OPTIONS, *sys.argv[1:]]
    command += ["pyproject.toml", *sources, "--output-file", lock.name]
    if subprocess.run(command, cwd=ROOT, input=standard_input, text=True, check=False).returncode != 0:
        raise ToolError("uv could not resolve the requirements (above).")
    if "://" in lock.read_text(encoding="utf-8"):
        raise ToolError(f"{lock.name} names a host. Remove the index or link that put it there.")


if __name__ == "__main__":
    run_tool(main)
