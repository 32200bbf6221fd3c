"""The events and errors of all contracts, by topic and selector, and an error as a sentence."""

from collections.abc import Iterator
from functools import cache
from types import ModuleType

from flux.contracts.accounts import types as accounts
from flux.contracts.apps import types as apps
from flux.contracts.benchmarks import types as benchmarks
from flux.contracts.escrow import types as escrow
from flux.contracts.governor import types as governor
from flux.contracts.market import types as market
from flux.contracts.nodes import types as nodes
from flux.contracts.oracle import types as oracle
from flux.contracts.parameters import types as parameters
from flux.contracts.policy import types as policy
from flux.contracts.probes import types as probes
from flux.contracts.rewards import types as rewards
from flux.contracts.secrets import types as secrets
from flux.contracts.slashing import types as slashing
from flux.contracts.staking import types as staking
from flux.contracts.validators import types as validators
from flux.contracts.votes import types as votes
from flux.kernel.errors import COMMON_ERRORS, Revert
from flux.kernel.events import Event, EventCodec, event_codec
from flux.kernel.revert_data import decode_error, error_selector
from flux.primitives.abi import AbiError
from flux.primitives.types import Hash

_MODULES: tuple[ModuleType, ...] = (
    accounts,
    apps,
    benchmarks,
    escrow,
    governor,
    market,
    nodes,
    oracle,
    parameters,
    policy,
    probes,
    rewards,
    secrets,
    slashing,
    staking,
    validators,
    votes,
)


def _declared(base: type) -> Iterator[type]:
    for module in _MODULES:
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
