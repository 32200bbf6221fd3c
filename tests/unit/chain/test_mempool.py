import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flux.chain import transaction_errors as errors
from flux.chain.mempool import Mempool
from flux.chain.mempool_limits import MempoolLimits
from flux.chain.transaction import Transaction
from flux.primitives.types import U64, U256, Gas, Hash, Nonce, Timestamp, Wei
from support.transactions import GWEI, address, waiting

RICH = Wei(U256(10**30))
BASE_FEE = Wei(U256(GWEI))
NOW = Timestamp(U64(1_000_000))
ROOM = Gas(U64(300_000_000))
SIZE = 1 << 20


def add(pool: Mempool, *transactions: Transaction, nonce: int = 0, balance: Wei = RICH, now: int = NOW) -> None:
    for transaction in transactions:
        pool.add(transaction, Nonce(U64(nonce)), balance, BASE_FEE, Timestamp(U64(now)))


def select(
    pool: Mempool, *, gas: int = ROOM, size: int = SIZE, lane: int = ROOM, fee: int = BASE_FEE
) -> list[Transaction]:
    return pool.select(Gas(U64(gas)), size, Gas(U64(lane)), Wei(U256(fee)))


def test_one_senders_transactions_come_in_nonce_order_however_they_arrive() -> None:
    pool = Mempool()
    sent = [waiting(1, nonce, tip=GWEI * (nonce + 1)) for nonce in range(5)]
    add(pool, sent[0], sent[2], sent[1], sent[4], sent[3])
    assert select(pool) == sent
    assert pool.transactions_of(address(1)) == sent


def test_senders_compete_by_tip_and_equals_by_arrival() -> None:
    pool = Mempool()
    low, high, later = waiting(1, 0, tip=1), waiting(2, 0, tip=3), waiting(3, 0, tip=1)
    add(pool, low, high, later)
    assert select(pool) == [high, low, later]


def test_a_tip_counts_only_as_far_as_the_fee_cap_leaves_room_for_it() -> None:
    pool = Mempool()
    capped, modest = waiting(1, 0, tip=9 * GWEI, cap=GWEI + 1), waiting(2, 0, tip=2)
    add(pool, capped, modest)
    assert select(pool) == [modest, capped]


def test_a_gapped_transaction_waits_until_the_gap_fills() -> None:
    pool = Mempool()
    add(pool, waiting(1, 2), waiting(1, 1))
    assert select(pool) == []
    assert (pool.ready_count, pool.gapped_count) == (0, 2)
    assert pool.pending_nonce(address(1)) == 0
    add(pool, waiting(1, 0))
    assert [transaction.nonce for transaction in select(pool)] == [0, 1, 2]
    assert (pool.ready_count, pool.gapped_count) == (3, 0)
    assert pool.pending_nonce(address(1)) == 3


def test_an_account_without_waiting_transactions_has_no_pending_nonce_of_its_own() -> None:
    pool = Mempool()
    assert pool.pending_nonce(address(1)) is None
    assert pool.transactions_of(address(1)) == []


def test_a_known_transaction_is_found_and_not_taken_twice() -> None:
    pool = Mempool()
    transaction = waiting(1, 0)
    add(pool, transaction)
    assert pool.find(transaction.hash) == transaction
    assert pool.find(Hash(bytes(32))) is None
    with pytest.raises(errors.AlreadyKnown, match="already known"):
        add(pool, transaction)


def test_a_used_nonce_is_refused() -> None:
    pool = Mempool()
    with pytest.raises(errors.NonceTooLow, match="nonce too low: next nonce 5, tx nonce 4"):
        add(pool, waiting(1, 4), nonce=5)


def test_a_fee_cap_below_the_base_fee_is_refused() -> None:
    with pytest.raises(errors.FeeCapTooLow, match="max fee per gas less than block base fee: maxFeePerGas: 999999999"):
        add(Mempool(), waiting(1, 0, tip=1, cap=GWEI - 1))


