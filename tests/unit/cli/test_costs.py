"""What an app cost, by lease and by day."""

from flux.cli import costs
from flux.contracts.escrow.types import HostPaid
from flux.contracts.market.types import LeaseAssigned
from flux.kernel.events import Event
from flux.primitives.types import U64, Hash, Height, Timestamp
from flux.sdk.history import Happened

DAY = 86_400
NOON = 20_000 * DAY + DAY // 2


def at(timestamp: int, event: Event) -> Happened:
    return Happened(Height(U64(timestamp)), Timestamp(U64(timestamp)), Hash(bytes(32)), 0, event)


def assigned(lease: int, ordinal: int, node: int) -> LeaseAssigned:
    return LeaseAssigned(lease, 1, node, ordinal, 1, 10, 0, 0)  # type: ignore[arg-type]


def paid(lease: int, node: int, amount: int, fee: int, seconds: int) -> HostPaid:
    return HostPaid(1, node, bytes(20), amount, fee, seconds, lease)  # type: ignore[arg-type]


def test_leases_cost_what_was_paid_for_each_with_fees() -> None:
    history = [
        at(NOON, assigned(1, 0, 7)),
        at(NOON, assigned(2, 1, 8)),
        at(NOON + 100, paid(1, 7, 98, 2, 100)),
        at(NOON + 100, paid(2, 8, 49, 1, 50)),
        at(NOON + 200, paid(1, 7, 98, 2, 100)),
        at(NOON + 200, paid(9, 7, 10, 0, 1)),
    ]
    found = [(cost.lease, cost.ordinal, cost.node, cost.seconds, cost.wei) for cost in costs.by_lease(history)]
    assert found == [(1, 0, 7, 200, 200), (2, 1, 8, 50, 50), (9, None, 7, 1, 10)]
    assert sum(costs.by_day(history).values()) == 260


def test_a_payment_is_spread_over_the_days_that_it_is_for() -> None:
    midnight = 20_001 * DAY
    history = [at(midnight + 25, paid(1, 7, 100, 1, 100))]
    assert costs.by_day(history) == {"2024-10-04": 75, "2024-10-05": 26}
    three_days = [at(midnight + 2 * DAY, paid(1, 7, 300, 0, 3 * DAY))]
    assert list(costs.by_day(three_days).values()) == [100, 100, 100]
    assert costs.by_day([at(midnight, paid(1, 7, 5, 0, 0))]) == {"2024-10-04": 5}
