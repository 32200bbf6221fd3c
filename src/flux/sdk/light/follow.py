"""From a trusted block to a newer one by the fewest blocks in between: skipping verification by bisection.

Blocks come from an endpoint that may lie; every one of them is verified before the next is, so a lie ends the walk.
"""

from collections.abc import Awaitable, Callable

from flux.sdk.light.errors import BadHeader, NotEnoughTrust
from flux.sdk.light.rules import Policy, verify
from flux.sdk.light.types import LightBlock

Fetch = Callable[[int], Awaitable[LightBlock]]
"""The light block of a height."""
MAX_FETCHED = 200
"""Blocks asked for in one walk. Each halves a gap between validator sets, so honest walks stay far below."""


async def follow(trusted: LightBlock, target: LightBlock, fetch: Fetch, now: int, policy: Policy) -> LightBlock:
    """`target` once it is verified; the same as `trusted` when they are one block. Raises a VerificationError."""
    if target == trusted:
        return trusted
    waiting = [target]
    fetched = 0
    while waiting:
        try:
            verify(trusted, waiting[-1], now, policy)
        except NotEnoughTrust:
            if fetched == MAX_FETCHED:
                raise
            height = (trusted.height + waiting[-1].height) // 2
            between = await fetch(height)
            if between.height != height:
                raise BadHeader(f"asked for block {height}, got block {between.height}") from None
            fetched += 1
            waiting.append(between)
        else:
            trusted = waiting.pop()
    return target
