"""What must hold of staking after every block."""

from collections import Counter
from collections.abc import Iterator

from flux.contracts.nodes.types import NodeId
from flux.contracts.staking import rules
from flux.contracts.staking.contract import Staking
from flux.primitives.types import ChainTime


def check(staking: Staking) -> list[str]:
    """Violations as sentences."""
    return [*_check_pools(staking), *_check_batches(staking), *_check_powers(staking), *_check_balance(staking)]


def _check_pools(staking: Staking) -> Iterator[str]:
    held: Counter[NodeId] = Counter()
    worth: Counter[NodeId] = Counter()
    own: Counter[NodeId] = Counter()
    for (account, node), position in staking.state.positions.items():
        pool = staking.state.pools.find(node)
        if pool is None:
            yield f"an account has shares of node {node}, which has no pool"
            continue
        held[node] += position.shares
        worth[node] += rules.value_of(position.shares, pool.stake, pool.shares)
        if account == pool.operator:
            own[node] += position.shares
        if position.shares == 0:
            yield f"an empty position in node {node} is kept"
    for node, pool in staking.state.pools.items():
        if held[node] != pool.shares:
            yield f"positions in node {node} hold {held[node]} shares but the pool counts {pool.shares}"
        if worth[node] > pool.stake:
            yield f"shares of node {node} are worth {worth[node]} wei but the pool holds {pool.stake}"
        if own[node] != pool.own_shares:
            yield f"the operator of node {node} holds {own[node]} shares but the pool counts {pool.own_shares}"
        if (pool.shares == 0) != (pool.stake == 0):
            yield f"the pool of node {node} has {pool.shares} shares for {pool.stake} wei"
        if pool.commission > staking.params.max_commission:
            yield f"the commission of node {node} is above the maximum"


def _check_batches(staking: Staking) -> Iterator[str]:
    units: Counter[tuple[NodeId, ChainTime]] = Counter()
    moved: Counter[tuple[NodeId, ChainTime]] = Counter()
    for (_, node, begins), held in staking.state.entries.items():
        units[node, begins] += held
    for (account, node), move in staking.state.moves.items():
        moved[move.source, move.begins] += move.units
        if move.shares > staking.ledger.position(account, node).shares:
            yield f"more of a position in node {node} is locked than it has"
    batches = dict(staking.state.batches.items())
    for key, batch in batches.items():
        if (units[key], moved[key]) != (batch.units, batch.moved_units):
            yield f"the batch {key} counts {batch.units} and {batch.moved_units} units, not {units[key]}, {moved[key]}"
        if batch.units == batch.moved_units == 0:
            yield f"the batch {key} is empty and yet kept"
    for key in sorted((units | moved).keys() - batches.keys()):
        yield f"entries name the batch {key}, which does not exist"


def _check_powers(staking: Staking) -> Iterator[str]:
    powers: Counter[bytes] = Counter()
    for (account, _), position in staking.state.positions.items():
        powers[account] += position.power
    if {account: power for account, power in powers.items() if power} != dict(staking.state.powers.items()):
        yield "voting power is not the sum over positions"


def _check_balance(staking: Staking) -> Iterator[str]:
    bonded = sum(pool.stake for _, pool in staking.state.pools.items())
    leaving = sum(batch.amount for _, batch in staking.state.batches.items())
    if staking.host.balance() != bonded + leaving:
        yield f"{bonded} wei are bonded and {leaving} leave, but the contract holds {staking.host.balance()}"
