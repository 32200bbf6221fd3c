"""Events: Records whose `Indexed` fields become log topics.

Source: Solidity ABI specification, "Events"; at most three indexed fields beside the signature.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin

from flux.kernel.abi_types import abi_type, fields, from_abi, strip, to_abi
from flux.kernel.record import Record
from flux.primitives import abi
from flux.primitives.keccak import keccak256
from flux.primitives.types import Address, Hash

T = TypeVar("T")
INDEXED = "indexed"
Indexed = Annotated[T, INDEXED]


class Event(Record, frozen=True):
    """Base of every event."""


class Log(NamedTuple):
    """One log entry of a receipt."""

    address: Address
    topics: tuple[Hash, ...]
    data: bytes


def is_indexed(annotation: object) -> bool:
    """Whether a field becomes a topic."""
    return get_origin(annotation) is Annotated and INDEXED in get_args(annotation)[1:]


class EventCodec:
    """Encodes one Event class as topics and data, and back."""

    __slots__ = ("_codec", "_data", "_names", "_topics", "_write_topics", "event", "signature", "topic0")

    def __init__(self, event: type[Event]) -> None:
        self.event = event
        declared = fields(event)
        types = [abi_type(kind) for kind in declared.values()]
        self.signature = f"{event.__name__}({','.join(types)})"
        self.topic0 = keccak256(self.signature.encode())
        indexed = [(name, strip(kind)) for name, kind in declared.items() if is_indexed(kind)]
        plain = [(name, strip(kind)) for name, kind in declared.items() if not is_indexed(kind)]
        if len(indexed) > 3:
            raise TypeError(f"{event.__name__} indexes {len(indexed)} fields; Ethereum allows 3")
        self._topics = [(name, abi_type(kind)) for name, kind in indexed]
        self._write_topics = [(attrgetter(name), _topic_of(kind)) for name, kind in self._topics]
        self._data = [(attrgetter(name), to_abi(kind)) for name, kind in plain]
        self._codec = abi.codec(tuple(abi_type(kind) for _, kind in plain))
        self._names = [(name, from_abi(kind)) for name, kind in plain]

    def encode(self, address: Address, event: Event) -> Log:
        """The log entry of the event, as emitted by the contract at `address`."""
        topics = (self.topic0, *[write(field(event)) for field, write in self._write_topics])
        values = [field(event) if convert is None else convert(field(event)) for field, convert in self._data]
        return Log(address, topics, self._codec.encode(values))

    def decode(self, topics: Sequence[Hash], data: bytes) -> Event:
        """The event of a log; an indexed string or byte string comes back as its hash. Raises AbiError."""
        if len(topics) != len(self._topics) + 1 or topics[0] != self.topic0:
            raise abi.AbiError(f"the topics are not those of {self.signature}")
        facts: dict[str, object] = {}
        for (name, kind), topic in zip(self._topics, topics[1:], strict=True):
            facts[name] = topic if kind in ("string", "bytes") else abi.codec((kind,)).decode(topic)[0]
        for (name, convert), value in zip(self._names, self._codec.decode(data), strict=True):
            facts[name] = value if convert is None else convert(value)
        return self.event(**facts)


def _topic_of(kind: str) -> Callable[[Any], Hash]:
    """Function from a value of an ABI type to its topic."""
    if kind == "string":
        return lambda value: keccak256(value.encode())
    if kind == "bytes":
        return keccak256
    if kind == "address":
        return lambda value: Hash(value.rjust(32, b"\0"))
    if kind.startswith("bytes"):
        return lambda value: Hash(value.ljust(32, b"\0"))
    return lambda value: Hash(int.to_bytes(value, 32, "big"))


_codecs: dict[type[Event], EventCodec] = {}


def event_codec(event: type[Event]) -> EventCodec:
    """The codec of an Event class, built once."""
    codec = _codecs.get(event)
    if codec is None:
        codec = _codecs[event] = EventCodec(event)
    return codec
