"""Consensus calls: CometBFT's height N is block N, and its app hash is the hash of that block's header.

A proposal is computed once, when it is made or first seen, and what was computed is kept until a block of that height
is committed. All of these calls come from one thread.
"""

import threading
from collections.abc import Callable

import structlog

import flux
from flux.chain.application import Application, BadBlock, FinalizedBlock
from flux.chain.consensus_info import ConsensusInfo
from flux.chain.store import StoreError
from flux.chain.transaction import Transaction
from flux.chain.transaction_errors import TransactionError
from flux.consensus.cometbft.errors import AbciRefused
from flux.consensus.cometbft.messages.tendermint.abci import types_pb2 as abci
from flux.consensus.cometbft.translate import info_of, key_of, results_of, room, updates_of
from flux.primitives.hexadecimal import to_hex
from flux.primitives.types import U64, Address, ConsensusAddress, Height, Timestamp

log = structlog.get_logger(__name__)
APP_VERSION = 1
"""Of the application's rules, as block headers carry it."""
_DISK_RETRY = 1.0
"""Seconds between attempts to commit when the disk refuses."""
_KEPT_PROPOSALS = 8

Status = abci.ResponseProcessProposal.ProposalStatus
ExtensionStatus = abci.ResponseVerifyVoteExtension.VerifyStatus


