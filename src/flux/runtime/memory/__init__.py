"""Containers in memory: for tests of what drives an engine, ours and others'."""

from flux.runtime.memory.adapter import MemoryRuntime
from flux.runtime.memory.clock import Clock, ManualClock, SystemClock
from flux.runtime.memory.engine import MemoryEngine
from flux.runtime.memory.process import Process, Program, run_until_stopped

__all__ = [
    "Clock",
    "ManualClock",
    "MemoryEngine",
    "MemoryRuntime",
    "Process",
    "Program",
    "SystemClock",
    "run_until_stopped",
]
