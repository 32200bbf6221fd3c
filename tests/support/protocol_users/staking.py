"""What everybody does with stake and with what nodes earn."""

from flux.contracts.rewards.contract import Rewards
from flux.contracts.staking.contract import Staking
from flux.contracts.staking.types import EVERYTHING
from flux.primitives.types import WEI_PER_FLUX
from support.chain_lab import address
from support.protocol_users.users import OPERATORS, TENANTS, Users


def stake(users: Users) -> list[bytes]:
    """Somebody bonds, moves, frees or takes stake, or looks after somebody's position."""
    if not users.nodes:
        return []
    draw = users.draw
    node, other = draw.choice(users.nodes).id, draw.choice(users.nodes).id
    holder = draw.choice((*OPERATORS, *TENANTS))
    amount = draw.choice((EVERYTHING, draw.randrange(1, 400) * WEI_PER_FLUX + draw.randrange(WEI_PER_FLUX)))
    match draw.randrange(6):
        case 0 | 1:
            value = draw.randrange(1, 500) * WEI_PER_FLUX // 2
            return [users.call(holder, Staking, "delegate", node, value=value)]
        case 2:
            return [users.call(holder, Staking, "undelegate", node, amount)]
        case 3:
            return [users.call(holder, Staking, "redelegate", node, other, amount)]
        case 4:
            return [users.call(holder, Staking, "withdraw", node)]
        case _:
            return [users.call(holder, Staking, "refresh", node, address(draw.choice((*OPERATORS, *TENANTS))))]


def earn(users: Users) -> list[bytes]:
    """Somebody takes or stakes what a node has earned, or has it settled."""
    if not users.nodes:
        return []
    node = users.draw.choice(users.nodes)
    holder = users.draw.choice((users.operators[node.operator], users.draw.choice(TENANTS)))
    return [users.call(holder, Rewards, users.draw.choice(("claim", "claim", "compound", "settle")), node.id)]
