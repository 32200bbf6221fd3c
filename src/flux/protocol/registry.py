"""The one list of contracts, and how they are bound to each other. Order is consensus: invariants run in it."""

from flux.contracts.accounts.contract import Accounts
from flux.contracts.apps.contract import Apps
from flux.contracts.escrow.contract import Escrow
from flux.contracts.market.contract import Market
from flux.contracts.market.fleet_cache import FleetCache
from flux.contracts.nodes.contract import Nodes
from flux.contracts.probes.contract import Probes
from flux.contracts.secrets.contract import Secrets
from flux.contracts.validators.contract import Validators
from flux.kernel.context import Host, World
from flux.kernel.contract import Contract
from flux.protocol.hooks import AppsLink, MarketLink
from flux.protocol.machine import ContractSet, ProtocolMachine
from flux.protocol.params import Params

CONTRACTS: tuple[type[Contract], ...] = (Accounts, Nodes, Apps, Market, Escrow, Secrets, Probes, Validators)


class ProtocolFactory:
    """Builds machines of one chain; they share what is derived from state and validates itself."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self._fleets = FleetCache()

    def __call__(self, world: World) -> ProtocolMachine:
        """The contracts bound to a world."""
        return ProtocolMachine(world, self.contracts(world), self._params)

    def contracts(self, world: World) -> ContractSet:
        """Build the contracts and wire them."""
        params = self._params
        to_market, to_apps = MarketLink(), AppsLink()
        accounts = Accounts(Host(world, Accounts.address), params.accounts)
        nodes = Nodes(Host(world, Nodes.address), params.nodes, to_market)
        escrow = Escrow(Host(world, Escrow.address), params.escrow, to_apps, to_market, nodes)
        secrets = Secrets(Host(world, Secrets.address), params.secrets, to_apps, to_market, nodes)
        apps = Apps(Host(world, Apps.address), params.apps, to_market, escrow, secrets)
        market = Market(Host(world, Market.address), params.market, apps, nodes, escrow, secrets, self._fleets)
        probes = Probes(Host(world, Probes.address), params.probes, nodes, market)
        validators = Validators(Host(world, Validators.address))
        to_market.market, to_apps.apps = market, apps
        everything: tuple[Contract, ...] = (accounts, nodes, apps, market, escrow, secrets, probes, validators)
        return ContractSet(everything, accounts, market, probes, validators)
