"""Rows of ports that nobody used a moment ago, for services that count upwards from a first one."""

import random

from flux.services.ports import is_free


def free_row(count: int, step: int = 1) -> int:
    """The first of `count` free ports, `step` apart, below those of containers and those that the system hands out."""
    draw = random.Random()
    while True:
        first = draw.randrange(10_000, 19_000)
        if all(is_free("127.0.0.1", first + step * index) for index in range(count)):
            return first