def test_all_waiting_transactions_of_an_account_together_must_be_affordable() -> None:
    pool = Mempool()
    cost = waiting(1, 0).max_cost
    balance = Wei(U256(2 * cost + 5))
    add(pool, waiting(1, 0), waiting(1, 1, value=5), balance=balance)
    with pytest.raises(errors.InsufficientFunds, match=f"^insufficient funds for gas .* balance {balance}"):
        add(pool, waiting(1, 2), balance=balance)
    with pytest.raises(errors.InsufficientFunds, match=f"queued cost {cost}, tx cost .*, overshot 20999"):
        add(pool, waiting(1, 1, value=5, tip=GWEI + 1, cap=11 * GWEI + 1), balance=Wei(U256(balance + 1)))


def test_a_replacement_must_offer_a_tenth_more_of_both_fees() -> None:
    pool = Mempool()
    old = waiting(1, 0, tip=100, cap=10 * GWEI)
    add(pool, old, waiting(1, 1))
    for tip, cap in ((100, 10 * GWEI), (109, 11 * GWEI), (110, 11 * GWEI - 1)):
        with pytest.raises(errors.ReplacementUnderpriced, match="replacement transaction underpriced"):
            add(pool, waiting(1, 0, tip=tip, cap=cap, value=7))
    new = waiting(1, 0, tip=110, cap=11 * GWEI)
    add(pool, new)
    assert select(pool) == [new, waiting(1, 1)]
    assert pool.find(old.hash) is None
    assert len(pool) == 2


def test_a_gapped_transaction_can_be_replaced_and_stays_gapped() -> None:
    pool = Mempool()
    add(pool, waiting(1, 3), waiting(1, 3, tip=2 * GWEI, cap=20 * GWEI))
    assert (pool.ready_count, pool.gapped_count) == (0, 1)


def test_a_block_uses_up_nonces_whichever_transaction_used_them() -> None:
    pool = Mempool()
    add(pool, *[waiting(1, nonce) for nonce in range(4)], waiting(2, 0))
    pool.committed([waiting(1, 0, value=9), waiting(1, 1)], NOW)
    assert select(pool) == [waiting(1, 2), waiting(1, 3), waiting(2, 0)]
    pool.committed([waiting(1, 2), waiting(1, 3), waiting(2, 0), waiting(3, 0)], NOW)
    assert (len(pool), pool.pending_nonce(address(1))) == (0, None)


def test_a_block_that_fills_a_gap_from_elsewhere_gives_those_behind_it_their_turn() -> None:
    pool = Mempool()
    add(pool, waiting(1, 1), waiting(1, 2))
    pool.committed([waiting(1, 0)], NOW)
    assert [transaction.nonce for transaction in select(pool)] == [1, 2]
    assert pool.gapped_count == 0


def test_a_state_that_moved_on_without_a_word_is_noticed_with_the_next_transaction() -> None:
    pool = Mempool()
    add(pool, waiting(1, 0), waiting(1, 1), waiting(1, 4))
    add(pool, waiting(1, 3), nonce=3)
    assert [transaction.nonce for transaction in select(pool)] == [3, 4]
    assert len(pool) == 2


def test_a_transaction_that_proved_invalid_leaves_and_those_behind_it_wait() -> None:
    pool = Mempool()
    sent = [waiting(1, nonce) for nonce in range(3)]
    add(pool, *sent)
    pool.remove(sent[1].hash)
    pool.remove(sent[1].hash)
    assert select(pool) == [sent[0]]
    assert (pool.gapped_count, pool.pending_nonce(address(1))) == (1, 1)
    add(pool, sent[1])
    assert select(pool) == sent


