"""Transactions of the protocol's contracts in words."""

from functools import cache
from importlib import import_module
from typing import Any

from flux.cli import format as show
from flux.primitives.hexadecimal import from_hex, to_hex
from flux.sdk.call import Call

SYSTEM = "0xfffffffffffffffffffffffffffffffffffffffe"
_CONTRACTS = (
    "accounts",
    "apps",
    "escrow",
    "governor",
    "market",
    "nodes",
    "oracle",
    "parameters",
    "policy",
    "probes",
    "secrets",
    "votes",
)


def describe_call(transaction: dict[str, Any]) -> str:
    """What a transaction does: "apps.deploy, 100 FLUX"."""
    value, target = int(transaction["value"], 16), str(transaction["to"] or "").lower()
    if target == SYSTEM:
        return "the protocol's own work: placement, settlement, what fell due"
    data = from_hex(transaction["input"])
    contract = _methods().get(target)
    if contract is None:
        return f"sends {show.flux(value)} to {transaction['to']}"
    name, methods = contract
    amount = f", {show.flux(value)}" if value else ""
    return f"{name}.{methods.get(data[:4], 'an unknown method')}{amount}"


@cache
def _methods() -> dict[str, tuple[str, dict[bytes, str]]]:
    """Contract name and method names by selector, by address."""
    found: dict[str, tuple[str, dict[bytes, str]]] = {}
    for name in _CONTRACTS:
        module = import_module(f"flux.sdk.bindings.{name}")
        for call in (item for item in vars(module).values() if isinstance(item, Call)):
            found.setdefault(to_hex(call.contract), (name, {}))[1][call.selector] = call.name
    return found
