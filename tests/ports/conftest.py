"""Adapters that need a real engine get it from here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from support.engine_fixture import busybox, engine, registry
from support.runtime_lab import lab

__all__ = ["busybox", "engine", "lab", "registry"]
