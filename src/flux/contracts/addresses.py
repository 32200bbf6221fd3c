"""The fixed addresses of the contracts; part of the protocol."""

from flux.primitives.types import Address


def _fixed(number: int) -> Address:
    return Address(number.to_bytes(20, "big"))


ACCOUNTS = _fixed(0xF100)
NODES = _fixed(0xF101)
APPS = _fixed(0xF102)
MARKET = _fixed(0xF103)
ESCROW = _fixed(0xF104)
SECRETS = _fixed(0xF105)
PROBES = _fixed(0xF106)
VALIDATORS = _fixed(0xF107)
STAKING = _fixed(0xF108)
REWARDS = _fixed(0xF109)
GOVERNOR = _fixed(0xF10B)
"""Also `kernel.context.GOVERNANCE_ADDRESS`."""
ORACLE = _fixed(0xF10C)
PARAMETERS = _fixed(0xF10E)
VOTES = _fixed(0xF10F)
POLICY = _fixed(0xF1FE)
SLASHING = _fixed(0xF10A)
BENCHMARKS = _fixed(0xF10D)
TREASURY = _fixed(0xF1FF)
"""Receives the protocol fee; only governance spends it."""
