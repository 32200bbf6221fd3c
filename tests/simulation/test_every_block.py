"""The checks after every block find what a block broke, although they look only at what it changed."""

from collections.abc import Callable

import pytest
from tools.simulation.economy import Economy, Violated, person
from tools.simulation.play import Play, Setting

from flux.contracts.apps.contract import Apps
from flux.contracts.escrow.contract import Escrow
from flux.contracts.market.contract import Market
from flux.contracts.market.types import LeaseState
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import Ask, Currency
from flux.contracts.rewards.contract import Rewards
from flux.contracts.rewards.types import Claim
from flux.contracts.staking.contract import Staking
from flux.primitives.types import U16, U32, U64, U256, Wei


def create_a_wei(economy: Economy) -> None:
    economy.world.mint(person("thief", 0), Wei(U256(1)))


def lose_a_wei_of_a_deposit(economy: Economy) -> None:
    accounts = economy.contract(Escrow).state.accounts
    app, account = next(accounts.items())
    first = account.deposits[0]
    less = (first.but(remaining=first.remaining - 1), *account.deposits[1:])
    accounts.set(app, account.but(deposits=less))


def let_a_lease_run_unpaid(economy: Economy) -> None:
    accruals = economy.contract(Escrow).state.accruals
    key, _ = next(accruals.items())
    accruals.delete(key)


def keep_a_closed_lease_in_the_indices(economy: Economy) -> None:
    leases = economy.contract(Market).state.leases
    id, lease = next((id, lease) for id, lease in leases.items() if lease.state is LeaseState.RUNNING)
    leases.set(id, lease.but(state=LeaseState.CLOSED))


def count_a_load_twice(economy: Economy) -> None:
    loads = economy.contract(Market).state.loads
    node, load = next((node, load) for node, load in loads.items() if load.leases)
    loads.set(node, load.but(cpu_milli=U32(2 * load.cpu_milli)))


def add_a_share(economy: Economy) -> None:
    pools = economy.contract(Staking).state.pools
    node, pool = next(pools.items())
    pools.set(node, pool.but(shares=pool.shares + 1))


def owe_more_than_was_minted(economy: Economy) -> None:
    claims = economy.contract(Rewards).state.claims
    key, claim = next(claims.items())
    claims.set(key, Claim(claim.paid, Wei(U256(10**26))))


DAMAGES = (
    create_a_wei, lose_a_wei_of_a_deposit, let_a_lease_run_unpaid, keep_a_closed_lease_in_the_indices,
    count_a_load_twice, add_a_share, owe_more_than_was_minted,
)  # fmt: skip


def played() -> Play:
    play = Play(Setting(nodes=12, apps=5, years=0.13, epoch_days=14, shares={}, seed=1, check_every=10**9))
    play.run(lambda _: None)
    return play


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damage_ends_the_run_in_its_block(damage: Callable[[Economy], None]) -> None:
    economy = played().economy
    economy.block()
    damage(economy)
    with pytest.raises(Violated):
        economy.block()


def test_leases_in_dollars_are_no_damage() -> None:
    play = played()
    economy, market = play.economy, play.economy.contract(Market)
    for machine in play.population.machines.values():
        ask = Ask(*(U64(part // 2) for part in machine.asks), Currency.USD)
        economy.send(machine.operator.address, economy.contract(Nodes).set_ask, machine.id, ask)
    economy.block()
    for app, tenancy in play.tenants.tenancies.items():
        economy.send(person("tenant", tenancy.owner), economy.contract(Apps).scale, app, U16(6))
    economy.block()
    play.population.start_leases(play.behaviours)
    economy.block()
    economy.check()
    assert any(lease.usd_rate for _, lease in market.state.leases.items() if lease.state is LeaseState.RUNNING)
