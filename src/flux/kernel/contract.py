"""The base of every native contract and the decorators that declare its methods.

Gas, mutability and activation fork sit on the method; ABI, selectors and dispatch derive from annotations, so there is
one truth. A method body reads checks → charge → effects → events.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, ClassVar, TypeVar, get_type_hints

from flux.kernel.abi_types import abi_type, camel, from_abi, output_kinds, to_abi
from flux.kernel.context import GOVERNANCE_ADDRESS, Context, Host
from flux.kernel.errors import BadArguments, NotPayable, Revert, Unauthorized, UnknownMethod
from flux.kernel.events import Event
from flux.primitives import abi
from flux.primitives.types import Address, Wei

F = TypeVar("F", bound=Callable[..., Any])


class Mutability(StrEnum):
    """As in a Solidity ABI."""

    VIEW = "view"
    NONPAYABLE = "nonpayable"
    PAYABLE = "payable"


class Declaration:
    """What a decorator says about a method."""

    __slots__ = ("fork", "gas", "governed", "lane", "mutability")

    def __init__(self, gas: int, mutability: Mutability, *, lane: bool, governed: bool, fork: int) -> None:
        self.gas = gas
        self.mutability = mutability
        self.lane = lane
        self.governed = governed
        self.fork = fork

    def check(self, context: Context) -> None:
        """Raise NotPayable or Unauthorized when the method is not open to such a call."""
        if context.value and self.mutability is not Mutability.PAYABLE:
            raise NotPayable(Wei(context.value))
        if self.governed and context.sender != GOVERNANCE_ADDRESS:
            raise Unauthorized(context.sender, GOVERNANCE_ADDRESS)


def method(
    *, gas: int, payable: bool = False, lane: bool = False, governed: bool = False, fork: int = 0
) -> Callable[[F], F]:
    """Declare a transaction method.

    `gas` is charged on top of calldata and stored bytes. `lane` opens the protocol lane: an agent's report that
    succeeds costs no fee, and one that would fail is not included in a block at all. `governed` closes the method to
    everybody but the Governor, which may call nothing else. `fork` is the upgrade that brought the method.
    """
    mutability = Mutability.PAYABLE if payable else Mutability.NONPAYABLE
    return _declare(Declaration(gas, mutability, lane=lane, governed=governed, fork=fork))


def view(*, gas: int = 3_000, fork: int = 0) -> Callable[[F], F]:
    """Declare a read-only method."""
    return _declare(Declaration(gas, Mutability.VIEW, lane=False, governed=False, fork=fork))


def scheduled(kind: int) -> Callable[[F], F]:
    """Declare the handler `(self, context, subject: int)` of this contract's scheduled work of one kind."""

    def mark(function: F) -> F:
        function.__flux_scheduled__ = kind  # type: ignore[attr-defined]
        return function

    return mark


def _declare(declaration: Declaration) -> Callable[[F], F]:
    def mark(function: F) -> F:
        function.__flux_method__ = declaration  # type: ignore[attr-defined]
        return function

    return mark


class Method:
    """One ABI method: names, types, codecs."""

    __slots__ = (
        "_decode",
        "_encode",
        "_from",
        "_is_several",
        "_to",
        "arguments",
        "attribute",
        "declaration",
        "name",
        "returns",
        "selector",
        "signature",
    )

    def __init__(self, attribute: str, function: Callable[..., Any], declaration: Declaration) -> None:
        hints = get_type_hints(function)
        returns = hints.pop("return", None)
        self.attribute = attribute
        self.declaration = declaration
        self.name = camel(attribute)
        self.arguments: dict[str, object] = {k: v for k, v in hints.items() if v is not Context}
        self.returns: object | None = None if returns is type(None) else returns
        types = tuple(abi_type(kind) for kind in self.arguments.values())
        self.signature = f"{self.name}({','.join(types)})"
        self.selector = abi.selector(self.signature)
        self._decode = abi.codec(types)
        self._from = [from_abi(kind) for kind in self.arguments.values()]
        outputs = output_kinds(self.returns)
        self._encode = abi.codec(tuple(abi_type(kind) for kind in outputs.values())) if outputs else None
        self._is_several = "" not in outputs
        self._to = None if self.returns is None else to_abi(self.returns)

    def decode_arguments(self, data: bytes) -> list[Any]:
        """Arguments from call data without the selector. Raises BadArguments."""
        try:
            values = self._decode.decode(data)
            return [v if convert is None else convert(v) for v, convert in zip(values, self._from, strict=True)]
        except (abi.AbiError, ValueError) as error:
            raise BadArguments(str(error)) from error

    def encode_result(self, result: Any) -> bytes:
        """Return data of a result."""
        if self._encode is None:
            return b""
        value = result if self._to is None else self._to(result)
        return self._encode.encode(value if self._is_several else [value])


class Contract:
    """Base of native contracts. A subclass names its events and errors and is built with its host and its ports."""

    name: ClassVar[str]
    address: ClassVar[Address]
    events: ClassVar[tuple[type[Event], ...]] = ()
    errors: ClassVar[tuple[type[Revert], ...]] = ()
    methods: ClassVar[dict[bytes, Method]] = {}
    schedule_handlers: ClassVar[dict[int, str]] = {}

    def __init__(self, host: Host) -> None:
        self.host = host

    def __init_subclass__(cls) -> None:
        methods, handlers = dict(cls.methods), dict(cls.schedule_handlers)
        for attribute, function in vars(cls).items():
            if (declaration := getattr(function, "__flux_method__", None)) is not None:
                declared = Method(attribute, function, declaration)
                methods[declared.selector] = declared
            if (kind := getattr(function, "__flux_scheduled__", None)) is not None:
                handlers[kind] = attribute
        cls.methods = dict(sorted(methods.items()))
        cls.schedule_handlers = handlers

    @classmethod
    def find_method(cls, data: bytes) -> Method | None:
        """The method that call data names."""
        return cls.methods.get(data[:4])

    def call(self, context: Context, data: bytes) -> bytes:
        """Run a call as it came from the wire and return its result. Raises Revert; the caller drops the overlay."""
        declared = self.find_method(data)
        if declared is None:
            raise UnknownMethod(data[:4])
        declared.declaration.check(context)
        result = getattr(self, declared.attribute)(context, *declared.decode_arguments(data[4:]))
        return declared.encode_result(result)

    def run_scheduled(self, context: Context, kind: int, subject: int) -> None:
        """Run the handler of due work. Raises KeyError for a kind that no handler declares, which means a bug."""
        getattr(self, self.schedule_handlers[kind])(context, subject)
