"""The holders of FLUX move two prices while everything runs."""

from typing import Any

from flux.contracts import addresses
from flux.contracts.apps.types import AppId
from flux.contracts.escrow.types import HostPaid
from flux.contracts.governor.types import ProposalExecuted, ProposalState
from flux.primitives.types import U256
from flux.primitives.units import format_flux
from flux.sdk.bindings.governor import Governor
from tools.demonstration.history import history
from tools.demonstration.stage import DemoFailed, Stage
from tools.demonstration.waiting import found

VOTER = "dev8"
LOCKED = "20000"
FEE = 100
"""Basis points of what tenants pay; the chain begins with 200."""
LEAST = 10**18
"""Wei of the smallest deposit; the chain begins with a hundredth of it."""
_STATE_SECONDS = 60.0


class Vote:
    """One proposal from the first vote to its effect."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._governor = Governor(stage.cloud.client)
        self._before: dict[str, Any] = {}
        self._chain = 0
        """Process that makes the blocks."""
        self._id = U256(0)
        self._executed_at = 0

    async def lock(self) -> None:
        """Get votes: they count from the next second on."""
        locked = await self._stage.flux("dao", "lock", LOCKED, "--account", VOTER)
        self._stage.say(
            f"{VOTER} locks {locked['locked']} FLUX: as many votes from the next second on; staked FLUX votes too"
        )

    async def propose(self) -> None:
        """Propose other prices, and vote for them once the vote has begun."""
        stage = self._stage
        self._before = await _prices(stage)
        self._chain = _chain_process(stage)
        stage.say(
            f"a tenant's fee is {self._before['fee']} basis points, the smallest deposit {self._before['least']} FLUX"
        )
        changes = ("--set", f"escrow.fee_basis_points={FEE}", "--set", f"escrow.min_deposit={LEAST}")
        made = await stage.flux("dao", "propose", "Half the fee", *changes, "--account", VOTER)
        self._id = U256(int(made["id"]))
        await self._reach(ProposalState.ACTIVE)
        await stage.show("dao", "vote", str(made["number"]), "for", "--account", VOTER)
        await stage.show("dao", "show", str(made["number"]))

    async def see_effect(self) -> dict[str, Any]:
        """Wait until the protocol has queued and executed it; show what is different. Raises DemoFailed."""
        stage = self._stage
        await self._reach(ProposalState.EXECUTED)
        (self._executed_at,) = [
            past.block
            for past in await history(stage.cloud.client, addresses.GOVERNOR)
            if isinstance(past.event, ProposalExecuted)
        ]
        stage.say(
            f"the vote ended, the timelock too; in block {self._executed_at} the protocol carried the proposal out:"
        )
        stage.say("  nobody called anything, nothing was restarted")
        now = await _prices(stage)
        stage.say(f"  fee: {self._before['fee']} → {now['fee']} basis points (`flux chain params escrow`)")
        stage.say(f"  smallest deposit of a new quote: {self._before['least']} → {now['least']} FLUX (`flux plan`)")
        if (now["fee"], now["least"]) != (FEE, format_flux(LEAST)):
            raise DemoFailed(f"the vote did not move the prices: {now}")
        if _chain_process(stage) != self._chain:
            raise DemoFailed("the chain's process is another one than before")
        return {"fee_basis_points": now["fee"]}

    async def bill_at_new_fee(self, app: AppId, name: str) -> None:
        """Remove an app: what its hosts are paid after the vote carries the new fee. Raises DemoFailed."""
        stage = self._stage
        await stage.flux("app", "rm", name, "--yes")
        paid = [
            event
            for block, event in await history(stage.cloud.client, addresses.ESCROW, app)
            if isinstance(event, HostPaid) and block > self._executed_at
        ]
        for event in paid:
            whole = event.amount + event.fee
            stage.say(
                f"  {name} is removed: its host gets {format_flux(event.amount)} of {format_flux(whole)} FLUX, "
                f"the treasury {format_flux(event.fee)}"
            )
            if event.fee != whole * FEE // 10_000:
                raise DemoFailed("a bill after the vote does not have the new fee")
        if not paid:
            raise DemoFailed(f"nobody was paid for {name}")

    async def _reach(self, state: ProposalState) -> None:
        async def reached() -> bool:
            now = (await self._governor.proposal(self._id)).state
            if now in (ProposalState.DEFEATED, ProposalState.EXPIRED, ProposalState.CANCELED):
                raise DemoFailed(f"the proposal is {now.name.lower()}")
            # States pass by themselves, so a later one is as good.
            return now >= state

        await found(reached, _STATE_SECONDS, f"the proposal is {state.name.lower()}", 0.2)


async def _prices(stage: Stage) -> dict[str, Any]:
    params = await stage.flux("chain", "params", "escrow")
    quote = await stage.flux("plan", "examples/hello/compose.yaml")
    return {"fee": params["escrow"]["feeBasisPoints"], "least": quote["smallest_deposit"]}


def _chain_process(stage: Stage) -> int:
    chain = stage.cloud.chain
    if chain is None or chain.exit_code is not None:
        raise DemoFailed("the chain's process has ended")
    return chain.pid
