"""The one list of contracts, and how they are bound to each other. Order is consensus: invariants run in it."""

from flux.contracts.accounts.contract import Accounts
from flux.contracts.apps.contract import Apps
from flux.contracts.benchmarks.contract import Benchmarks
from flux.contracts.escrow.contract import Escrow
from flux.contracts.governor.contract import Governor
from flux.contracts.market.contract import Market
from flux.contracts.market.fleet_cache import FleetCache
from flux.contracts.nodes.contract import Nodes
from flux.contracts.oracle.contract import Oracle
from flux.contracts.parameters.contract import Parameters
from flux.contracts.parameters.state import ParametersState
from flux.contracts.policy.contract import Policy
from flux.contracts.probes.contract import Probes
from flux.contracts.rewards.contract import Rewards
from flux.contracts.secrets.contract import Secrets
from flux.contracts.slashing.contract import Slashing
from flux.contracts.staking.contract import Staking
from flux.contracts.validators.contract import Validators
from flux.contracts.votes.contract import Votes
from flux.kernel.context import ContractStorage, Host, World
from flux.kernel.contract import Contract
from flux.primitives.types import Hash
from flux.protocol.hooks import (
    AppsLink,
    BlockWork,
    CallsLink,
    EpochHooks,
    EscrowLink,
    FaultsLink,
    MarketLink,
    ProbesLink,
    RewardsLink,
    StakingLink,
)
from flux.protocol.machine import ContractSet, ProtocolMachine, Settings
from flux.protocol.overrides import ParameterRules, apply
from flux.protocol.params import Params

KEPT = 8
"""Settings remembered: the head's, a few of older states that clients ask about, those of competing proposals."""
CONTRACTS: tuple[type[Contract], ...] = (
    Accounts,
    Nodes,
    Apps,
    Market,
    Escrow,
    Secrets,
    Probes,
    Validators,
    Parameters,
    Staking,
    Rewards,
    Benchmarks,
    Votes,
    Governor,
    Policy,
    Slashing,
    Oracle,
)


class ProtocolFactory:
    """Builds machines of one chain; they share what is derived from state and validates itself."""

    def __init__(self, params: Params) -> None:
        """`params` are the genesis'; a state may have others in their place."""
        self._genesis = params
        self._rules = ParameterRules(params)
        self._settings: dict[Hash, Settings] = {}

    def __call__(self, world: World) -> ProtocolMachine:
        """The contracts bound to a world."""
        return ProtocolMachine(world, self.contracts)

    def contracts(self, world: World) -> ContractSet:
        """Build the contracts under the parameters that the world's state sets, and wire them."""
        settings = self._settings_of(world)
        params = settings.params
        to_market, to_apps, to_staking, to_escrow = MarketLink(), AppsLink(), StakingLink(), EscrowLink()
        to_rewards, to_calls, to_faults, to_probes = RewardsLink(), CallsLink(world), FaultsLink(), ProbesLink()
        votes = Votes(Host(world, Votes.address), params.votes)
        governor = Governor(Host(world, Governor.address), params.governor, votes, to_calls)
        accounts = Accounts(Host(world, Accounts.address), params.accounts)
        nodes = Nodes(Host(world, Nodes.address), params.nodes, to_market, to_staking)
        staking = Staking(Host(world, Staking.address), params.staking, accounts, nodes, votes, to_rewards)
        oracle = Oracle(Host(world, Oracle.address), params.oracle, to_escrow)
        escrow = Escrow(Host(world, Escrow.address), params.escrow, to_apps, to_market, nodes, oracle)
        to_escrow.escrow = escrow
        secrets = Secrets(Host(world, Secrets.address), params.secrets, to_apps, to_market, nodes, staking, to_probes)
        policy = Policy(Host(world, Policy.address), params.policy, to_apps)
        apps = Apps(Host(world, Apps.address), params.apps, to_market, escrow, secrets, policy)
        fleets = settings.fleets
        market = Market(
            Host(world, Market.address), params.market, apps, nodes, escrow, secrets, to_probes, oracle, fleets
        )
        validators = Validators(Host(world, Validators.address), params.validators, nodes, staking)
        work = BlockWork(validators, staking)
        rewards = Rewards(Host(world, Rewards.address), params.rewards, accounts, nodes, staking, work)
        to_rewards.rewards = rewards
        epochs = EpochHooks((validators, rewards))
        probes = Probes(
            Host(world, Probes.address), params.probes, nodes, market, validators, epochs, rewards, to_faults
        )
        to_probes.probes = probes
        slashing = Slashing(Host(world, Slashing.address), params.slashing, nodes, probes, staking)
        to_faults.slashing = slashing
        benchmarks = Benchmarks(Host(world, Benchmarks.address), params.benchmarks, nodes, probes)
        parameters = Parameters(Host(world, Parameters.address), params.parameters, self._rules)
        to_market.market, to_apps.apps, to_staking.staking = market, apps, staking
        everything: tuple[Contract, ...] = (
            accounts,
            nodes,
            apps,
            market,
            escrow,
            secrets,
            probes,
            validators,
            parameters,
            staking,
            rewards,
            benchmarks,
            votes,
            governor,
            policy,
            slashing,
            oracle,
        )
        to_calls.contracts = {contract.address: contract for contract in everything}
        return ContractSet(settings, everything, accounts, market, probes, validators, rewards, votes, governor)

    def _settings_of(self, world: World) -> Settings:
        state = ParametersState(ContractStorage(world, Parameters.address))
        digest = state.digest.get()
        found = self._settings.get(digest)
        if found is None:
            overrides = {path: override.value for path, override in state.overrides.items()}
            upgrades = tuple(upgrade for _, upgrade in state.upgrades.items())
            found = Settings(digest, apply(self._genesis, overrides), upgrades, FleetCache())
            self._settings[digest] = found
            if len(self._settings) > KEPT:
                del self._settings[next(iter(self._settings))]
        return found
