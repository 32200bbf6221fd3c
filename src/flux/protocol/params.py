"""Every number of the protocol, with its default and a `minimal` twin that makes tests and local clouds fast.

Sources: DESIGN.md §4 and §5; tier thresholds from the Flux network's own benchmark constants.
"""

import msgspec

from flux.chain.params import ChainParams
from flux.contracts.accounts.types import AccountsParams
from flux.contracts.apps.types import AppsParams
from flux.contracts.benchmarks.types import BenchmarksParams, TaskSizes, TierBenchmark
from flux.contracts.escrow.types import EscrowParams
from flux.contracts.governor.types import GovernorParams
from flux.contracts.market.types import MarketParams
from flux.contracts.nodes.types import Ask, NodesParams, TierRequirement
from flux.contracts.oracle.types import OracleParams
from flux.contracts.parameters.types import ParametersParams
from flux.contracts.policy.types import PolicyParams
from flux.contracts.probes.types import ProbesParams
from flux.contracts.rewards.types import RewardsParams
from flux.contracts.secrets.types import SecretsParams
from flux.contracts.slashing.types import SlashingParams
from flux.contracts.staking.types import BasisPoints, PartsPerMillion, StakingParams
from flux.contracts.validators.types import ValidatorsParams
from flux.contracts.votes.types import VotesParams
from flux.kernel.record import Record
from flux.primitives.types import U8, U16, U32, U64, U256, WEI_PER_FLUX, WEI_PER_GWEI, Gas, Seconds, Wei
from flux.primitives.types import flux as whole


class ProtocolParams(Record, frozen=True):
    """Parameters of what the protocol does by itself at block end."""

    max_due_per_block: U32
    """Scheduled entries worked off per block; the rest waits for the next."""


class Params(Record, frozen=True):
    """All parameters, by the part of the system that reads them."""

    chain: ChainParams
    protocol: ProtocolParams
    accounts: AccountsParams
    nodes: NodesParams
    staking: StakingParams
    rewards: RewardsParams
    apps: AppsParams
    market: MarketParams
    escrow: EscrowParams
    secrets: SecretsParams
    probes: ProbesParams
    validators: ValidatorsParams
    benchmarks: BenchmarksParams
    slashing: SlashingParams
    parameters: ParametersParams
    votes: VotesParams
    governor: GovernorParams
    policy: PolicyParams
    oracle: OracleParams


def _seconds(value: int) -> Seconds:
    return Seconds(U64(value))


def _gas(value: int) -> Gas:
    return Gas(U64(value))


def _tier(stake: int, cores: int, memory_gb: int, disk_gb: int) -> TierRequirement:
    return TierRequirement(whole(stake), U32(cores * 1000), U32(memory_gb * 1024), U32(disk_gb * 1024))


def _ask(cpu: int, memory: int, disk: int, gpu: int) -> Ask:
    return Ask(U64(cpu), U64(memory), U64(disk), U64(gpu))


def _speed(cpu_events: int, disk_mib: int, network_mbit: int) -> TierBenchmark:
    """172 and 382 MiB are 180 and 400 MB."""
    return TierBenchmark(U32(cpu_events), U32(disk_mib), U32(network_mbit))


CAP = whole(440_000_000)
USER_POOL = whole(416_680_000)
"""What belongs to users (94.7 % of the cap): minted as rewards, less what a genesis hands to some of them."""

