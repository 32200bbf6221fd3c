"""Containers on a Docker Engine."""

from flux.runtime.docker.adapter import DockerRuntime

__all__ = ["DockerRuntime"]
