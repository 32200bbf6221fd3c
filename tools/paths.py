"""Where things lie in the checkout. Everything that a tool makes goes under `.venv` or `.flux`, both ignored by git."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

STATE = ROOT / ".flux"
"""What tools keep between runs: the private Engine's data, built images, test reports."""

VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
DEVELOPMENT_LOCK = ROOT / "requirements-dev.lock"
RUNTIME_LOCK = ROOT / "requirements.lock"
