"""Validators come by stake and go, and a key that signs twice is punished once: with CometBFT itself."""

import base64
import json
from pathlib import Path

from flux.consensus.cometbft.keys import KEY_FILE
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import NodeId
from flux.contracts.staking.contract import Staking
from flux.contracts.validators.contract import Validators
from flux.contracts.validators.rules import proof_message
from flux.contracts.validators.types import ValidatorStatus
from flux.primitives import ed25519
from flux.primitives.onion import layer
from flux.primitives.types import U32, U64, ConsensusAddress, Seconds
from flux.protocol.chain_ids import LOCAL
from flux.protocol.params import Params
from flux.services.chain_home import ChainHome
from support.contract_lab import CHEAP, FLUX, FRANCE, account, endpoint, hardware
from support.engine_lab import EngineLab
from support.validator_network import call, contract, last_info, network, operator

FOUNDERS = 3
JOINER = 3
"""Number of the node beside the founders, and of its operator's account."""
NODE = NodeId(U32(1))
REVEALS = U32(9)
PATIENCE = 180.0
"""Seconds for what needs an epoch's end, a proposer's turn or evidence, on a machine that does much else."""


def short_epochs(params: Params) -> Params:
    """Twelve seconds, so that validators come and go while a test waits."""
    epoch, window = Seconds(U64(12)), Seconds(U64(2))
    return params.but(probes=params.probes.but(epoch=epoch, vote_window=window))


def seed_of(place: Path) -> bytes:
    document = json.loads((ChainHome(place).comet / KEY_FILE).read_text())
    return base64.b64decode(document["priv_key"]["value"])[:32]


def register() -> bytes:
    arguments = (account("agent"), endpoint(), FRANCE, hardware(), CHEAP)
    return call(JOINER, 0, Nodes, "register", *arguments, value=1_200 * FLUX)


def enable(nonce: int, seed: bytes) -> bytes:
    key = ed25519.public_key_of(seed)
    proof = ed25519.sign(seed, proof_message(LOCAL, NODE, operator(JOINER), key))
    return call(JOINER, nonce, Validators, "enable", NODE, key, proof, layer(b"s" * 32, REVEALS), REVEALS)


def has_voted(lab: EngineLab, address: ConsensusAddress) -> bool:
    """Whether the commit before the newest block has the validator's signature."""
    return any(vote.validator == address and vote.signed for vote in last_info(lab).votes)


def is_in_commits(lab: EngineLab, address: ConsensusAddress) -> bool:
    """Whether the engine counts it among the validators."""
    return any(vote.validator == address for vote in last_info(lab).votes)


def caught(lab: EngineLab, address: ConsensusAddress) -> bool:
    """Whether the chain punished the validator."""
    with contract(lab, Validators) as (validators, _):
        key = validators.state.keys.find(address)
        return key is not None and key.tombstoned


def stake(lab: EngineLab) -> int:
    with contract(lab, Staking) as (staking, ctx):
        return staking.stake_of(ctx, NODE)


async def test_a_validator_joins_by_stake_leaves_returns_and_pays_once_for_signing_twice(tmp_path: Path) -> None:
    async with network(tmp_path, FOUNDERS, 1, short_epochs) as chain:
        labs = [await chain.run(number) for number in range(FOUNDERS + 1)]
        founder, joiner = labs[0], labs[JOINER]
        address = chain.places[JOINER].keys.address
        seed = seed_of(chain.places[JOINER].home)

        await founder.included(founder.submit(register()))
        await founder.included(founder.submit(enable(1, seed)))
        await founder.until(lambda: has_voted(founder, address), PATIENCE)
        await joiner.until(lambda: joiner.application.ledger.head().header.producer == operator(JOINER), PATIENCE)

        await founder.included(founder.submit(call(JOINER, 2, Validators, "disable", NODE)))
        await founder.until(lambda: not is_in_commits(founder, address), PATIENCE)
        await founder.included(founder.submit(enable(3, seed)))
        await founder.until(lambda: has_voted(founder, address), PATIENCE)

        assert stake(founder) == 1_200 * FLUX
        await chain.run_twin(JOINER)
        await founder.until(lambda: caught(founder, address), PATIENCE)
        await founder.until(lambda: not is_in_commits(founder, address), PATIENCE)
        assert stake(founder) == 1_140 * FLUX
        with contract(founder, Validators) as (validators, ctx):
            assert validators.validator(ctx, NODE).status is ValidatorStatus.TOMBSTONED

        height = founder.height + 5
        for lab in labs[:FOUNDERS]:
            await lab.until(lambda lab=lab: lab.height >= height)  # type: ignore[misc]
        assert stake(founder) == 1_140 * FLUX
        roots = {lab.application.ledger.find_block(U64(height)).hash for lab in labs[:FOUNDERS]}  # type: ignore[union-attr,arg-type]
        assert len(roots) == 1
