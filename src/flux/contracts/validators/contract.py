"""Validators: the nodes that take part in consensus, and their operators."""

from collections.abc import Sequence

from flux.contracts.addresses import VALIDATORS
from flux.contracts.nodes.types import NodeId
from flux.contracts.validators import rules
from flux.contracts.validators.state import ValidatorsState
from flux.contracts.validators.types import FirstValidator, Key, Seat
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, view
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.types import U32, Address, ConsensusAddress


class Validators(Contract):
    """The validator set."""

    name = "Validators"
    address = VALIDATORS

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.state = ValidatorsState(host.storage)

    @view()
    def operator_of(self, ctx: Context, proposer: ConsensusAddress) -> Address:
        """Who answers for a consensus key and receives the tips of its blocks; the zero address for an unknown one."""
        return self.producer_of(proposer)

    def producer_of(self, proposer: ConsensusAddress) -> Address:
        """The operator behind a consensus address; the zero address for an unknown one."""
        key = self.state.keys.find(proposer)
        return ZERO_ADDRESS if key is None else key.operator

    def begin(self, ctx: Context, validators: Sequence[FirstValidator]) -> None:
        """Seat the first validators; for genesis."""
        for first in validators:
            address = rules.consensus_address(first.public_key)
            self.state.keys.set(address, Key(first.public_key, first.operator, NodeId(U32(0))))
            self.state.seats.set(address, Seat(first.public_key, first.power))