def test_a_gap_that_stays_is_given_up_after_its_time() -> None:
    pool = Mempool()
    add(pool, waiting(1, 5), waiting(2, 0))
    add(pool, waiting(3, 5), now=NOW + 3600)
    pool.committed([], Timestamp(U64(NOW + 3 * 3600)))
    assert len(pool) == 3
    pool.committed([], Timestamp(U64(NOW + 3 * 3600 + 1)))
    assert pool.transactions_of(address(1)) == []
    assert len(pool) == 2


def test_free_transactions_need_no_balance_and_have_gas_of_their_own() -> None:
    pool = Mempool()
    free = [waiting(sender, 0, cap=0, gas=50_000) for sender in (1, 2, 3)]
    paying = waiting(4, 0)
    add(pool, paying)
    add(pool, *free, balance=Wei(U256(0)))
    assert select(pool) == [*free, paying]
    assert select(pool, lane=100_000) == [*free[:2], paying]
    assert select(pool, gas=20_999) == free
    assert select(pool, fee=100 * GWEI) == free


def test_one_sender_may_mix_free_and_paying_transactions() -> None:
    pool = Mempool()
    sent = [waiting(1, 0), waiting(1, 1, cap=0), waiting(1, 2), waiting(1, 3, cap=0)]
    add(pool, *sent)
    assert select(pool) == sent
    assert select(pool, lane=21_000) == sent[:3]


def test_a_block_has_room_for_so_much_gas_and_so_many_bytes_and_skips_what_does_not_fit() -> None:
    pool = Mempool()
    big, small, behind = waiting(1, 0, tip=9, gas=90_000), waiting(2, 0, tip=5), waiting(1, 1, tip=8)
    add(pool, big, small, behind)
    assert select(pool, gas=100_000) == [big]
    assert select(pool, gas=89_999) == [small]
    assert select(pool, size=225) == [big, behind]
    assert select(pool, size=50) == []
    assert select(pool, fee=10 * GWEI + 6) == [big, behind]


def test_whether_a_block_would_take_anything_depends_on_the_base_fee() -> None:
    pool = Mempool()
    assert not pool.has_executable(BASE_FEE)
    add(pool, waiting(1, 0, tip=1, cap=2 * GWEI), waiting(2, 1))
    assert pool.has_executable(BASE_FEE)
    assert not pool.has_executable(Wei(U256(2 * GWEI + 1)))
    add(pool, waiting(3, 0, cap=0))
    assert pool.has_executable(Wei(U256(2 * GWEI + 1)))


def test_a_full_pool_gives_the_place_of_the_cheapest_to_a_better_one() -> None:
    pool = Mempool(MempoolLimits(transactions=3))
    add(pool, waiting(1, 0, tip=5), waiting(2, 0, tip=2), waiting(2, 1, tip=9))
    with pytest.raises(errors.Underpriced, match="transaction underpriced: txpool is full; a priority fee above 2 wei"):
        add(pool, waiting(3, 0, tip=2))
    add(pool, waiting(3, 0, tip=3))
    assert select(pool) == [waiting(1, 0, tip=5), waiting(3, 0, tip=3)]


def test_a_full_pool_drops_gapped_ones_first_and_takes_no_more_of_them() -> None:
    pool = Mempool(MempoolLimits(transactions=2))
    add(pool, waiting(1, 5, tip=99), waiting(2, 0, tip=1))
    with pytest.raises(errors.PoolFull, match="txpool is full: only transactions whose turn has come"):
        add(pool, waiting(3, 7, tip=999))
    add(pool, waiting(3, 0, tip=1))
    assert pool.gapped_count == 0
    assert len(pool) == 2


def test_a_full_pool_leaves_the_gapped_ones_of_the_lane_alone() -> None:
    pool = Mempool(MempoolLimits(transactions=1))
    add(pool, waiting(1, 5, cap=0), waiting(2, 0, tip=1), waiting(3, 0, tip=2))
    assert pool.gapped_count == 1
    assert select(pool) == [waiting(3, 0, tip=2)]


