"""The events and errors of all contracts, by topic and selector, and an error as a sentence."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module

from flux.kernel.errors import COMMON_ERRORS, Revert
from flux.kernel.events import Event, EventCodec, event_codec
from flux.kernel.revert_data import decode_error, error_selector
from flux.primitives.abi import AbiError
from flux.primitives.types import Hash

_CONTRACTS = (
    "accounts",
    "apps",
    "benchmarks",
    "escrow",
    "governor",
    "market",
    "nodes",
    "oracle",
    "parameters",
    "policy",
    "probes",
    "rewards",
    "secrets",
    "slashing",
    "staking",
    "validators",
    "votes",
)
"""Their types are imported when something unknown is met first: most commands and agents meet nothing."""
_MODULES = (*(f"{name}.types" for name in _CONTRACTS), "market.rollout_types", "market.standby_types")


def _declared(base: type) -> Iterator[type]:
    for path in _MODULES:
        module = import_module(f"flux.contracts.{path}")
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, base) and item.__module__ == module.__name__:
                yield item


@cache
def errors_by_selector() -> dict[bytes, type[Revert]]:
    """Every custom error of the protocol."""
    return {error_selector(error): error for error in (*COMMON_ERRORS, *_declared(Revert))}


@cache
def events_by_topic() -> dict[Hash, EventCodec]:
    """Every event of the protocol."""
    codecs = (event_codec(event) for event in _declared(Event))
    return {codec.topic0: codec for codec in codecs}


def find_error(data: bytes) -> Revert | None:
    """The typed error of return data, or None when it is not one of ours."""
    try:
        return decode_error(data, errors_by_selector())
    except AbiError:
        return None


def find_event(topics: list[Hash], data: bytes) -> Event | None:
    """The typed event of a log, or None when it is not one of ours."""
    codec = events_by_topic().get(topics[0]) if topics else None
    return None if codec is None else codec.decode(topics, data)


def sentence(error: Revert) -> str:
    """The error's docstring with its facts filled in."""
    template = (type(error).__doc__ or type(error).__name__).strip().split("\n\n")[0].replace("\n", " ")
    facts = {name: _readable(value) for name, value in vars(error).items()}
    return template.format_map(facts)


def _readable(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
