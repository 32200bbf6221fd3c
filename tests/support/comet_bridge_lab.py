"""Several applications of one chain, asked as CometBFT would ask them, without CometBFT."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any

from flux.chain.application import Application
from flux.consensus.cometbft.bridge import Bridge
from flux.consensus.cometbft.gossip import Gossip, bundles, unbundle
from flux.consensus.cometbft.keys import consensus_address
from flux.consensus.cometbft.messages.tendermint.abci import types_pb2 as abci
from flux.consensus.cometbft.messages.tendermint.crypto.keys_pb2 import PublicKey
from flux.contracts.validators.types import FirstValidator
from flux.database.memory_store import MemoryStore
from flux.primitives.types import U64, Hash, Timestamp
from flux.protocol.genesis import DEVELOPMENT_ADDRESSES, Genesis, chain_name, local
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.params import minimal
from flux.protocol.registry import ProtocolFactory

START = 1_700_000_000
MAX_BYTES = 4 << 20
Status = abci.ResponseProcessProposal.ProposalStatus


def lab_genesis(count: int = 2) -> Genesis:
    """With validators whose keys nobody holds."""
    validators = [
        FirstValidator(Hash(bytes([number + 1]) * 32), DEVELOPMENT_ADDRESSES[5 + number], U64(100))
        for number in range(count)
    ]
    return local(Timestamp(U64(START)), minimal(), validators=validators)


class AtOnce(Executor):
    """Runs what it is given before it answers."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


@dataclass(slots=True)
class Node:
    """One validator's application behind its bridge."""

    genesis: Genesis
    index: int = 0
    clock: float = START
    application: Application = field(init=False)
    bridge: Bridge = field(init=False)
    gossip: Gossip = field(init=False)

    def __post_init__(self) -> None:
        factory = ProtocolFactory(self.genesis.params)
        chain = chain_genesis(self.genesis, factory)
        self.application = Application(MemoryStore(), factory, chain)
        self.bridge = Bridge(self.application, chain_name(self.genesis))
        self.gossip = Gossip(self.application, AtOnce(), lambda: self.clock)

    @property
    def address(self) -> bytes:
        return consensus_address(self.genesis.validators[self.index].public_key)

    @property
    def height(self) -> int:
        return self.application.ledger.head().number

    def submit(self, *raws: bytes) -> None:
        for raw in raws:
            self.application.submit(raw, Timestamp(U64(int(self.clock))))

    def insert(self, *raws: bytes) -> list[int]:
        """What a peer hands on; the codes."""
        return [
            self.gossip.insert(abci.Request(insert_tx=abci.RequestInsertTx(tx=bundle))).insert_tx.code
            for bundle in bundles(raws)
        ]

    def reap(self) -> list[bytes]:
        """What peers are handed."""
        return [raw for bundle in self.gossip.reap(abci.Request()).reap_txs.txs for raw in unbundle(bundle)]

    def init(self, **changed: object) -> abci.ResponseInitChain:
        first = [
            abci.ValidatorUpdate(pub_key=PublicKey(ed25519=bytes(item.public_key)), power=item.power)
            for item in self.genesis.validators
        ]
        request = abci.RequestInitChain(chain_id=chain_name(self.genesis), validators=first)
        request.time.seconds = self.genesis.timestamp
        for name, value in changed.items():
            setattr(request, name, value)
        return self.bridge.init_chain(abci.Request(init_chain=request)).init_chain

    def propose(self, seconds: int, max_bytes: int = MAX_BYTES) -> list[bytes]:
        request = abci.RequestPrepareProposal(
            max_tx_bytes=max_bytes, height=self.height + 1, proposer_address=self.address
        )
        request.time.seconds = seconds
        answer = self.bridge.prepare_proposal(abci.Request(prepare_proposal=request))
        return list(answer.prepare_proposal.txs)

    def process(self, txs: list[bytes], seconds: int, proposer: bytes, block: bytes = b"block") -> bool:
        request = abci.RequestProcessProposal(txs=txs, hash=block, height=self.height + 1, proposer_address=proposer)
        request.time.seconds = seconds
        answer = self.bridge.process_proposal(abci.Request(process_proposal=request)).process_proposal
        assert answer.status != Status.UNKNOWN
        return answer.status == Status.ACCEPT

    def finalize(
        self, txs: list[bytes], seconds: int, proposer: bytes, block: bytes = b"block"
    ) -> abci.ResponseFinalizeBlock:
        request = abci.RequestFinalizeBlock(txs=txs, hash=block, height=self.height + 1, proposer_address=proposer)
        request.time.seconds = seconds
        return self.bridge.finalize_block(abci.Request(finalize_block=request)).finalize_block

    def commit(self) -> abci.ResponseCommit:
        return self.bridge.commit(abci.Request(commit=abci.RequestCommit())).commit


def decide(nodes: list[Node], txs: list[bytes], proposer: Node, block: bytes = b"block") -> list[bytes]:
    """All accept, finalize and commit; their app hashes."""
    now = int(time.time())
    seconds = max(now, proposer.application.ledger.head().header.timestamp)
    hashes = []
    for node in nodes:
        assert node.process(txs, seconds, proposer.address, block)
        hashes.append(node.finalize(txs, seconds, proposer.address, block).app_hash)
        node.commit()
    return hashes
