"""One contract method as a client sees it; the generated bindings are lists of these."""

from collections.abc import Sequence
from typing import Any

from flux.kernel.abi_types import abi_type, from_abi, output_kinds, to_abi
from flux.primitives import abi
from flux.primitives.types import Address


class Call:
    """Encodes a method's arguments and decodes its result."""

    __slots__ = ("_arguments", "_codec", "_is_several", "_result", "_returns", "contract", "lane", "name", "selector")

    def __init__(
        self, contract: Address, name: str, arguments: Sequence[object], returns: object | None, *, lane: bool = False
    ) -> None:
        self.contract = contract
        self.name = name
        self.lane = lane
        types = tuple(abi_type(kind) for kind in arguments)
        self.selector = abi.selector(f"{name}({','.join(types)})")
        self._codec = abi.codec(types)
        self._arguments = [to_abi(kind) for kind in arguments]
        outputs = output_kinds(returns)
        self._returns = abi.codec(tuple(abi_type(kind) for kind in outputs.values())) if outputs else None
        self._is_several = "" not in outputs
        self._result = None if returns is None else from_abi(returns)

    def encode(self, *values: object) -> bytes:
        """Call data."""
        plain = [
            value if convert is None else convert(value) for value, convert in zip(values, self._arguments, strict=True)
        ]
        return self.selector + self._codec.encode(plain)

    def decode_arguments(self, data: bytes) -> list[Any]:
        """The arguments of call data without its selector, as the ABI has them. Raises AbiError."""
        return list(self._codec.decode(data))

    def decode(self, data: bytes) -> Any:
        """The typed result."""
        if self._returns is None:
            return None
        values = self._returns.decode(data)
        value = values if self._is_several else values[0]
        return value if self._result is None else self._result(value)