def test_a_sender_cannot_make_room_by_pushing_out_its_own() -> None:
    pool = Mempool(MempoolLimits(transactions=2))
    add(pool, waiting(1, 0, tip=1), waiting(1, 1, tip=5))
    with pytest.raises(errors.PoolFull, match="the cheapest transactions are of the same account"):
        add(pool, waiting(1, 2, tip=9))


def test_a_pool_of_small_size_makes_room_by_bytes_also_for_replacements() -> None:
    pool = Mempool(MempoolLimits(size=400))
    add(pool, waiting(1, 0, tip=5, size=200), waiting(2, 0, tip=9, size=200))
    with pytest.raises(errors.PoolFull):
        add(pool, waiting(1, 0, tip=50, cap=20 * GWEI, size=300))
    add(pool, waiting(2, 0, tip=50, cap=20 * GWEI, size=200))
    assert select(pool) == [waiting(2, 0, tip=50, cap=20 * GWEI, size=200)]


def test_a_pool_that_can_hold_nothing_says_so() -> None:
    with pytest.raises(errors.PoolFull, match="txpool is full"):
        add(Mempool(MempoolLimits(transactions=0)), waiting(1, 0))


def test_limits_hold_per_account_and_per_kind() -> None:
    limits = MempoolLimits(per_account=2, gapped_per_account=1, gapped=2, lane=2, lane_per_account=1)
    pool = Mempool(limits)
    add(pool, waiting(1, 0), waiting(1, 1))
    with pytest.raises(errors.AccountLimitExceeded, match="account limit exceeded: 2 transactions are waiting"):
        add(pool, waiting(1, 2))
    add(pool, waiting(2, 4))
    with pytest.raises(errors.AccountLimitExceeded, match="nonce 0 is missing; send it first"):
        add(pool, waiting(2, 5))
    add(pool, waiting(3, 4))
    with pytest.raises(errors.AccountLimitExceeded, match="nonce 0 is missing"):
        add(pool, waiting(4, 4))
    add(pool, waiting(5, 0, cap=0))
    with pytest.raises(errors.AccountLimitExceeded, match="1 free transactions are waiting"):
        add(pool, waiting(5, 1, cap=0))
    add(pool, waiting(6, 0, cap=0))
    with pytest.raises(errors.PoolFull, match="the protocol lane is full"):
        add(pool, waiting(7, 0, cap=0))


def test_the_lane_and_paying_traffic_cannot_push_each_other_out() -> None:
    pool = Mempool(MempoolLimits(transactions=1, lane=1))
    free, paying = waiting(1, 0, cap=0), waiting(2, 0, tip=5)
    add(pool, free, paying)
    with pytest.raises(errors.PoolFull):
        add(pool, waiting(3, 0, cap=0))
    add(pool, waiting(4, 0, tip=9))
    assert select(pool) == [free, waiting(4, 0, tip=9)]


def test_what_becomes_gapped_without_room_for_it_leaves() -> None:
    pool = Mempool(MempoolLimits(gapped_per_account=2))
    add(pool, *[waiting(1, nonce) for nonce in range(6)])
    pool.remove(waiting(1, 1).hash)
    assert [transaction.nonce for transaction in pool.transactions_of(address(1))] == [0, 2, 3]
    assert pool.gapped_count == 2


