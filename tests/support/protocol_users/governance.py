"""What voters, proposers and feeders do, within bounds and out of them."""

from flux.contracts.accounts.contract import Accounts
from flux.contracts.governor.contract import Governor
from flux.contracts.governor.types import ProposalInfo, ProposalState
from flux.contracts.oracle.contract import Oracle
from flux.contracts.parameters.contract import Parameters
from flux.contracts.policy.contract import Policy
from flux.contracts.votes.contract import Votes
from flux.primitives.types import U16, U64, U256, WEI_PER_FLUX, Wei
from support.chain_lab import address
from support.protocol_users.users import CALLS, OPERATORS, TENANTS, Users

NUMBERS = (
    "market.exclusion", "market.start_deadline", "market.max_leases_per_node", "market.max_placements_per_block",
    "escrow.fee_basis_points", "escrow.min_placement", "nodes.rejoin_delay", "probes.epoch", "probes.suspicion_bound",
    "probes.brake_look", "probes.brake_rate",
    "governor.timelock", "votes.unlock_delay", "chain.gas_stored_byte", "market.nothing",
)  # fmt: skip
"""What random proposals change."""


def lock(users: Users) -> list[bytes]:
    amount = users.draw.randrange(1, 1_500) * WEI_PER_FLUX
    return [users.call(users.draw.choice(OPERATORS), Votes, "lock", value=amount)]


def unlock(users: Users) -> list[bytes]:
    voter = users.draw.choice(OPERATORS)
    locked = users.head.votes.holding(users.head.ctx, address(voter)).locked
    return [users.call(voter, Votes, "unlock", Wei(U256(locked // users.draw.choice((1, 5, 9, 20)))))]


def delegate(users: Users) -> list[bytes]:
    target = address(users.draw.choice((*OPERATORS, *TENANTS)))
    return [users.call(users.draw.choice(OPERATORS), Votes, "delegate", target)]


def propose(users: Users) -> list[bytes]:
    """Something of everything that governance may do, within bounds and out of them."""
    draw = users.draw
    actions = []
    for _ in range(draw.choice((1, 1, 2))):
        path, value = draw.choice(NUMBERS), U256(draw.choice((30, 45, 60, 90, 200, 10**6)))
        app = draw.choice(users.apps).id if users.apps else 1
        actions.append(
            draw.choice(
                (
                    (Parameters, "set_parameter", path, value),
                    (Parameters, "set_parameter", path, value),
                    (Accounts, "grant", address(draw.choice(TENANTS)), Wei(U256(draw.randrange(10**15)))),
                    (Oracle, "register_feeder", address(draw.choice(OPERATORS))),
                    (Oracle, "register_feeder", address(draw.choice(OPERATORS))),
                    (Oracle, "remove_feeder", address(draw.choice(OPERATORS)), draw.random() < 0.5),
                    (Policy, "deny_app", app, "because"),
                    (Policy, "allow_app", app),
                )
            )
        )
    calls = [(contract.address, CALLS[contract, name].encode(*rest)) for contract, name, *rest in actions]
    targets, data = [target for target, _ in calls], [item for _, item in calls]
    text = f"proposal {draw.randrange(10**6)}"
    proposer = draw.choice(OPERATORS)
    return [users.call(proposer, Governor, "propose", targets, [U256(0)] * len(targets), data, text)]


def vote(users: Users) -> list[bytes]:
    open_now = [info for info in newest_proposals(users) if info.state is ProposalState.ACTIVE]
    if not open_now:
        return []
    id = users.draw.choice(open_now).proposal.id
    voters = OPERATORS if users.draw.random() < 0.5 else [users.draw.choice((*OPERATORS, *TENANTS))]
    return [users.call(voter, Governor, "cast_vote", id, users.draw.choice((0, 1, 1, 1, 1, 2, 3))) for voter in voters]


def hurry(users: Users) -> list[bytes]:
    """Somebody queues, executes or cancels by hand, at a right or wrong time."""
    if not (known := newest_proposals(users)):
        return []
    info = users.draw.choice(known)
    proposal = info.proposal
    values = [U256(0)] * len(proposal.targets)
    method = users.draw.choice(("queue", "execute", "cancel"))
    arguments = (list(proposal.targets), values, list(proposal.calldatas), proposal.description_hash)
    sender = users.operators[proposal.proposer] if users.draw.random() < 0.5 else users.draw.choice(OPERATORS)
    return [users.call(sender, Governor, method, *arguments)]


def feed(users: Users) -> list[bytes]:
    """Feeders join, report where the market went, lie, and leave."""
    draw, oracle = users.draw, users.head.oracle
    feeder = draw.choice(OPERATORS)
    if draw.random() < 0.05:
        return [users.call(feeder, Oracle, "leave")]
    if draw.random() < 0.3:
        return [users.call(feeder, Oracle, "report", U64(draw.choice((0, 10**30 % 2**64, 1, 10**14, 5_000_000))))]
    before = oracle.value(users.head.ctx) or 5_000_000
    moved = min(max(before * draw.choice((50, 90, 100, 110, 200)) // 100, 1_000_000), 25_000_000)
    known = dict(oracle.state.feeders.items())
    return [
        users.call(number, Oracle, "report", U64(moved))
        if (record := known.get(address(number))) is not None and record.bond
        else users.call(number, Oracle, "join", value=100 * WEI_PER_FLUX)
        for number in OPERATORS
        if draw.random() < 0.8
    ]


def newest_proposals(users: Users) -> list[ProposalInfo]:
    """The newest ones."""
    first = max(1, users.head.governor.proposal_count(users.head.ctx) - 5)
    return users.head.governor.proposals(users.head.ctx, U64(first), U16(10))
