"""The mass-failure brake as people and scripts are told of it: that it holds, why, and until about when."""

import time
from dataclasses import dataclass
from typing import Any

from flux.cli import format as show
from flux.cli.lookup import protocol_now
from flux.contracts.probes.types import BrakeInfo
from flux.sdk.bindings.probes import Probes
from flux.sdk.client import FluxClient

MINUTE = 60


@dataclass(frozen=True, slots=True)
class HeldBrake:
    """A brake that holds."""

    info: BrakeInfo
    held_for: int
    """Seconds."""
    asked_at: float
    """This machine's time."""

    @property
    def left(self) -> int:
        """Seconds that it holds at most if nothing new happens: each node that waits has its turn, and doubts of the
        last minute are forgotten."""
        per_minute = self.info.brake.per_minute
        return max(MINUTE, -(-self.info.waiting * MINUTE // per_minute)) if per_minute else MINUTE

    @property
    def until(self) -> float:
        """This machine's time."""
        return self.asked_at + self.left

    @property
    def sentence(self) -> str:
        """For people."""
        brake = self.info.brake
        return (
            f"the mass-failure brake holds since {_clock(self.asked_at - self.held_for)}, until about "
            f"{_clock(self.until)}: so many of {show.count(brake.fleet, 'node')} are out of reach at once that the "
            f"fault is taken to be the network's; instances of {show.count(self.info.waiting, 'node')} wait, "
            f"{show.count(brake.per_minute, 'node')} a minute gets its turn, and who returns before keeps them"
        )

    @property
    def document(self) -> dict[str, Any]:
        """For scripts."""
        brake = self.info.brake
        return {
            "since": round(self.asked_at - self.held_for),
            "until": round(self.until),
            "held_seconds": self.held_for,
            "seconds_left": self.left,
            "fleet": brake.fleet,
            "per_minute": brake.per_minute,
            "doubted": self.info.doubted,
            "waiting": self.info.waiting,
            "sentence": self.sentence,
        }


async def find_brake(client: FluxClient) -> HeldBrake | None:
    """The brake, while it holds."""
    info = await Probes(client).brake()
    if not info.brake.since:
        return None
    return HeldBrake(info, await protocol_now(client) - info.brake.since, time.time())


def document_of(brake: HeldBrake | None) -> dict[str, Any] | None:
    """For scripts; None while it does not hold."""
    return None if brake is None else brake.document


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))
