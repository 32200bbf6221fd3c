"""Consensus keys and who answers for them: from the first use until evidence against them would be too old.

The engine names proposers and double signers by address, up to two blocks after a seat is gone and, for evidence, up to
the evidence age. A key answers for one node only, so one record by address is the whole history.
"""

from itertools import islice

from flux.contracts.nodes.types import NodeId
from flux.contracts.validators import rules
from flux.contracts.validators.state import ValidatorsState
from flux.contracts.validators.types import FirstValidator, Key, KeyTaken, Tombstoned
from flux.kernel.context import Context
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.types import U32, U64, Address, ChainTime, ConsensusAddress, Hash, Seconds

_NEVER = ChainTime(U64(0))
_NO_NODE = NodeId(U32(0))


class Keys:
    """Reads and changes the records of keys."""

    def __init__(self, state: ValidatorsState) -> None:
        self._state = state

    def operator_of(self, address: ConsensusAddress) -> Address:
        """Who answers for the key; the zero address when nobody does."""
        key = self._state.keys.find(address)
        return ZERO_ADDRESS if key is None else key.operator

    def begin(self, ctx: Context, first: FirstValidator) -> ConsensusAddress:
        """A key of the genesis."""
        address = rules.consensus_address(first.public_key)
        self._state.keys.set(address, Key(first.public_key, first.operator, _NO_NODE, ctx.now, _NEVER, False))
        return address

    def take(self, ctx: Context, node: NodeId, public_key: Hash) -> ConsensusAddress:
        """Let the key answer for the caller's node.

        It must be new, the node's own of before, or the caller's of the genesis. Raises KeyTaken, Tombstoned.
        """
        address = rules.consensus_address(public_key)
        known = self._state.keys.find(address)
        since = ctx.now
        if known is not None:
            if known.tombstoned:
                raise Tombstoned(address)
            if known.operator != ctx.sender or known.node not in (_NO_NODE, node):
                raise KeyTaken(address, known.node)
            since = known.since if known.node else ctx.now
            self._state.retired.discard((known.retired_at, address))
        self._state.keys.set(address, Key(public_key, ctx.sender, node, since, _NEVER, False))
        return address

    def retire(self, ctx: Context, address: ConsensusAddress) -> None:
        """Nobody uses the key any more; it is remembered as long as evidence may come."""
        key = self._state.keys.get(address)
        self._state.keys.set(address, key.but(retired_at=ctx.now))
        self._state.retired.add((ctx.now, address))

    def tombstone(self, ctx: Context, address: ConsensusAddress) -> None:
        """The key signed twice: it is remembered for ever."""
        key = self._state.keys.get(address)
        self._state.retired.discard((key.retired_at, address))
        self._state.keys.set(address, key.but(tombstoned=True, retired_at=key.retired_at or ctx.now))

    def forget(self, ctx: Context, evidence_age: Seconds) -> None:
        """Forget keys that retired so long ago that no evidence against them can come.

        Twice the age, since a seat may outlast its key's retirement by some epochs. A key with a seat waits.
        """
        for time, address in list(islice(self._state.retired, rules.MAX_FORGOTTEN)):
            if time + 2 * evidence_age >= ctx.now:
                return
            if address not in self._state.seats:
                self._state.retired.discard((time, address))
                self._state.keys.delete(address)
