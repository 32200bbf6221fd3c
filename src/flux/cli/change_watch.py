"""How a change of revision goes, as the chain tells it: what is printed meanwhile, and when the command failed."""

from typing import TYPE_CHECKING, Protocol

from flux.cli.errors import FAILED, CliError
from flux.cli.seeds import find_seed
from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.rollout_types import Rollout, RolloutState
from flux.sdk.bindings.market import Market
from flux.sdk.deployment import Progress, SeedGiver

if TYPE_CHECKING:
    from flux.cli.context import CommandContext
    from flux.sdk.client import FluxClient


class Change(Protocol):
    """The change that is watched."""

    context: "CommandContext"
    client: "FluxClient"
    app: AppId
    name: str
    revision: Revision

    def giver_of(self, seed: bytes) -> SeedGiver:
        """Who gives a seed to nodes."""
        ...


class ChangeWatch:
    """Watches the rollout of one revision."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self._told = RolloutState.NONE
        self._back: SeedGiver | None = None

    async def look(self, state: Progress) -> bool:
        """Whether it is done; where the app goes back, its nodes are given the old seed. Raises CliError: it failed."""
        change = self._change
        rollout = await Market(change.client).rollout(change.app)
        if rollout.state is RolloutState.NONE:
            hint = "see your apps with `flux app ls`"
            raise CliError(f"{change.name} was removed meanwhile", hint, FAILED, "AppRemoved")
        if rollout.target != change.revision:
            raise CliError(
                f"{change.name} is on its way to revision {rollout.target} now: another change took over",
                f"see it with `flux app show {change.name}`",
                FAILED,
                "RolloutReplaced",
            )
        if rollout.state is RolloutState.ROLLING_BACK:
            await self._go_back(rollout, state)
        elif rollout.state in (RolloutState.FAILED, RolloutState.PAUSED):
            raise failure(change.name, rollout)
        return rollout.state is RolloutState.DONE

    async def _go_back(self, rollout: Rollout, state: Progress) -> None:
        change = self._change
        if self._told is not rollout.state:
            self._told = rollout.state
            change.context.output.note(f"  failed: {rollout.reason}")
            change.context.output.note(f"  goes back to revision {rollout.source}")
            seed = await find_seed(change.context, change.client, change.app, change.name, rollout.source)
            self._back = None if seed is None else change.giver_of(seed)
        if self._back is not None:
            await self._back.give(list(state.open), rollout.source)


def failure(name: str, rollout: Rollout) -> CliError:
    """What to say of a rollout that is over and not done."""
    if rollout.state is RolloutState.PAUSED:
        ending = "it is paused, and every instance stays as it is"
        hint = f"update again with a repaired file, or `flux app rollback {name}`"
    elif rollout.turned_at:
        ending = f"all instances run revision {rollout.source} again"
        hint = f"see `flux app why {name}` and `flux app logs {name}`; then update again with a repaired file"
    else:
        ending = f"{rollout.steps} instances came to it, the others stay as they are"
        hint = f"see `flux app why {name}`; update again with a repaired file, or `flux app rollback {name}`"
    return CliError(
        f"the rollout of {name} to revision {rollout.target} failed: {rollout.reason}; {ending}",
        hint,
        FAILED,
        "RolloutFailed",
    )
