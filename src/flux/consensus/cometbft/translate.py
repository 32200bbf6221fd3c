"""Pure translation between CometBFT's messages and the chain's own types."""

from collections.abc import Iterable, Sequence

from flux.chain.application import FinalizedBlock
from flux.chain.consensus_info import CommitVote, ConsensusInfo, Misbehavior, MisbehaviorKind, ValidatorUpdate
from flux.consensus.cometbft.messages.tendermint.abci import types_pb2 as abci
from flux.consensus.cometbft.messages.tendermint.crypto.keys_pb2 import PublicKey
from flux.consensus.cometbft.messages.tendermint.types.validator_pb2 import BlockIDFlag
from flux.primitives.keccak import keccak256
from flux.primitives.types import U64, Address, ConsensusAddress, Hash, Height, Timestamp

_FAILED, _NOT_INCLUDED = 1, 2
"""Codes of results: included and reverted; not in our block at all, because it proved invalid."""
_KNOWN_MISBEHAVIOR = frozenset(int(kind) for kind in MisbehaviorKind)
SIZE_PER_TRANSACTION = 8, 9
"""CometBFT counts some bytes of framing with each transaction: less than a ninth of any transaction."""


def room(max_bytes: int) -> int:
    """Bytes of encoded transactions that fit where CometBFT has `max_bytes` for them."""
    part, whole = SIZE_PER_TRANSACTION
    return max_bytes * part // whole


def info_of(
    proposer: bytes,
    votes: "Iterable[abci.VoteInfo | abci.ExtendedVoteInfo]",
    misbehavior: "Iterable[abci.Misbehavior]",
) -> ConsensusInfo:
    """What a block is told about its validators. Evidence of a kind that this version does not know is left out."""
    return ConsensusInfo(
        proposer,
        tuple(
            CommitVote(
                _consensus_address(vote.validator.address),
                vote.validator.power,
                vote.block_id_flag == BlockIDFlag.BLOCK_ID_FLAG_COMMIT,
            )
            for vote in votes
        ),
        tuple(
            Misbehavior(
                MisbehaviorKind(item.type),
                _consensus_address(item.validator.address),
                item.validator.power,
                Height(U64(item.height)),
                Timestamp(U64(item.time.seconds)),
                item.total_voting_power,
            )
            for item in misbehavior
            if int(item.type) in _KNOWN_MISBEHAVIOR
        ),
    )


def updates_of(updates: Iterable[ValidatorUpdate]) -> list[abci.ValidatorUpdate]:
    """A change of the validator set as CometBFT takes it."""
    return [
        abci.ValidatorUpdate(pub_key=PublicKey(ed25519=bytes(update.public_key)), power=update.power)
        for update in updates
    ]


def results_of(raws: Sequence[bytes], finalized: FinalizedBlock) -> list[abci.ExecTxResult]:
    """One result for each transaction that was asked for, in order; only code and gas are agreed on."""
    included = finalized.block.transactions[:-1]
    if len(included) == len(raws):
        return [
            abci.ExecTxResult(
                code=0 if receipt.succeeded else _FAILED, gas_wanted=transaction.gas_limit, gas_used=receipt.gas_used
            )
            for transaction, receipt in zip(included, finalized.receipts, strict=False)
        ]
    found = {
        transaction.hash: abci.ExecTxResult(
            code=0 if receipt.succeeded else _FAILED, gas_wanted=transaction.gas_limit, gas_used=receipt.gas_used
        )
        for transaction, receipt in zip(included, finalized.receipts, strict=False)
    }
    return [found.pop(keccak256(raw), abci.ExecTxResult(code=_NOT_INCLUDED)) for raw in raws]


def _consensus_address(address: bytes) -> ConsensusAddress:
    return ConsensusAddress(Address(address))


def key_of(update: "abci.ValidatorUpdate") -> Hash:
    """The ed25519 key of a validator; other kinds of keys are empty."""
    return Hash(update.pub_key.ed25519)