DEFAULT = Params(
    chain=ChainParams(
        block_gas_limit=_gas(300_000_000),
        lane_gas_limit=_gas(100_000_000),
        max_block_bytes=U32(8 * 1024 * 1024),
        max_transaction_bytes=U32(256 * 1024),
        min_base_fee=Wei(U256(WEI_PER_GWEI)),
        gas_target_per_second=_gas(150_000_000),
        base_fee_update_fraction=U64(5_000_000_000),
        gap_limit=_seconds(30),
        gas_intrinsic=U32(21_000),
        gas_zero_byte=U16(4),
        gas_nonzero_byte=U16(16),
        gas_access_address=U16(2_400),
        gas_access_slot=U16(1_900),
        gas_stored_byte=U16(50),
        call_gas_limit=_gas(300_000_000),
    ),
    protocol=ProtocolParams(max_due_per_block=U32(2_000)),
    accounts=AccountsParams(cap=CAP),
    nodes=NodesParams(
        tiers=(_tier(1_000, 4, 7, 220), _tier(12_500, 8, 30, 440), _tier(40_000, 16, 61, 880)),
        own_stake=U16(1_000),
        tier_tolerance=U16(100),
        rejoin_delay=_seconds(60),
        max_ask=_ask(2**40, 2**33, 2**30, 2**42),
        drain_deadline=_seconds(3600),
    ),
    staking=StakingParams(
        unbonding=_seconds(7 * 86_400),
        unbonding_step=_seconds(6 * 3_600),
        min_delegation=whole(1),
        initial_commission=BasisPoints(U16(1_000)),
        max_commission=BasisPoints(U16(5_000)),
        max_commission_change=BasisPoints(U16(100)),
        commission_interval=_seconds(86_400),
    ),
    rewards=RewardsParams(
        pool=USER_POOL,
        producers=U16(1_000),
        weights=(U16(10), U16(35), U16(90)),
        max_yearly=U16(10_000),
        epochs_kept=U32(2_160),
    ),
    apps=AppsParams(
        max_spec_bytes=U32(32 * 1024),
        max_components=U8(10),
        max_instances=U16(100),
        max_ciphertext_bytes=U32(64 * 1024),
        max_cpu_milli=U32(15_000),
        max_memory_mib=U32(59_000),
        max_disk_mib=U32(820 * 1024),
        revisions_kept=U16(10),
    ),
    market=MarketParams(
        start_deadline=_seconds(300),
        exclusion=_seconds(3600),
        max_placements_per_block=U32(2_000),
        closed_leases_kept=U16(32),
        max_leases_per_node=U16(250),
        max_exclusions=U16(64),
        fence_margin=_seconds(5),
        volume_memory=_seconds(7 * 86_400),
        rollout_deadline=_seconds(600),
        stall_interval=_seconds(20),
        standby_basis_points=U16(200),
        standby_interval=_seconds(300),
        max_standbys_per_node=U16(32),
    ),
    escrow=EscrowParams(
        min_deposit=Wei(U256(WEI_PER_FLUX // 100)),
        min_runtime=_seconds(3600),
        reference_ask=_ask(20_000_000, 10_000_000, 200_000, 5_000_000_000),
        min_placement=_seconds(60),
        max_deposits=U16(16),
        fee_basis_points=U16(200),
        volume_grace=_seconds(7 * 86_400),
        settlement_lag=_seconds(60),
    ),
    secrets=SecretsParams(
        max_boxes=U8(3),
        max_seals_per_call=U16(100),
        threshold=U8(3),
        keepers=U8(7),
        keeper_interval=_seconds(3600),
    ),
    probes=ProbesParams(
        epoch=_seconds(3600),
        committee=U16(5),
        second_committee=U16(15),
        vote_window=_seconds(10),
        suspicion_bound=_seconds(20),
        refuted_loss=U32(100_000),
        duty_tolerance=U32(200_000),
        conduct_window=U16(64),
        conduct_allowance=U32(250_000),
        unlocated_loss=U32(100_000),
        reports_per_epoch=U16(20),
        brake_fleet=U16(10),
        brake_part=U16(3),
        brake_rate=U16(10),
        brake_look=_seconds(5),
    ),
    validators=ValidatorsParams(
        max_validators=U16(100),
        min_validators=U16(4),
        min_power=U64(100),
        missed_window=U32(10_000),
        max_missed=U32(5_000),
        jail=_seconds(600),
        downtime_slash=PartsPerMillion(U32(1_000)),
        double_sign_slash=PartsPerMillion(U32(50_000)),
        evidence_age=_seconds(3 * 86_400),
        trust_period=_seconds(3 * 86_400),
        max_reveals=U32(100_000),
        epochs_kept=U16(8),
    ),
    benchmarks=BenchmarksParams(
        tiers=(_speed(240, 172, 25), _speed(640, 172, 50), _speed(1_520, 382, 100)),
        tasks=TaskSizes(
            events_per_chain=U16(24),
            max_chains=U16(64),
            memory_tasks=U8(4),
            memory_mib=U16(32),
            plot_blocks=U16(256),
            plot_key_kib=U16(8_192),
            disk_reads=U16(256),
            transfer_kib=U32(8_192),
        ),
        sampled_basis_points=U16(1_000),
        committee=U16(5),
        min_committee=U16(3),
        recovery_epochs=U16(3),
        kilometres_per_second=U32(200_000),
    ),
    slashing=SlashingParams(
        false_benchmark=PartsPerMillion(U32(50_000)),
        false_suspicion=PartsPerMillion(U32(5_000)),
        abandoned_leases=PartsPerMillion(U32(10_000)),
        silent_juror=PartsPerMillion(U32(1_000)),
        reward=PartsPerMillion(U32(100_000)),
        strikes=U16(3),
        strike_window=_seconds(7 * 86_400),
        evidence_age=_seconds(86_400),
        evidence_epochs=U16(24),
        deposit=whole(100),
        appeal_window=_seconds(86_400),
        commit_window=_seconds(86_400),
        reveal_window=_seconds(86_400),
        jury=U16(5),
        min_jury=U16(3),
    ),
    parameters=ParametersParams(upgrade_notice=_seconds(7 * 86_400)),
    votes=VotesParams(unlock_delay=_seconds(7 * 86_400), max_unlocks=U16(16)),
    governor=GovernorParams(
        voting_delay=_seconds(86_400),
        voting_period=_seconds(5 * 86_400),
        timelock=_seconds(2 * 86_400),
        execution_grace=_seconds(14 * 86_400),
        proposal_threshold=whole(10_000),
        deposit=whole(1_000),
        quorum_basis_points=U16(2_000),
        min_quorum=whole(1_000_000),
        max_open_proposals=U16(3),
        max_actions=U8(10),
        max_description_bytes=U32(8 * 1024),
        max_calldata_bytes=U32(8 * 1024),
    ),
    oracle=OracleParams(
        bond=whole(10_000),
        unbonding=_seconds(7 * 86_400),
        staleness=_seconds(3_600),
        report_interval=_seconds(10),
        max_deviation=U16(2_000),
        min_feeders=U8(3),
        max_feeders=U8(31),
        meter_history=_seconds(3_600),
    ),
    policy=PolicyParams(notice=_seconds(7 * 86_400), appeal=_seconds(14 * 86_400), max_reason_bytes=U16(1_024)),
)
"""Mainnet and testnet."""


def minimal() -> Params:
    """The same protocol with thresholds a laptop reaches and times a test can wait for."""
    tiers = tuple(
        msgspec.structs.replace(tier, cpu_milli=U32(cpu), memory_mib=U32(memory), disk_mib=U32(disk))
        for tier, cpu, memory, disk in zip(
            DEFAULT.nodes.tiers, (500, 1_000, 2_000), (256, 1_024, 2_048), (512, 4_096, 8_192), strict=True
        )
    )
    return DEFAULT.but(
        nodes=DEFAULT.nodes.but(tiers=tiers, rejoin_delay=_seconds(2), drain_deadline=_seconds(60)),
        staking=DEFAULT.staking.but(
            unbonding=_seconds(60), unbonding_step=_seconds(2), commission_interval=_seconds(10)
        ),
        market=DEFAULT.market.but(
            start_deadline=_seconds(60),
            exclusion=_seconds(120),
            volume_memory=_seconds(600),
            rollout_deadline=_seconds(90),
            standby_interval=_seconds(20),
        ),
        escrow=DEFAULT.escrow.but(min_runtime=_seconds(60), min_placement=_seconds(1), volume_grace=_seconds(600)),
        secrets=DEFAULT.secrets.but(threshold=U8(2), keepers=U8(4), keeper_interval=_seconds(10)),
        probes=DEFAULT.probes.but(epoch=_seconds(60)),
        validators=DEFAULT.validators.but(
            missed_window=U32(60),
            max_missed=U32(30),
            jail=_seconds(10),
            evidence_age=_seconds(30),
            trust_period=_seconds(45),
        ),
        benchmarks=DEFAULT.benchmarks.but(
            # All nodes of a local cloud share one machine, and pretend to be all over the world.
            tiers=(_speed(1, 0, 0),) * 3,
            tasks=TaskSizes(
                events_per_chain=U16(4),
                max_chains=U16(2),
                memory_tasks=U8(2),
                memory_mib=U16(1),
                plot_blocks=U16(8),
                plot_key_kib=U16(1_024),
                disk_reads=U16(8),
                transfer_kib=U32(64),
            ),
            kilometres_per_second=U32(4_000_000_000),
        ),
        slashing=DEFAULT.slashing.but(
            strike_window=_seconds(600),
            evidence_age=_seconds(20),
            evidence_epochs=U16(2),
            deposit=whole(1),
            appeal_window=_seconds(15),
            commit_window=_seconds(12),
            reveal_window=_seconds(12),
        ),
        parameters=DEFAULT.parameters.but(upgrade_notice=_seconds(60)),
        votes=DEFAULT.votes.but(unlock_delay=_seconds(60)),
        governor=DEFAULT.governor.but(
            voting_delay=_seconds(1),
            voting_period=_seconds(30),
            timelock=_seconds(5),
            execution_grace=_seconds(600),
            proposal_threshold=whole(100),
            deposit=whole(10),
            min_quorum=whole(1_000),
            max_open_proposals=U16(10),
        ),
        oracle=DEFAULT.oracle.but(
            bond=whole(100), unbonding=_seconds(60), staleness=_seconds(60), report_interval=_seconds(1)
        ),
        policy=DEFAULT.policy.but(notice=_seconds(60), appeal=_seconds(120)),
    )
