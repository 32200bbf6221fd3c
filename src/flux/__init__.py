"""Flux: a cloud that nobody owns. Start at ARCHITECTURE.md; packages import downwards only ([tool.importlinter])."""

__version__ = "0.1.0"
