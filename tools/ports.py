"""Rows of ports that nobody uses, for services that count upwards from a first one."""

import random

from flux.services.ports import free_port

METRICS = 1000
"""From a service's port to that of its metrics, where none is named."""


def free_row(count: int, step: int = 1) -> int:
    """The first of `count` ports set aside, `step` apart, below those of containers and those the system hands out."""
    draw = random.Random()
    while True:
        first = draw.randrange(10_000, 19_000)
        try:
            for index in range(count):
                free_port(port=first + step * index)
        except OSError:
            continue
        return first


def free_service_port() -> int:
    """A port set aside together with that of its metrics."""
    return free_row(2, METRICS)