class Bridge:
    """Drives one application."""

    def __init__(
        self,
        application: Application,
        chain_id: str,
        *,
        retain_blocks: int = 0,
        report: Callable[[FinalizedBlock], None] | None = None,
    ) -> None:
        """`chain_id` is CometBFT's name of the chain. It may drop its blocks older than `retain_blocks`; 0 keeps all.

        `report` is called with each committed block: dropped transactions and faults, for logs.
        """
        self._application = application
        self._chain_id = chain_id
        self._retain_blocks = retain_blocks
        self._report = report
        self._proposals: dict[bytes, list[Transaction]] = {}
        """By CometBFT's hash of the proposal: decoded, found valid, computed."""
        self._decided: FinalizedBlock | None = None
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Give up a commit that the disk does not take. Callable from any thread."""
        self._stopping.set()

    def info(self, request: abci.Request) -> abci.Response:
        """Where this chain stands; CometBFT plays back what is missing."""
        head = self._application.ledger.head()
        return abci.Response(
            info=abci.ResponseInfo(
                data="flux",
                version=flux.__version__,
                app_version=APP_VERSION,
                last_block_height=head.number,
                # Before the first block the genesis is agreed on by init_chain.
                last_block_app_hash=head.hash if head.number else b"",
            )
        )

    def query(self, request: abci.Request) -> abci.Response:
        """The header of a block (path `header`), RLP-encoded; it hashes to the app hash of that height."""
        asked = request.query
        if asked.path != "header":
            return abci.Response(query=abci.ResponseQuery(code=1, log="the only path is `header`; use JSON-RPC"))
        ledger = self._application.ledger
        block = ledger.find_block(Height(U64(asked.height))) if asked.height > 0 else ledger.head()
        if block is None:
            return abci.Response(query=abci.ResponseQuery(code=1, log=f"there is no block {asked.height}"))
        return abci.Response(query=abci.ResponseQuery(value=block.header.encode(), height=block.number))

    def init_chain(self, request: abci.Request) -> abci.Response:
        """Agree on the genesis, or refuse a CometBFT genesis that was made from another one of ours."""
        asked, application = request.init_chain, self._application
        head = application.ledger.head()
        if head.number != 0:
            raise AbciRefused(f"CometBFT begins a new chain, but this one is at block {head.number}")
        expected = {bytes(item.public_key): item.power for item in application.first_validators}
        given = {bytes(key_of(item)): item.power for item in asked.validators}
        if asked.chain_id != self._chain_id or given != expected or asked.time.seconds != head.header.timestamp:
            raise AbciRefused(f"CometBFT's genesis ({asked.chain_id}) is not made from ours ({self._chain_id})")
        return abci.Response(init_chain=abci.ResponseInitChain(app_hash=head.hash))

    def prepare_proposal(self, request: abci.Request) -> abci.Response:
        """Our proposal: what waits and proves valid."""
        asked = request.prepare_proposal
        info = info_of(asked.proposer_address, asked.local_last_commit.votes, asked.misbehavior)
        timestamp, producer = Timestamp(U64(asked.time.seconds)), self._producer(info)
        finalized = self._application.prepare(timestamp, producer, room(asked.max_tx_bytes), info)
        raws = [transaction.raw for transaction in finalized.block.transactions[:-1]]
        return abci.Response(prepare_proposal=abci.ResponsePrepareProposal(txs=raws))

    def process_proposal(self, request: abci.Request) -> abci.Response:
        """Whether a proposal is a block that follows the newest one, every transaction of it valid in its place."""
        asked = request.process_proposal
        try:
            transactions = self._application.decode_block(asked.txs)
            info = info_of(asked.proposer_address, asked.proposed_last_commit.votes, asked.misbehavior)
            finalized = self._compute(transactions, asked.time.seconds, info)
            if finalized.dropped and len(finalized.block.transactions) - 1 != len(transactions):
                refused, error = finalized.dropped[0]
                raise BadBlock(f"transaction {to_hex(refused.hash)} cannot be in it: {error}")
        except (TransactionError, BadBlock) as error:
            log.warning(
                "proposal rejected", height=asked.height, proposer=asked.proposer_address.hex(), reason=str(error)
            )
            return abci.Response(process_proposal=abci.ResponseProcessProposal(status=Status.REJECT))
        if len(self._proposals) >= _KEPT_PROPOSALS:
            del self._proposals[next(iter(self._proposals))]
        self._proposals[asked.hash] = transactions
        return abci.Response(process_proposal=abci.ResponseProcessProposal(status=Status.ACCEPT))

    def extend_vote(self, request: abci.Request) -> abci.Response:
        """Votes carry nothing of ours."""
        return abci.Response(extend_vote=abci.ResponseExtendVote())

    def verify_vote_extension(self, request: abci.Request) -> abci.Response:
        """Nor may others'."""
        is_empty = not request.verify_vote_extension.vote_extension
        status = ExtensionStatus.ACCEPT if is_empty else ExtensionStatus.REJECT
        return abci.Response(verify_vote_extension=abci.ResponseVerifyVoteExtension(status=status))

    def finalize_block(self, request: abci.Request) -> abci.Response:
        """Compute what was decided, or take what was computed when it was proposed."""
        asked = request.finalize_block
        head = self._application.ledger.head().number
        if asked.height != head + 1:
            raise AbciRefused(f"CometBFT decided block {asked.height}, but this chain is at block {head}")
        transactions = self._proposals.get(asked.hash)
        if transactions is None:
            transactions = self._application.decode_block(asked.txs)
        info = info_of(asked.proposer_address, asked.decided_last_commit.votes, asked.misbehavior)
        finalized = self._decided = self._compute(transactions, asked.time.seconds, info)
        return abci.Response(
            finalize_block=abci.ResponseFinalizeBlock(
                tx_results=results_of(asked.txs, finalized),
                validator_updates=updates_of(finalized.validator_updates),
                app_hash=finalized.block.hash,
            )
        )

    def commit(self, request: abci.Request) -> abci.Response:
        """Persist what was decided; while the disk does not take it, no transactions are accepted."""
        finalized, application = self._decided, self._application
        if finalized is None:
            raise AbciRefused("CometBFT commits a block that it did not decide")
        while True:
            try:
                application.commit(finalized)
                break
            except StoreError as error:
                application.suspend(str(error))
                if self._stopping.wait(_DISK_RETRY):
                    raise
        if application.suspended is not None:
            application.resume()
        self._decided = None
        self._proposals.clear()
        if self._report is not None:
            self._report(finalized)
        number = finalized.block.number
        retain = max(0, number - self._retain_blocks + 1) if self._retain_blocks else 0
        return abci.Response(commit=abci.ResponseCommit(retain_height=retain))

    def _compute(self, transactions: list[Transaction], seconds: int, info: ConsensusInfo) -> FinalizedBlock:
        return self._application.finalize(transactions, Timestamp(U64(seconds)), self._producer(info), info)

    def _producer(self, info: ConsensusInfo) -> Address:
        return self._application.producer_of(ConsensusAddress(Address(info.proposer)))
