"""Shared by all tests: `support` and `tools` can be imported; random tests do not judge the machine."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("flux", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flux")
