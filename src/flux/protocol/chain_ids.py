"""The ids of the Flux networks (EIP-155)."""

from typing import Final

MAINNET: Final = 19167
TESTNET: Final = 19168
LOCAL: Final = 19169
"""Funds the well-known development accounts; every other id refuses them."""
