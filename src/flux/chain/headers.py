"""Making headers: of block 0 from the genesis, of the next block from what its execution gave."""

from flux.chain import fees
from flux.chain.block import Header
from flux.chain.executor import ExecutedBlock
from flux.chain.params import ChainParams
from flux.chain.ports import Genesis
from flux.chain.trie import EMPTY_ROOT, ordered_root
from flux.primitives.bloom import EMPTY_BLOOM, union
from flux.primitives.types import U64, Address, Gas, Hash, Height, Timestamp, Wei

_NO_GAS = Gas(U64(0))


def genesis_header(genesis: Genesis, state_root: Hash, params: ChainParams) -> Header:
    """The header of block 0; its seed is the genesis file's digest."""
    return Header(
        parent_hash=Hash(bytes(32)),
        producer=Address(bytes(20)),
        state_root=state_root,
        transactions_root=EMPTY_ROOT,
        receipts_root=EMPTY_ROOT,
        logs_bloom=EMPTY_BLOOM,
        number=Height(U64(0)),
        gas_limit=_gas_limit(params),
        gas_used=_NO_GAS,
        timestamp=genesis.timestamp,
        excess_gas=_NO_GAS,
        seed=genesis.digest,
        base_fee=fees.base_fee(_NO_GAS, params),
    )


def next_header(
    parent: Header,
    executed: ExecutedBlock,
    state_root: Hash,
    timestamp: Timestamp,
    producer: Address,
) -> Header:
    """The header of the block after `parent`."""
    receipts = executed.receipts
    return Header(
        parent_hash=parent.hash,
        producer=producer,
        state_root=state_root,
        transactions_root=ordered_root([transaction.raw for transaction in executed.transactions]),
        receipts_root=ordered_root([receipt.encode() for receipt in receipts]),
        logs_bloom=union(receipt.bloom for receipt in receipts),
        number=Height(U64(parent.number + 1)),
        gas_limit=_gas_limit(executed.params),
        gas_used=executed.gas_used,
        timestamp=timestamp,
        excess_gas=executed.excess_gas,
        seed=executed.seed,
        base_fee=executed.base_fee,
    )


def next_base_fee(head: Header, now: Timestamp, params: ChainParams) -> Wei:
    """Wei per gas that a block on top of `head` would burn, made now."""
    excess = fees.starting_excess(head.excess_gas, head.timestamp, Timestamp(max(now, head.timestamp)), params)
    return fees.base_fee(excess, params)


def _gas_limit(params: ChainParams) -> Gas:
    """Paying transactions and the protocol lane together."""
    return Gas(U64(params.block_gas_limit + params.lane_gas_limit))
