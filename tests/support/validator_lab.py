"""Validators on the whole protocol, with a model of CometBFT that stops the test where CometBFT would stop."""

from collections.abc import Collection, Sequence

from flux.chain.consensus_info import Misbehavior, MisbehaviorKind, ValidatorUpdate
from flux.contracts.nodes.types import NodeId
from flux.contracts.validators import rules
from flux.contracts.validators.contract import Validators
from flux.contracts.validators.types import FirstValidator, SeatInfo, Validator, ValidatorsParams
from flux.primitives import ed25519
from flux.primitives.keccak import keccak256
from flux.primitives.onion import layer
from flux.primitives.types import U32, U64, Address, ConsensusAddress, Hash, Timestamp
from flux.protocol.chain_ids import LOCAL
from flux.protocol.params import minimal
from support.contract_lab import FLUX, account
from support.engine_model import EngineModel
from support.protocol_world import ProtocolWorld

REVEALS = 40


def key_seed(number: int) -> bytes:
    """An ed25519 seed for each number."""
    return keccak256(b"consensus key %d" % number)


def public_key(number: int) -> Hash:
    return ed25519.public_key_of(key_seed(number))


def consensus(number: int) -> ConsensusAddress:
    return rules.consensus_address(public_key(number))


def secret(node: int, generation: int = 0) -> bytes:
    """Of a node's onion."""
    return keccak256(b"onion %d %d" % (node, generation))


def proof(key: int, node: NodeId, operator: Address, chain: int = LOCAL) -> bytes:
    return ed25519.sign(key_seed(key), rules.proof_message(chain, node, operator, public_key(key)))


def double_sign(key: int, time: int, height: int = 1) -> Misbehavior:
    """Evidence against a key."""
    at = Timestamp(U64(time))
    return Misbehavior(MisbehaviorKind.DUPLICATE_VOTE, consensus(key), 1, height, at, 10)  # type: ignore[arg-type]


class ValidatorLab:
    """Keys from 100 on are the genesis'; a node's own key has the node's number."""

    def __init__(self, first: int = 4, power: int = 1_000, **changes: object) -> None:
        params = minimal()
        self.params: ValidatorsParams = params.validators.but(**changes)
        self.first = tuple(
            FirstValidator(public_key(100 + number), account(f"founder {number}"), U64(power))
            for number in range(first)
        )
        self.world = ProtocolWorld(params.but(validators=self.params), self.first)
        self.engine = EngineModel([ValidatorUpdate(item.public_key, item.power) for item in self.first])
        self.operators: dict[NodeId, Address] = {}

    @property
    def now(self) -> int:
        """Header time."""
        return self.world.world.block.timestamp

    @property
    def contract(self) -> Validators:
        return self.world.validators

    def node(self, number: int, stake: int = 2_000) -> NodeId:
        """A machine with so much FLUX behind it."""
        node = self.world.node(number)
        self.operators[node] = account(f"operator {number}")
        self.bond(node, stake - 1_000)
        return node

    def bond(self, node: NodeId, amount: int) -> None:
        """Stake more whole FLUX on a node."""
        if amount:
            operator = self.operators[node]
            self.world.send(operator, self.world.staking.delegate, node, value=amount * FLUX)

    def stake(self, node: NodeId) -> int:
        """Wei behind a node."""
        return self.world.staking.stake_of(self.world.world.context(account("anybody")), node)

    def enable(self, node: NodeId, key: int | None = None) -> None:
        """Opt in with a key, the node's own unless told otherwise."""
        number = node if key is None else key
        operator = self.operators[node]
        onion = layer(secret(node), REVEALS)
        arguments = (node, public_key(number), proof(number, node, operator), onion, U32(REVEALS))
        self.world.send(operator, self.contract.enable, *arguments)

    def validator(self, number: int, stake: int = 2_000) -> NodeId:
        """A node that has opted in."""
        node = self.node(number, stake)
        self.enable(node)
        return node

    def reveal(self, node: NodeId, count: int = 1, generation: int = 0, reveals: int = REVEALS) -> None:
        """The agent reveals its preimage number `count`."""
        self.world.send(self.world.agents[node], self.contract.reveal, layer(secret(node, generation), reveals - count))

    def block(
        self, absent: Collection[int] = (), misbehavior: Sequence[Misbehavior] = (), seconds: int = 1
    ) -> tuple[ValidatorUpdate, ...]:
        """One block through the engine; what it was told."""
        info = self.engine.info([consensus(number) for number in absent], misbehavior)
        self.world.block(seconds, info)
        self.engine.take(self.world.updates)
        return self.world.updates

    def epoch(self, count: int = 1) -> None:
        """Go through the ends of some epochs, and the block in which the set is chosen."""
        for _ in range(count):
            number = self.contract.state.epoch.get()
            while self.contract.state.epoch.get() == number:
                self.block(seconds=20)
            self.block()

    def record(self, node: NodeId) -> Validator:
        return self.contract.validator(self.world.world.context(account("anybody")), node)

    def seats(self) -> dict[ConsensusAddress, int]:
        """Power by address."""
        return {seat.consensus: int(seat.power) for seat in self.seat_infos()}

    def seat_infos(self) -> list[SeatInfo]:
        return self.contract.validator_set(self.world.world.context(account("anybody")))
