"""Voters before a governor, and proposals of theirs."""

from collections.abc import Sequence
from typing import Any

import pytest

from flux.contracts.governor.types import (
    ProposalState,
)
from flux.kernel.contract import Contract
from flux.primitives.keccak import keccak256
from flux.primitives.types import U8, U256, Address, Wei
from flux.sdk.call import Call
from support.contract_lab import FLUX
from support.protocol_world import ProtocolWorld

AGAINST, FOR, ABSTAIN = U8(0), U8(1), U8(2)
Action = tuple[Address, bytes]


def call(contract: type[Contract], name: str, *arguments: object) -> Action:
    """A call of a contract."""
    declared = next(item for item in contract.methods.values() if item.attribute == name)
    made = Call(contract.address, declared.name, tuple(declared.arguments.values()), declared.returns)
    return contract.address, made.encode(*arguments)


class Lab(ProtocolWorld):
    """Voters with locked FLUX: ann 6,000, bob 3,000, eve 1,000."""

    def __init__(self) -> None:
        super().__init__()
        self.ann, self.bob, self.eve = self.fund("ann"), self.fund("bob"), self.fund("eve")
        for voter, amount in ((self.ann, 6_000), (self.bob, 3_000), (self.eve, 1_000)):
            self.send(voter, self.votes.lock, value=amount * FLUX)
        self.block()

    def set(self, path: str, value: int) -> Action:
        return call(type(self.parameters), "set_parameter", path, U256(value))

    def grant(self, recipient: Address, amount: int) -> Action:
        return call(type(self.accounts), "grant", recipient, Wei(U256(amount)))

    def arguments(self, actions: Sequence[Action], text: str) -> tuple[Any, ...]:
        values = [U256(0)] * len(actions)
        return [target for target, _ in actions], values, [data for _, data in actions], text

    def propose(self, actions: Sequence[Action], text: str = "why not", proposer: Address | None = None) -> U256:
        made: U256 = self.send(proposer or self.ann, self.governor.propose, *self.arguments(actions, text))
        return made

    def by_hand(
        self, method: str, actions: Sequence[Action], text: str = "why not", sender: Address | None = None
    ) -> Any:
        *start, text = self.arguments(actions, text)
        return self.send(sender or self.eve, getattr(self.governor, method), *start, keccak256(text.encode()))

    def open_vote(self) -> None:
        self.block(seconds=self.params.governor.voting_delay + 1)

    def close_vote(self) -> None:
        """To the block at whose end the vote is counted, and over it."""
        self.block(seconds=self.params.governor.voting_period)
        self.block()

    def vote(self, voter: Address, id: U256, support: U8 = FOR) -> None:
        self.send(voter, self.governor.cast_vote, id, support)

    def state(self, id: U256) -> ProposalState:
        return self.governor.state(self.world.context(self.eve), id)

    def pass_(self, id: U256) -> None:
        self.open_vote()
        self.vote(self.ann, id)
        self.close_vote()

    def held(self, voter: Address) -> int:
        return int(self.votes.holding(self.world.context(voter), voter).held)


@pytest.fixture
def lab() -> Lab:
    return Lab()
