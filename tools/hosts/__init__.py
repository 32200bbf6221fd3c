"""Hosts that die one by one: network namespaces on a switch, each with an Engine, an agent and a disk of its own.

`python -m tools.hosts` keeps such a lab up for a person; `tools.hosts.lab.running_lab` is for benches and tests.
"""
