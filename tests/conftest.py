"""Shared by all tests: `support` and `tools` can be imported; random tests do not judge the machine."""

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples each time, so that a change is not blamed for what another draw finds; `make soak` draws new ones.
settings.register_profile("flux", settings.get_profile("explore"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "flux"))
