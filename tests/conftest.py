"""Shared by all tests: the tests folder itself is importable, so that `support` can be."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
