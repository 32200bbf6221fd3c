"""What validators' operators and agents do at random, and what a random engine tells of them."""

import random

from flux.chain.consensus_info import ConsensusInfo, Misbehavior, MisbehaviorKind, ValidatorUpdate
from flux.contracts.validators.contract import Validators
from flux.contracts.validators.rules import proof_message
from flux.contracts.validators.types import FirstValidator
from flux.primitives import ed25519
from flux.primitives.onion import layer
from flux.primitives.types import U32, U64, Hash, Height, Timestamp
from flux.protocol.chain_ids import LOCAL
from support.chain_lab import address
from support.engine_model import EngineModel
from support.protocol_head import Head
from support.protocol_users.users import Users
from support.validator_lab import key_seed, public_key, secret

FOUNDERS = tuple(FirstValidator(public_key(100 + number), address(number), U64(500)) for number in range(4))
LAYERS = U32(5)


def founded_engine() -> EngineModel:
    """CometBFT at the chain's start."""
    return EngineModel([ValidatorUpdate(first.public_key, first.power) for first in FOUNDERS])


def random_info(engine: EngineModel, head: Head, draw: random.Random) -> ConsensusInfo:
    """Some validators are down for a while, and now and then one signed twice, in the set or long out of it."""
    validators = head.validators
    down = [item for item in sorted(engine.last) if item[0] % 4 == head.world.block.height // 15 % 4]
    caught = []
    if draw.random() < 0.04:
        known = [item for item, key in validators.state.keys.items() if key.node and not key.tombstoned]
        time = Timestamp(U64(head.world.block.timestamp - draw.randrange(2 * validators.params.evidence_age)))
        if known:
            kind = draw.choice(list(MisbehaviorKind))
            caught = [Misbehavior(kind, draw.choice(known), 1, Height(U64(1)), time, 9)] * draw.randrange(1, 3)
    return engine.info(down, caught)


def act(users: Users) -> list[bytes]:
    """An operator or an agent does something about its validator."""
    if not users.nodes:
        return []
    draw = users.draw
    node = draw.choice(users.nodes)
    operator = users.operators[node.operator]
    record = users.head.validators.state.validators.find(node.id)
    match draw.randrange(8):
        case 0 | 1:
            number = draw.choice((node.id, node.id, node.id, node.id + 20, draw.randrange(1, 12), 100 + operator))
            message = proof_message(LOCAL, node.id, node.operator, public_key(number))
            proof = ed25519.sign(key_seed(number), message)
            onion = layer(secret(node.id), LAYERS)
            return [users.call(operator, Validators, "enable", node.id, public_key(number), proof, onion, LAYERS)]
        case 2 if draw.random() < 0.7:
            return [users.call(operator, Validators, "disable", node.id)]
        case 3:
            return [users.call(operator, Validators, "unjail", node.id)]
        case 4 if record is not None and record.reveals_left == 0:
            return users.of_node(node.id, Validators, "renew_onion", layer(secret(node.id), LAYERS), LAYERS)
        case 4:
            return [users.call(operator, Validators, "set_onion", node.id, layer(secret(node.id), LAYERS), LAYERS)]
        case 5 | 6 | 7:
            return reveal_all(users)
    return []


def reveal_all(users: Users) -> list[bytes]:
    """Every agent that has something left reveals."""
    found: list[bytes] = []
    for node, record in users.head.validators.state.validators.items():
        if record.reveals_left:
            left = record.reveals_left - 1
            preimage = layer(secret(node), left) if left else Hash(secret(node))
            found += users.of_node(node, Validators, "reveal", preimage)
    return found
