"""What anybody may do next, the more often named the likelier."""

from collections.abc import Callable

from support.protocol_users import governance, hosting, slashing, staking, tenants, validators
from support.protocol_users.users import Users

DEEDS: tuple[Callable[[Users], list[bytes]], ...] = (
    hosting.register, hosting.register, hosting.activate, hosting.activate, hosting.leave, hosting.declare,
    hosting.drain, hosting.stop, hosting.stall,
    *[validators.act] * 4, staking.stake, staking.stake, hosting.see, hosting.see, staking.earn,
    *[tenants.deploy] * 4, tenants.update, tenants.update, tenants.roll_back, tenants.scale,
    tenants.pause_or_resume, tenants.top_up,
    tenants.remove, *[hosting.confirm] * 16, hosting.fail, tenants.move, tenants.rebalance,
    tenants.hand_seeds, *[tenants.share_seeds] * 2,
    hosting.outage, hosting.outage, hosting.refute, hosting.refute, hosting.lie, tenants.pay,
    hosting.measure, hosting.measure, governance.lock, governance.unlock, governance.delegate,
    *[governance.propose] * 4, *[governance.vote] * 6, governance.hurry, tenants.police,
    slashing.prosecute, slashing.prosecute, slashing.lie_about_work, slashing.appeal, *[slashing.judge] * 6,
    *[governance.feed] * 3, *[hosting.stand_by] * 4,
)  # fmt: skip


def act(users: Users) -> list[bytes]:
    """One user's deed."""
    return users.draw.choice(DEEDS)(users)
