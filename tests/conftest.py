"""Shared by all tests: `support` and `tools` can be imported; random tests do not judge the machine; none hangs."""

import inspect
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
LONGEST, LONGEST_E2E, LONGEST_SLOW = 240.0, 1200.0, 3600.0
"""Seconds that a test may take: many times what it needs, so that only those reach them that wait in vain."""
# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples each time, so that a change is not blamed for what another draw finds; `make soak` draws new ones.
settings.register_profile("flux", settings.get_profile("explore"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "flux"))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Coroutines have an end; of other tests that last, `faulthandler_timeout` shows where they are."""
    from support.time_limit import limited  # once it can be found

    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        is_slow, is_e2e = (item.get_closest_marker(name) is not None for name in ("slow", "e2e"))
        item.obj = limited(item.obj, LONGEST_SLOW if is_slow else LONGEST_E2E if is_e2e else LONGEST)
