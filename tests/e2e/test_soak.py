"""A cloud of hosts under random faults, judged by a model: three minutes here, twenty in `make soak`, which also looks
for whatever grows where nothing fails.

The three minutes draw the same faults each time, so that a change is not blamed for what another draw finds; the twenty
draw new ones. `FLUX_SOAK_SEED` plays a run again, as far as the machine allows.
"""

import os
import random

import pytest
from tools.paths import STATE

from support.soak.play import play, work

pytestmark = [pytest.mark.e2e, pytest.mark.docker]
SHORT, LONG, WORKING = 180, 1200, 900
SEED = "7"


def seed(usual: str) -> int:
    return int(os.environ.get("FLUX_SOAK_SEED", usual))


async def test_a_cloud_survives_three_minutes_of_random_faults() -> None:
    story = await play(STATE / "soak", seed(SEED), SHORT)
    assert story.broken == [], story.summary()
    assert story.played
    assert story.drains


@pytest.mark.slow
async def test_a_cloud_survives_twenty_minutes_of_random_faults() -> None:
    story = await play(STATE / "soak", seed(str(random.SystemRandom().randrange(1_000_000))), LONG)
    assert story.broken == [], story.summary()
    assert story.played
    assert story.drains


@pytest.mark.slow
async def test_no_process_holds_more_and_more_while_instances_come_and_go() -> None:
    story = await work(STATE / "soak", WORKING)
    assert story.turns
    assert story.broken == [], story.summary()