def test_eviction_still_finds_the_cheapest_after_much_traffic_has_gone_through() -> None:
    pool = Mempool(MempoolLimits(transactions=2))
    for nonce in range(200):
        add(pool, waiting(1, nonce, tip=1), nonce=nonce)
        pool.committed([waiting(1, nonce)], NOW)
    add(pool, waiting(2, 0, tip=5), waiting(3, 0, tip=7), waiting(4, 0, tip=6))
    assert select(pool) == [waiting(3, 0, tip=7), waiting(4, 0, tip=6)]


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3), st.integers(0, 5)), max_size=60))
def test_what_is_selected_is_ordered_and_fits(items: list[tuple[int, int, int]]) -> None:
    pool = Mempool()
    for sender, nonce, tip in items:
        try:
            add(pool, waiting(sender, nonce, tip=tip) if tip else waiting(sender, nonce, cap=0))
        except (errors.AlreadyKnown, errors.ReplacementUnderpriced):
            continue
    chosen = select(pool, gas=150_000, lane=63_000)
    for sender in range(1, 5):
        mine = [transaction.nonce for transaction in chosen if transaction.sender == address(sender)]
        assert mine == list(range(len(mine)))
    assert sum(transaction.gas_limit for transaction in chosen if transaction.is_free) <= 63_000
    assert sum(transaction.gas_limit for transaction in chosen if not transaction.is_free) <= 150_000


class PoolMachine(RuleBasedStateMachine):
    """Random traffic against a small pool; what it counts must always be what it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = MempoolLimits(
            transactions=12, size=1_600, per_account=5, gapped=6, gapped_per_account=3, lane=4, lane_per_account=3
        )
        self.pool = Mempool(self.limits)
        self.nonces = dict.fromkeys(range(1, 6), 0)
        self.now = 0

    @rule(
        sender=st.integers(1, 5),
        ahead=st.integers(-1, 5),
        tip=st.integers(0, 30),
        size=st.integers(112, 300),
    )
    def send(self, sender: int, ahead: int, tip: int, size: int) -> None:
        nonce = max(0, self.nonces[sender] + ahead)
        transaction = waiting(sender, nonce, tip=tip, size=size) if tip else waiting(sender, nonce, cap=0)
        known = self.pool.find(transaction.hash)
        before = len(self.pool)
        try:
            add(self.pool, transaction, nonce=self.nonces[sender], now=self.now)
        except errors.TransactionError:
            assert self.pool.find(transaction.hash) is known
            assert len(self.pool) <= before
        else:
            assert known is None
            assert self.pool.find(transaction.hash) is transaction

    @precondition(lambda self: len(self.pool) > 0)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        waiting_ones = [tx for sender in self.nonces for tx in self.pool.transactions_of(address(sender))]
        self.pool.remove(data.draw(st.sampled_from(waiting_ones)).hash)

    @rule(gas=st.integers(0, 200_000), seconds=st.integers(0, 9_000))
    def block(self, gas: int, seconds: int) -> None:
        self.now += seconds
        chosen = select(self.pool, gas=gas, lane=gas)
        for transaction in chosen:
            assert transaction.sender is not None
            sender = int.from_bytes(transaction.sender, "big")
            assert transaction.nonce == self.nonces[sender]
            self.nonces[sender] += 1
        self.pool.committed(chosen, Timestamp(U64(self.now)))

    @invariant()
    def counts_what_it_holds(self) -> None:
        held = {sender: self.pool.transactions_of(address(sender)) for sender in self.nonces}
        everything = [transaction for queue in held.values() for transaction in queue]
        assert len(self.pool) == len(everything) == self.pool.ready_count + self.pool.gapped_count
        paying = [transaction for transaction in everything if not transaction.is_free]
        free = [transaction for transaction in everything if transaction.is_free]
        assert len(paying) <= self.limits.transactions
        assert sum(len(transaction.raw) for transaction in paying) <= self.limits.size
        assert len(free) <= self.limits.lane
        assert self.pool.gapped_count <= self.limits.gapped
        selected = select(self.pool, fee=0)
        assert len(selected) == self.pool.ready_count
        for sender, queue in held.items():
            assert all(transaction.nonce >= self.nonces[sender] for transaction in queue)
            ready = [transaction for transaction in selected if transaction.sender == address(sender)]
            expected = self.pool.pending_nonce(address(sender))
            assert expected is None or expected == self.nonces[sender] + len(ready)


PoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestPoolMachine = PoolMachine.TestCase
