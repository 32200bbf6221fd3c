"""CometBFT's genesis, made from ours alone, so that everybody who has the same genesis file makes the same one."""

import base64
import json
from datetime import UTC, datetime

from flux.consensus.cometbft.bridge import APP_VERSION
from flux.consensus.cometbft.errors import BadHome
from flux.consensus.cometbft.keys import consensus_address
from flux.protocol.bounds import BOUNDS
from flux.protocol.genesis import Genesis, chain_name

EVIDENCE_BYTES = 1 << 20
"""Most bytes of evidence in one block."""
_HEAD_ROOM = 1 << 20
"""For the header and the votes of the last commit."""
MAX_BUNDLE_BYTES = BOUNDS["chain.max_transaction_bytes"].highest + (1 << 10)
"""Of transactions on their way between nodes: a bundle of many, or a single one of any size."""
MAX_BLOCK_BYTES = BOUNDS["chain.max_block_bytes"].highest * 9 // 8 + EVIDENCE_BYTES + _HEAD_ROOM
"""Of a whole CometBFT block: transactions with their framing, evidence, votes. It has room for whatever governance may
allow; the application rejects what is too large under the parameters of the day."""


def evidence_seconds(genesis: Genesis) -> int:
    """Older evidence is not taken: the validators contract would not punish it."""
    return max(1, genesis.params.validators.evidence_age)


def consensus_params(genesis: Genesis) -> dict[str, object]:
    """What CometBFT is told of blocks and evidence; never changed later."""
    return {
        "block": {"max_bytes": str(MAX_BLOCK_BYTES), "max_gas": "-1"},
        # Evidence expires when it is older by both measures, so the age in seconds decides.
        "evidence": {
            "max_age_num_blocks": "1",
            "max_age_duration": str(evidence_seconds(genesis) * 10**9),
            "max_bytes": str(EVIDENCE_BYTES),
        },
        "validator": {"pub_key_types": ["ed25519"]},
        "version": {"app": str(APP_VERSION)},
        "abci": {"vote_extensions_enable_height": "0"},
    }


def comet_genesis(genesis: Genesis) -> str:
    """The text of CometBFT's genesis file. Raises BadHome."""
    if not genesis.validators:
        raise BadHome("the genesis names no validators, so CometBFT cannot run it: make one with `flux chain init`")
    document = {
        "genesis_time": datetime.fromtimestamp(genesis.timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "chain_id": chain_name(genesis),
        "initial_height": "1",
        "consensus_params": consensus_params(genesis),
        "validators": [
            {
                "address": consensus_address(validator.public_key).hex().upper(),
                "pub_key": {
                    "type": "tendermint/PubKeyEd25519",
                    "value": base64.b64encode(validator.public_key).decode(),
                },
                "power": str(validator.power),
                "name": "",
            }
            for validator in genesis.validators
        ],
        "app_hash": "",
    }
    return json.dumps(document, indent=1) + "\n"
