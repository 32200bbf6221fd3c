"""What a proposal can do, as calls of the contracts' governed methods, and such calls in words again."""

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

from flux.primitives import abi
from flux.primitives.types import Address
from flux.sdk.call import Call

_CONTRACTS = ("accounts", "oracle", "parameters", "policy")


class Action(NamedTuple):
    """One call of a proposal."""

    target: Address
    data: bytes


def action(contract: str, name: str, *arguments: object) -> Action:
    """A call of a contract's method by its name on the wire: `action("parameters", "setParameter", path, value)`."""
    call = next(item for item in _calls(contract).values() if item.name == name)
    return Action(call.contract, call.encode(*arguments))


def words(made: Action) -> str:
    """The call as it would be written: `parameters.setParameter("market.exclusion", 90)`."""
    for contract in _CONTRACTS:
        call = _calls(contract).get(made.data[:4])
        if call is not None and call.contract == made.target:
            try:
                arguments = ", ".join(_word(value) for value in call.decode_arguments(made.data[4:]))
            except abi.AbiError:
                break
            return f"{contract}.{call.name}({arguments})"
    return f"0x{made.target.hex()}: 0x{made.data.hex()}"


def _word(value: object) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return f'"{value}"' if isinstance(value, str) else str(value)


@cache
def _calls(contract: str) -> dict[bytes, Call]:
    module: ModuleType = import_module(f"flux.sdk.bindings.{contract}")
    return {item.selector: item for item in vars(module).values() if isinstance(item, Call)}
