"""Parameters: what governance changed since genesis. Every block is made under the state that its parent left."""

from flux.contracts.addresses import PARAMETERS
from flux.contracts.parameters import rules
from flux.contracts.parameters.ports import RulesPort
from flux.contracts.parameters.state import ParametersState
from flux.contracts.parameters.types import (
    InvalidUpgradeName,
    NoSuchUpgrade,
    Override,
    Parameter,
    ParameterChanged,
    ParameterOutOfBounds,
    ParametersDisagree,
    ParametersParams,
    UnknownParameter,
    Upgrade,
    UpgradeCancelled,
    UpgradeOutOfOrder,
    UpgradeScheduled,
    UpgradeTooSoon,
)
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, view
from flux.primitives.types import U32, U256, ChainTime, Hash


class Parameters(Contract):
    """Numbers and upgrades that governance set; they apply from the next block on."""

    name = "Parameters"
    address = PARAMETERS
    events = (ParameterChanged, UpgradeScheduled, UpgradeCancelled)
    errors = (
        UnknownParameter,
        ParameterOutOfBounds,
        ParametersDisagree,
        InvalidUpgradeName,
        UpgradeTooSoon,
        UpgradeOutOfOrder,
        NoSuchUpgrade,
    )

    def __init__(self, host: Host, params: ParametersParams, bounds: RulesPort) -> None:
        super().__init__(host)
        self.params = params
        self.state = ParametersState(host.storage)
        self.bounds = bounds

    @method(gas=100_000, governed=True)
    def set_parameter(self, ctx: Context, path: str, value: U256) -> None:
        """Change a number from the next block on.

        Raises UnknownParameter, ParameterOutOfBounds, ParametersDisagree.
        """
        before = self.bounds.check(path, value, self.overrides())
        self.state.overrides.set(path, Override(value))
        self._seal()
        self.host.emit(ParameterChanged(path, value, before.value))

    @method(gas=60_000, governed=True)
    def schedule_upgrade(self, ctx: Context, name: str, since: ChainTime) -> None:
        """Have blocks from a protocol time on follow an upgrade; nodes that do not know it stop before.

        Raises InvalidUpgradeName, UpgradeTooSoon, UpgradeOutOfOrder.
        """
        scheduled = self.upgrades(ctx)
        upgrade = Upgrade(name, since)
        rules.check_upgrade(upgrade, scheduled, ctx.now, self.params.upgrade_notice)
        self.state.upgrades.set(U32(len(scheduled) + 1), upgrade)
        self._seal()
        self.host.emit(UpgradeScheduled(name, since))

    @method(gas=60_000, governed=True)
    def cancel_upgrade(self, ctx: Context, name: str) -> None:
        """Drop the last scheduled upgrade while its time lies ahead. Raises NoSuchUpgrade."""
        scheduled = self.upgrades(ctx)
        if not scheduled or scheduled[-1].name != name or scheduled[-1].since <= ctx.now:
            raise NoSuchUpgrade(name)
        self.state.upgrades.delete(U32(len(scheduled)))
        self._seal()
        self.host.emit(UpgradeCancelled(name))

    @view()
    def parameter(self, ctx: Context, path: str) -> Parameter:
        """A number with its bounds. Raises UnknownParameter."""
        return self.bounds.parameter(path, self.overrides())

    @view(gas=50_000)
    def parameters(self, ctx: Context) -> list[Parameter]:
        """Every number that governance may change, with its bounds."""
        return self.bounds.all(self.overrides())

    @view(gas=10_000)
    def upgrades(self, ctx: Context) -> list[Upgrade]:
        """All upgrades that were ever scheduled and not cancelled, in order."""
        return [upgrade for _, upgrade in self.state.upgrades.items()]

    @view()
    def digest(self, ctx: Context) -> Hash:
        """Identity of all changes since genesis; zero while there is none."""
        return self.state.digest.get()

    def overrides(self) -> dict[str, U256]:
        """Changed numbers by path."""
        return {path: override.value for path, override in self.state.overrides.items()}

    def _seal(self) -> None:
        upgrades = [upgrade for _, upgrade in self.state.upgrades.items()]
        self.state.digest.set(rules.digest(self.overrides(), upgrades))
