"""Containers on a Docker Engine."""

from flux.runtime.docker.engine import DockerRuntime

__all__ = ["DockerRuntime"]
