"""Everything that must hold of the whole protocol after every block; tests and tools run it."""

from collections.abc import Callable, Sequence
from typing import Any

from flux.contracts.accounts import invariants as accounts
from flux.contracts.accounts.contract import Accounts
from flux.contracts.apps import invariants as apps
from flux.contracts.apps.contract import Apps
from flux.contracts.escrow import invariants as escrow
from flux.contracts.escrow.contract import Escrow
from flux.contracts.market import invariants as market
from flux.contracts.market.contract import Market
from flux.contracts.nodes import invariants as nodes
from flux.contracts.nodes.contract import Nodes
from flux.contracts.probes import invariants as probes
from flux.contracts.probes.contract import Probes
from flux.contracts.secrets import invariants as secrets
from flux.contracts.secrets.contract import Secrets
from flux.kernel.contract import Contract

Check = Callable[[Any], list[str]]
CHECKS: dict[type[Contract], Check] = {
    Accounts: accounts.check,
    Nodes: nodes.check,
    Apps: apps.check,
    Market: market.check,
    Escrow: escrow.check,
    Secrets: secrets.check,
    Probes: probes.check,
}


def check(contracts: Sequence[Contract]) -> list[str]:
    """Violations as sentences, each with the contract's name."""
    return [f"{contract.name}: {problem}" for contract in contracts for problem in CHECKS[type(contract)](contract)]
