"""High availability at scale: the real contracts and the agent's real plan, on a clock that the simulation moves."""
