"""Adds this node's part to the seed of each epoch, while it is a validator with a seat."""

from typing import Protocol

import structlog

from flux.agent.onion import OnionError, OnionStore
from flux.contracts.nodes.types import NodeId
from flux.contracts.validators.types import NotValidator, Validator
from flux.primitives.types import U32, Hash
from flux.sdk.bindings.probes import Probes
from flux.sdk.bindings.validators import Validators
from flux.sdk.client import FluxClient
from flux.sdk.errors import Refused

log = structlog.get_logger(__name__)


class RevealSource(Protocol):
    """The chain as the revealer needs it."""

    async def validator(self) -> Validator | None: ...
    async def epoch(self) -> int: ...
    async def is_seated(self, validator: Validator) -> bool: ...


class RevealReporter(Protocol):
    """What the revealer sends."""

    async def reveal(self, preimage: Hash) -> bool: ...
    async def renew_onion(self, onion: Hash, reveals: U32) -> bool: ...


class ChainRevealSource:
    """Reads the validator of one node."""

    def __init__(self, client: FluxClient, node: NodeId) -> None:
        self._validators = Validators(client)
        self._probes = Probes(client)
        self._node = node

    async def validator(self) -> Validator | None:
        """The record; None while the node is no validator."""
        try:
            return await self._validators.validator(self._node)
        except Refused as refused:
            if isinstance(refused.revert, NotValidator):
                return None
            raise

    async def epoch(self) -> int:
        """The present one."""
        return (await self._probes.epoch()).epoch

    async def is_seated(self, validator: Validator) -> bool:
        """Whether it has a seat."""
        return any(seat.consensus == validator.consensus for seat in await self._validators.validator_set())


class Revealer:
    """Reveals at most once in an epoch; asking again is harmless."""

    def __init__(self, source: RevealSource, reporter: RevealReporter, onions: OnionStore) -> None:
        self._source = source
        self._reporter = reporter
        self._onions = onions
        self._done: int | None = None

    async def run_once(self) -> None:
        """Reveal, or commit to a new onion, if either is due. Raises ClientError."""
        epoch = await self._source.epoch()
        if self._done == epoch:
            return
        validator = await self._source.validator()
        if validator is None or epoch < max(validator.reveals_from, validator.revealed_next):
            return
        if not await self._source.is_seated(validator):
            return
        if validator.reveals_left == 0:
            onion = self._onions.add()
            if await self._reporter.renew_onion(onion.head, U32(onion.reveals)):
                self._done = epoch
            return
        try:
            preimage = self._onions.preimage(validator.onion, validator.reveals_left)
        except OnionError as error:
            log.error("nothing revealed", epoch=epoch, reason=str(error))
            self._done = epoch
            return
        if await self._reporter.reveal(preimage):
            self._done = epoch
