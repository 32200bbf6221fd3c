"""What the application answers to CometBFT, which is played by the tests."""

from typing import Any

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from flux.chain.application import Application
from flux.chain.executor import ExecutedBlock, Executor
from flux.chain.transaction_errors import InsufficientFunds
from flux.consensus.cometbft import gossip as gossip_module
from flux.consensus.cometbft.errors import AbciRefused
from flux.consensus.cometbft.gossip import (
    BUNDLE_BYTES,
    MAX_WAITING_BYTES,
    REFUSED,
    RETRY,
    Gossip,
    bundles,
    unbundle,
)
from flux.consensus.cometbft.messages.tendermint.abci import types_pb2 as abci
from flux.primitives import signature
from flux.primitives.keccak import keccak256
from flux.primitives.types import Address, Hash
from support.comet_bridge_lab import START, AtOnce, Node, decide, lab_genesis
from support.engine_lab import raw_transfer
from support.transactions import signed

NOW = START + 10


@pytest.fixture
def nodes() -> list[Node]:
    genesis = lab_genesis()
    made = [Node(genesis, index, clock=NOW) for index in range(2)]
    for node in made:
        node.init()
    return made


def transfers(*nonces: int, account: int = 0, **fields: object) -> list[bytes]:
    return [raw_transfer(account, nonce, **fields) for nonce in nonces]


