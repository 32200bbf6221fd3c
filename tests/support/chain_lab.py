"""A chain around the counter contract, driven by hand: keys, signed transactions, blocks."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from flux.chain.application import Application, FinalizedBlock
from flux.chain.mempool_limits import MempoolLimits
from flux.chain.params import ChainParams
from flux.chain.ports import ALONE, Genesis, Workers
from flux.chain.pruning import KEEP_ALL
from flux.chain.receipt import Receipt
from flux.chain.store import Store
from flux.chain.transaction import Transaction, decode
from flux.database.memory_store import MemoryStore
from flux.kernel.context import World
from flux.primitives.keccak import keccak256
from flux.primitives.types import U64, U256, Address, Gas, Nonce, Timestamp, Wei
from flux.sdk.signer import LocalSigner
from flux.sdk.transaction import Draft, Fees, sign_transaction
from support.counter import COUNTER, CounterMachine, encode, genesis
from support.transactions import CHAIN_ID, GWEI, PARAMS

START = 1_700_000_000
PRODUCER = Address(b"\x0f" * 20)
FUNDS = 10**24


@cache
def signer(number: int) -> LocalSigner:
    """A key pair of its own for each number."""
    return LocalSigner(keccak256(b"test key %d" % number))


def address(number: int) -> Address:
    """The account of `signer(number)`."""
    return signer(number).address


def funded(count: int = 4) -> Genesis:
    """A genesis where the first accounts have FUNDS wei."""
    return genesis({address(number): FUNDS for number in range(count)}, chain_id=CHAIN_ID, timestamp=START)


class Lab:
    """An application on a store, with what tests do to it."""

    def __init__(
        self,
        store: Store | None = None,
        *,
        start: Genesis | None = None,
        params: ChainParams = PARAMS,
        workers: Workers = ALONE,
        limits: MempoolLimits | None = None,
        keep_blocks: int = KEEP_ALL,
    ) -> None:
        self.store: Store = MemoryStore() if store is None else store
        self.params = params

        def machine(world: World) -> CounterMachine:
            return CounterMachine(world, params)

        self.application = Application(
            self.store, machine, start or funded(), workers=workers, limits=limits, keep_blocks=keep_blocks
        )
        self.nonces: dict[int, int] = {}

    @property
    def now(self) -> Timestamp:
        """Time of the newest block."""
        return self.application.ledger.head().header.timestamp

    def transaction(self, account: int, to: Address = COUNTER, data: bytes = b"", **fields: Any) -> bytes:
        """A signed transaction with the account's next nonce; `lane=True` offers no fee."""
        nonce = fields.pop("nonce", None)
        if nonce is None:
            nonce = self.nonces.get(account, 0)
            self.nonces[account] = nonce + 1
        fee = 0 if fields.pop("lane", False) else fields.pop("fee", 20 * GWEI)
        tip = min(fee, fields.pop("tip", GWEI))
        draft = Draft(
            chain_id=fields.pop("chain_id", CHAIN_ID),
            nonce=Nonce(U64(nonce)),
            to=to,
            value=Wei(U256(fields.pop("value", 0))),
            data=data,
            gas_limit=Gas(U64(fields.pop("gas", 200_000 if data else 21_000))),
            fees=Fees(max_fee=Wei(U256(fee)), max_priority_fee=Wei(U256(tip))),
        )
        assert not fields, fields
        return sign_transaction(draft, signer(account)).raw

    def call(self, account: int, signature: str, *arguments: object, **fields: Any) -> bytes:
        """A signed call of the counter."""
        return self.transaction(account, COUNTER, encode(signature, *arguments), **fields)

    def finalize(self, raws: Sequence[bytes], seconds: int = 1) -> FinalizedBlock:
        """Compute the next block, past the mempool."""
        transactions = [self.decoded(raw) for raw in raws]
        return self.application.finalize(transactions, Timestamp(U64(self.now + seconds)), PRODUCER)

    def block(self, *raws: bytes, seconds: int = 1) -> list[Receipt]:
        """Make a block of these transactions, past the mempool; the receipts, the system transaction's last."""
        finalized = self.finalize(raws, seconds)
        assert not finalized.dropped, finalized.dropped
        self.application.commit(finalized)
        return finalized.receipts

    def produce(self, seconds: int = 1) -> FinalizedBlock:
        """Make a block of what the mempool proposes."""
        timestamp = Timestamp(U64(self.now + seconds))
        finalized = self.application.finalize(self.application.propose(timestamp), timestamp, PRODUCER)
        self.application.commit(finalized)
        return finalized

    def decoded(self, raw: bytes) -> Transaction:
        """The transaction, as it came from elsewhere."""
        return decode(raw, CHAIN_ID, max_bytes=self.params.max_transaction_bytes)

    def balance(self, owner: Address) -> int:
        """At the head."""
        with self.application.ledger.state_at() as view:
            return view.balance(owner)


def with_params(**changes: object) -> ChainParams:
    """The test parameters with some replaced."""
    return PARAMS.but(**changes)
