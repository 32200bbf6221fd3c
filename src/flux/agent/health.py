"""The agent's own health checks: http and tcp, against the container's host port. Command checks are the engine's."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from flux.contracts.apps.types import Health
from flux.runtime.types import ContainerHealth, ContainerView


@dataclass(slots=True)
class _Track:
    container: str
    failures: int = 0
    verdict: ContainerHealth = ContainerHealth.STARTING
    next_at: float = 0.0


class HealthChecks:
    """Verdicts by container name, each check at its own interval."""

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}

    def verdicts(self) -> Mapping[str, ContainerHealth]:
        """What the checks said last."""
        return {name: track.verdict for name, track in self._tracks.items()}

    async def check_all(self, checked: Mapping[str, tuple[Health, ContainerView]], now: float) -> bool:
        """Run the checks that are due, all at once; True when a verdict changed. `checked` are running containers."""
        for name in [name for name in self._tracks if name not in checked]:
            del self._tracks[name]
        due = []
        for name, (health, view) in checked.items():
            run = f"{view.id}@{view.started_at}"
            track = self._tracks.get(name)
            if track is None or track.container != run:
                track = self._tracks[name] = _Track(run)
            if now >= track.next_at:
                due.append(self._check(track, health, view, now))
        return any(await asyncio.gather(*due))

    async def _check(self, track: _Track, health: Health, view: ContainerView, now: float) -> bool:
        before = track.verdict
        track.next_at = now + health.interval_ms / 1000
        if await _passes(health, view):
            track.failures, track.verdict = 0, ContainerHealth.HEALTHY
            return track.verdict is not before
        in_start_period = view.started_at is not None and now - view.started_at < health.start_period_ms / 1000
        if not in_start_period:
            track.failures += 1
        if track.failures >= health.retries:
            track.verdict = ContainerHealth.UNHEALTHY
        return track.verdict is not before


async def _passes(health: Health, view: ContainerView) -> bool:
    binding = next((b for b in view.bindings if b.container == health.port and b.protocol == "tcp"), None)
    if binding is None:
        return False
    try:
        async with asyncio.timeout(health.timeout_ms / 1000):
            if health.kind == "http":
                url = f"http://{binding.host_ip}:{binding.host}{health.path or '/'}"
                async with aiohttp.request("GET", url, allow_redirects=False) as response:
                    return response.status < 400
            _, writer = await asyncio.open_connection(binding.host_ip, binding.host)
            writer.close()
            await writer.wait_closed()
            return True
    except (OSError, TimeoutError, aiohttp.ClientError):
        return False
