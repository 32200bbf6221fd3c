"""Flux: a cloud that nobody owns. Start at ARCHITECTURE.md; packages import only downwards (see `[tool.importlinter]`)."""

__version__ = "0.1.0"