def count_executions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The length of each block that is really computed."""
    computed: list[int] = []
    original = Executor.finish

    def finish(self: Executor) -> ExecutedBlock:
        result = original(self)
        computed.append(len(result.transactions) - 1)
        return result

    monkeypatch.setattr(Executor, "finish", finish)
    return computed


def test_a_new_chain_reports_nothing_and_agrees_on_the_genesis_block(nodes: list[Node]) -> None:
    info = nodes[0].bridge.info(abci.Request()).info
    assert (info.last_block_height, info.last_block_app_hash) == (0, b"")
    assert nodes[0].init().app_hash == nodes[1].init().app_hash == nodes[0].application.ledger.head().hash


def test_a_foreign_genesis_is_refused(nodes: list[Node]) -> None:
    with pytest.raises(AbciRefused, match="not made from ours"):
        nodes[0].init(chain_id="flux-19169-somebody-else")
    other = Node(lab_genesis(3))
    other.genesis = nodes[0].genesis
    with pytest.raises(AbciRefused, match="not made from ours"):
        other.init()


def test_a_block_has_one_app_hash_everywhere_and_it_is_the_headers(nodes: list[Node]) -> None:
    nodes[0].submit(*transfers(0, 1, 2))
    txs = nodes[0].propose(NOW)
    assert len(txs) == 3
    hashes = decide(nodes, txs, nodes[0])
    assert hashes[0] == hashes[1] == keccak256(nodes[1].application.ledger.head().header.encode())
    info = nodes[1].bridge.info(abci.Request()).info
    assert (info.last_block_height, info.last_block_app_hash) == (1, hashes[0])


def test_the_header_is_served_to_whoever_knows_the_app_hash(nodes: list[Node]) -> None:
    app_hash = decide(nodes, [], nodes[0])[0]
    answer = nodes[1].bridge.query(abci.Request(query=abci.RequestQuery(path="header", height=1))).query
    assert keccak256(answer.value) == app_hash
    for request in (abci.RequestQuery(path="header", height=9), abci.RequestQuery(path="store")):
        assert nodes[1].bridge.query(abci.Request(query=request)).query.code != 0


def test_each_validator_computes_a_block_once(nodes: list[Node], monkeypatch: pytest.MonkeyPatch) -> None:
    computed = count_executions(monkeypatch)
    nodes[0].submit(*transfers(0, 1))
    txs = nodes[0].propose(NOW)
    for node in nodes:
        assert node.process(txs, NOW, nodes[0].address)
        node.finalize(txs, NOW, nodes[0].address)
        node.commit()
    assert computed == [2, 2]


def test_a_signature_is_recovered_once_in_a_process(nodes: list[Node], monkeypatch: pytest.MonkeyPatch) -> None:
    recovered: list[bytes] = []
    original = signature.recover

    def recover(digest: Hash, parity: int, r: int, s: int) -> Address:
        recovered.append(digest)
        return original(digest, parity, r, s)

    monkeypatch.setattr(signature, "recover", recover)
    raws = transfers(0, 1, 2)
    nodes[1].insert(*raws)
    seconds = NOW
    txs = nodes[1].propose(seconds)
    assert nodes[1].process(txs, seconds, nodes[1].address)
    nodes[1].finalize(txs, seconds, nodes[1].address)
    nodes[1].commit()
    assert nodes[1].height == 1
    assert len(recovered) == 3


@pytest.mark.parametrize(
    "txs",
    [
        pytest.param([b""], id="nothing"),
        pytest.param([b"\x02garbage"], id="garbage"),
        pytest.param([signed(chainId=1)], id="another chain's"),
        pytest.param(transfers(1, 0), id="nonces in the wrong order"),
        pytest.param(transfers(0, 0), id="a nonce twice"),
        pytest.param(transfers(0, 2), id="a nonce left out"),
        pytest.param(transfers(5), id="a nonce of the future"),
        pytest.param([signed(bytes([7]) * 32)], id="no funds"),
        pytest.param(transfers(0, gas=20_000), id="too little gas"),
        pytest.param(transfers(0, maxFeePerGas=1, maxPriorityFeePerGas=1), id="below the base fee"),
        pytest.param(transfers(0, maxFeePerGas=0, maxPriorityFeePerGas=0), id="free without being a report"),
        pytest.param(transfers(0, gas=10**9), id="more gas than a block has"),
        pytest.param(transfers(*range(12), gas=30_000_000), id="more gas than a block has, together"),
        pytest.param(transfers(0, data=bytes(300_000), gas=5_000_000), id="too large a transaction"),
        pytest.param(transfers(0, value=10**30), id="more than the sender has"),
    ],
)
def test_a_proposal_that_holds_what_cannot_be_in_a_block_is_rejected_and_nothing_happened(
    nodes: list[Node], txs: list[bytes]
) -> None:
    assert not nodes[1].process(txs, NOW, nodes[0].address, b"bad")
    good = transfers(0)
    assert len({bytes(app_hash) for app_hash in decide(nodes, good, nodes[0])}) == 1


def test_a_proposal_with_more_bytes_than_a_block_may_have_is_rejected(nodes: list[Node]) -> None:
    limit = nodes[0].genesis.params.chain.max_block_bytes
    gas = 21_000 + 16 * 110_000
    count = limit // 110_000 + 1
    txs = transfers(*range(count), data=b"\1" * 110_000, gas=gas)
    assert sum(map(len, txs)) > limit
    assert gas * count < nodes[0].genesis.params.chain.block_gas_limit
    assert not nodes[1].process(txs, NOW, nodes[0].address)
    assert nodes[1].process(txs[:-2], NOW, nodes[0].address)


def test_a_proposal_from_before_its_parent_is_rejected(nodes: list[Node]) -> None:
    assert not nodes[1].process([], START - 1, nodes[0].address)


def test_a_proposal_never_holds_more_bytes_than_it_may(nodes: list[Node]) -> None:
    nodes[0].submit(*transfers(*range(20), data=bytes(1_000), gas=100_000))
    txs = nodes[0].propose(NOW, max_bytes=10_000)
    assert 5 <= len(txs) < 10
    # As CometBFT counts: a tag and a length before each.
    assert sum(len(raw) + 1 + (1 if len(raw) < 128 else 2) for raw in txs) <= 10_000


def test_what_proves_invalid_in_our_own_proposal_is_left_out_and_dropped(nodes: list[Node]) -> None:
    poor = bytes([9]) * 32
    decide(nodes, transfers(0, value=10**16, to=Account.from_key(poor).address), nodes[0])
    nodes[0].submit(signed(poor, nonce=0, value=0), signed(poor, nonce=1, value=5 * 10**15))
    # Another validator's block spends what the second one counted on.
    decide(nodes, [signed(poor, nonce=0, value=9 * 10**15)], nodes[1], b"second")
    seconds = nodes[0].application.ledger.head().header.timestamp + 1
    assert nodes[0].propose(seconds) == []
    assert len(nodes[0].application.mempool) == 1
    assert nodes[0].process([], seconds, nodes[0].address)
    nodes[0].finalize([], seconds, nodes[0].address)
    nodes[0].commit()
    assert len(nodes[0].application.mempool) == 0
    assert isinstance(
        nodes[0].application.find_dropped(keccak256(signed(poor, nonce=1, value=5 * 10**15))), InsufficientFunds
    )


def test_several_proposals_of_one_height_are_kept_apart(nodes: list[Node], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = transfers(0), transfers(0, account=1)
    assert nodes[1].process(first, NOW, nodes[0].address, b"first")
    assert nodes[1].process(second, NOW, nodes[0].address, b"second")
    computed = count_executions(monkeypatch)
    nodes[1].finalize(first, NOW, nodes[0].address, b"first")
    nodes[1].commit()
    assert computed == []
    with nodes[1].application.ledger.state_at() as view:
        assert view.nonce(nodes[1].genesis.allocations[3].account) == 1


def test_a_block_never_seen_as_a_proposal_is_computed_when_it_is_decided(nodes: list[Node]) -> None:
    txs = transfers(0, 1)
    answer = nodes[1].finalize(txs, NOW, nodes[0].address, b"replayed")
    assert [(item.code, item.gas_used) for item in answer.tx_results] == [(0, 21_000)] * 2
    nodes[1].commit()
    assert decide([nodes[0]], txs, nodes[0]) != []


def test_a_height_out_of_order_is_refused(nodes: list[Node]) -> None:
    request = abci.RequestFinalizeBlock(height=5, proposer_address=nodes[0].address)
    with pytest.raises(AbciRefused, match="decided block 5, but this chain is at block 0"):
        nodes[0].bridge.finalize_block(abci.Request(finalize_block=request))
    with pytest.raises(AbciRefused, match="did not decide"):
        nodes[0].commit()


def test_votes_carry_nothing(nodes: list[Node]) -> None:
    bridge = nodes[0].bridge
    assert bridge.extend_vote(abci.Request()).extend_vote.vote_extension == b""
    status = abci.ResponseVerifyVoteExtension.VerifyStatus
    for extension, expected in ((b"", status.ACCEPT), (b"x", status.REJECT)):
        request = abci.RequestVerifyVoteExtension(vote_extension=extension)
        answer = bridge.verify_vote_extension(abci.Request(verify_vote_extension=request))
        assert answer.verify_vote_extension.status == expected


def test_transactions_are_handed_to_peers_once_and_again_when_they_wait_long(nodes: list[Node]) -> None:
    origin, peer = nodes
    origin.submit(*transfers(0, 1))
    assert origin.reap() == transfers(0, 1)
    assert origin.reap() == []
    origin.submit(*transfers(2))
    assert origin.reap() == transfers(2)
    origin.clock += 30
    assert origin.reap() == transfers(0, 1, 2)
    assert peer.insert(*transfers(0, 1)) == [0]
    assert peer.insert(*transfers(0, 1)) == [0]
    assert len(peer.application.mempool) == 2


def test_what_a_peer_sent_is_handed_on_if_it_still_waits_a_second_later(nodes: list[Node]) -> None:
    middle = nodes[0]
    middle.insert(*transfers(0, 1))
    middle.submit(*transfers(0, account=1))
    assert middle.reap() == transfers(0, account=1)
    decide(nodes, transfers(0), nodes[1])
    middle.clock += 1
    assert middle.reap() == transfers(1)
    assert middle.reap() == []


def test_what_cannot_be_admitted_is_left_out_and_the_rest_of_the_bundle_is_taken(nodes: list[Node]) -> None:
    assert nodes[0].insert(*transfers(0), b"garbage", signed(chainId=5), signed(bytes([7]) * 32), *transfers(1)) == [0]
    assert len(nodes[0].application.mempool) == 2
    checked = nodes[0].gossip.check(abci.Request(check_tx=abci.RequestCheckTx(tx=b"\x05"))).check_tx
    assert checked.code == 1
    assert checked.log
    assert nodes[0].gossip.check(abci.Request(check_tx=abci.RequestCheckTx(tx=transfers(2)[0]))).check_tx.code == 0


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x00\xc0", b"\x00\x80", b"\x00\xc1\xc0", b"\x02\xc0", b"\x00" + b"\xff" * 9]
)
def test_what_is_no_bundle_is_refused_for_good(nodes: list[Node], data: bytes) -> None:
    answer = nodes[0].gossip.insert(abci.Request(insert_tx=abci.RequestInsertTx(tx=data))).insert_tx
    assert answer.code == REFUSED


def test_bundles_wait_until_there_is_room_to_look_at_them(nodes: list[Node]) -> None:
    held: list[object] = []

    class Busy(AtOnce):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            held.append((fn, args))

    gossip = Gossip(nodes[0].application, Busy(), lambda: NOW)
    bundle = next(bundles([bytes(BUNDLE_BYTES)]))
    codes = [
        gossip.insert(abci.Request(insert_tx=abci.RequestInsertTx(tx=bundle))).insert_tx.code
        for _ in range(MAX_WAITING_BYTES // BUNDLE_BYTES + 1)
    ]
    assert codes[0] == 0
    assert codes[-1] == RETRY
    assert len(held) == codes.count(0)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=30), st.integers(100, 1_000))
def test_bundles_hold_everything_in_order_and_no_more_than_they_may(raws: list[bytes], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gossip_module, "BUNDLE_BYTES", size)
        parts = [unbundle(bundle) for bundle in bundles(raws)]
    assert [raw for part in parts for raw in part] == raws
    assert all(sum(map(len, part)) <= size or len(part) == 1 for part in parts)


def test_an_application_keeps_only_so_many_computed_blocks(nodes: list[Node]) -> None:
    application: Application = nodes[0].application
    for number in range(20):
        assert nodes[0].process(transfers(0, value=number), NOW, nodes[1].address, bytes([number]))
    assert len(application._computed) <= 8
    assert decide(nodes, transfers(0, value=1), nodes[1])
