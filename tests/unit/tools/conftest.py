"""The tools are a package of the checkout and not of `flux`: make them importable however pytest is started."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
