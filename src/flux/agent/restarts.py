"""When a stopped component is started again: back-off 0, 30 s, 5, 15, 30 min, forgotten after 10 stable minutes."""

from dataclasses import dataclass

BACK_OFF = (0.0, 30.0, 300.0, 900.0, 1800.0)
"""Seconds to wait before the 1st, 2nd, … restart; the last one repeats."""
STABLE = 600.0
"""Seconds of running after which earlier crashes are forgotten."""


@dataclass(frozen=True, slots=True)
class Crashes:
    """How often a component stopped against its will, and when it last did."""

    count: int = 0
    last_at: float = 0.0
    """By the agent's monotonic clock."""
    unhealthy: bool = False
    """Whether the agent ended the last run because its health checks failed."""

    def record(self, now: float, ran: float, *, unhealthy: bool = False) -> "Crashes":
        """One more end, of a run of so many seconds."""
        return Crashes(1 if ran >= STABLE else self.count + 1, now, unhealthy)

    def restart_at(self) -> float:
        """Earliest time of the next start."""
        if self.count == 0:
            return 0.0
        return self.last_at + BACK_OFF[min(self.count, len(BACK_OFF)) - 1]
