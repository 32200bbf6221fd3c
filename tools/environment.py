"""The Python environment `.venv`, made from the hashed lock, and made again only when the lock has changed."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tools.debian import install_packages
from tools.errors import ToolError
from tools.paths import DEVELOPMENT_LOCK, ROOT, VENV, VENV_PYTHON

_STAMP = VENV / "installed-from"


def fingerprint(lock: Path, project: Path) -> str:
    """What an environment was made from: interpreter, lock and project file."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (lock, project):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def install_environment() -> None:
    """Bring `.venv` to what the lock says; returns at once when it is there already."""
    wanted = fingerprint(DEVELOPMENT_LOCK, ROOT / "pyproject.toml")
    if _STAMP.is_file() and _STAMP.read_text(encoding="ascii") == wanted and _is_working():
        return
    if not _is_working():
        _create()
    print("Installing Python packages from requirements-dev.lock", flush=True)
    # The lock is whole, so nothing is left to resolve; modules are compiled when they are first imported.
    _pip("--require-hashes", "--no-deps", "--no-compile", "--requirement", str(DEVELOPMENT_LOCK))
    # The lock has the build backend too, so that nothing is fetched here without a hash.
    _pip("--no-deps", "--no-build-isolation", "--no-index", "--editable", str(ROOT))
    _STAMP.write_text(wanted, encoding="ascii")


def _is_working() -> bool:
    if not VENV_PYTHON.exists():
        return False
    probe = [str(VENV_PYTHON), "-c", "import sys, pip; print(sys.version)"]
    answer = subprocess.run(probe, capture_output=True, text=True, check=False)
    return answer.returncode == 0 and answer.stdout.strip() == sys.version.strip()


def _create() -> None:
    _check_venv_module()
    shutil.rmtree(VENV, ignore_errors=True)
    print(f"Creating .venv with Python {sys.version.split()[0]}", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise ToolError(f"Python could not make .venv: {(made.stderr or made.stdout).strip()}")


def _check_venv_module() -> None:
    """Debian splits `venv` from Python: bring the package that has it."""
    probe = [sys.executable, "-c", "import ensurepip, venv"]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return
    name = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    install_packages([name], f"the venv module of {sys.executable}")


def _pip(*arguments: str) -> None:
    command = [str(VENV_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        raise ToolError("pip failed (above). Check that a Python package index can be reached, then try again.")
