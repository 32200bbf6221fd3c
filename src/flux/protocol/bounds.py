"""How far governance may move each number, and how numbers must agree.

One line per number; a number that is in neither list fails a test. A proposal outside is refused when it is made and
again when it is executed. The bounds leave room for judgement and none for stopping the chain: whatever they allow,
blocks hold a proposal that changes it back.
"""

from collections.abc import Iterator
from typing import NamedTuple

from flux.primitives.types import WEI_PER_FLUX, WEI_PER_GWEI
from flux.protocol.params import DEFAULT, Params

HOUR = 3_600
DAY = 24 * HOUR
YEAR = 365 * DAY
BASIS_POINTS = 10_000


class Bound(NamedTuple):
    """Where a number may lie."""

    lowest: int
    highest: int
    only_rises: bool = False
    """State that was made under the higher number would break the lower one."""


_ASK = DEFAULT.nodes.max_ask
BOUNDS: dict[str, Bound] = {
    "chain.block_gas_limit": Bound(50_000_000, 10_000_000_000),
    "chain.lane_gas_limit": Bound(20_000_000, 10_000_000_000),
    "chain.max_block_bytes": Bound(512 * 1024, 64 * 1024 * 1024),
    "chain.max_transaction_bytes": Bound(64 * 1024, 4 * 1024 * 1024),
    "chain.min_base_fee": Bound(1, 10_000 * WEI_PER_GWEI),
    "chain.gas_target_per_second": Bound(1_000_000, 10_000_000_000),
    "chain.base_fee_update_fraction": Bound(100_000_000, 10**13),
    "chain.gap_limit": Bound(10, HOUR),
    "chain.gas_intrinsic": Bound(1_000, 1_000_000),
    "chain.gas_zero_byte": Bound(0, 100),
    "chain.gas_nonzero_byte": Bound(1, 200),
    "chain.gas_access_address": Bound(100, 50_000),
    "chain.gas_access_slot": Bound(100, 50_000),
    "chain.gas_stored_byte": Bound(1, 1_000),
    "chain.call_gas_limit": Bound(50_000_000, 10_000_000_000),
    "protocol.max_due_per_block": Bound(100, 100_000),
    "nodes.rejoin_delay": Bound(1, 7 * DAY),
    "nodes.drain_deadline": Bound(60, 7 * DAY),
    "nodes.max_ask.cpu": Bound(1, _ASK.cpu),
    "nodes.max_ask.memory": Bound(1, _ASK.memory),
    "nodes.max_ask.disk": Bound(1, _ASK.disk),
    "nodes.max_ask.gpu": Bound(1, _ASK.gpu),
    "staking.unbonding": Bound(30, 90 * DAY),
    "staking.unbonding_step": Bound(1, DAY),
    "staking.min_delegation": Bound(WEI_PER_FLUX // 1_000, 1_000 * WEI_PER_FLUX),
    "staking.initial_commission": Bound(0, 10_000),
    "staking.max_commission": Bound(0, 10_000, only_rises=True),
    "staking.max_commission_change": Bound(1, 10_000),
    "staking.commission_interval": Bound(1, 30 * DAY),
    "rewards.producers": Bound(0, 3_000),
    "rewards.weights.*": Bound(1, 1_000),
    "rewards.max_yearly": Bound(1, 10_000),
    "rewards.epochs_kept": Bound(24, 100_000, only_rises=True),
    "apps.max_spec_bytes": Bound(4 * 1024, 256 * 1024),
    "apps.max_components": Bound(1, 64),
    "apps.max_instances": Bound(1, 1_000, only_rises=True),
    "apps.max_ciphertext_bytes": Bound(4 * 1024, 256 * 1024),
    "apps.max_cpu_milli": Bound(1_000, 512_000),
    "apps.max_memory_mib": Bound(1_024, 4 * 1024 * 1024),
    "apps.max_disk_mib": Bound(1_024, 64 * 1024 * 1024),
    "apps.revisions_kept": Bound(1, 100),
    "market.start_deadline": Bound(30, HOUR),
    "market.exclusion": Bound(60, 30 * DAY),
    "market.max_placements_per_block": Bound(1, 20_000),
    "market.closed_leases_kept": Bound(1, 1_000, only_rises=True),
    "market.max_leases_per_node": Bound(1, 2_000, only_rises=True),
    "market.max_exclusions": Bound(1, 500, only_rises=True),
    "market.fence_margin": Bound(3, HOUR),
    "market.volume_memory": Bound(60, 90 * DAY),
    "market.rollout_deadline": Bound(30, 7 * DAY),
    "market.stall_interval": Bound(5, HOUR),
    "market.standby_basis_points": Bound(0, 10_000),
    "market.standby_interval": Bound(10, DAY),
    "market.max_standbys_per_node": Bound(1, 500, only_rises=True),
    "escrow.min_deposit": Bound(10**9, 1_000 * WEI_PER_FLUX),
    "escrow.min_runtime": Bound(60, 30 * DAY),
    "escrow.reference_ask.cpu": Bound(1, _ASK.cpu),
    "escrow.reference_ask.memory": Bound(1, _ASK.memory),
    "escrow.reference_ask.disk": Bound(1, _ASK.disk),
    "escrow.reference_ask.gpu": Bound(1, _ASK.gpu),
    "escrow.min_placement": Bound(1, HOUR),
    "escrow.max_deposits": Bound(2, 256, only_rises=True),
    "escrow.fee_basis_points": Bound(0, 2_000),
    "escrow.volume_grace": Bound(60, 90 * DAY),
    "escrow.settlement_lag": Bound(30, DAY),
    "secrets.max_boxes": Bound(1, 16, only_rises=True),
    "secrets.max_seals_per_call": Bound(1, 1_000),
    "secrets.threshold": Bound(2, 16),
    "secrets.keepers": Bound(3, 16),
    "secrets.keeper_interval": Bound(10, 7 * DAY),
    "benchmarks.tiers.*.cpu_events": Bound(1, 1_000_000),
    "benchmarks.tiers.*.disk_mib": Bound(0, 1_000_000),
    "benchmarks.tiers.*.network_mbit": Bound(0, 1_000_000),
    "benchmarks.tasks.events_per_chain": Bound(1, 200),
    "benchmarks.tasks.max_chains": Bound(1, 256),
    "benchmarks.tasks.memory_tasks": Bound(1, 16),
    "benchmarks.tasks.plot_blocks": Bound(1, 4_096),
    "benchmarks.tasks.disk_reads": Bound(1, 1_024),
    "benchmarks.tasks.transfer_kib": Bound(16, 64 * 1024),
    "benchmarks.sampled_basis_points": Bound(0, BASIS_POINTS),
    "benchmarks.committee": Bound(3, 15, only_rises=True),
    "benchmarks.min_committee": Bound(3, 15),
    "benchmarks.recovery_epochs": Bound(1, 100),
    "benchmarks.kilometres_per_second": Bound(200_000, 4_000_000_000),
    "slashing.false_benchmark": Bound(1, 500_000),
    "slashing.false_suspicion": Bound(1, 100_000),
    "slashing.abandoned_leases": Bound(1, 100_000),
    "slashing.silent_juror": Bound(1, 50_000),
    "slashing.reward": Bound(0, 500_000),
    "slashing.strikes": Bound(1, 100, only_rises=True),
    "slashing.strike_window": Bound(60, 90 * DAY),
    "slashing.evidence_age": Bound(10, 30 * DAY),
    "slashing.evidence_epochs": Bound(1, 1_000),
    "slashing.deposit": Bound(0, 100_000 * WEI_PER_FLUX),
    "slashing.appeal_window": Bound(10, 30 * DAY),
    "slashing.commit_window": Bound(10, 30 * DAY),
    "slashing.reveal_window": Bound(10, 30 * DAY),
    "slashing.jury": Bound(3, 25),
    "slashing.min_jury": Bound(1, 25),
    "probes.epoch": Bound(30, 7 * DAY),
    "probes.committee": Bound(3, 25),
    "probes.second_committee": Bound(5, 101),
    "probes.vote_window": Bound(2, 10 * 60),
    "probes.suspicion_bound": Bound(5, 10 * 60),
    "probes.refuted_loss": Bound(0, 1_000_000),
    "probes.duty_tolerance": Bound(10_000, 1_000_000),
    "probes.conduct_window": Bound(8, 1_000),
    "probes.conduct_allowance": Bound(50_000, 1_000_000),
    "probes.unlocated_loss": Bound(0, 1_000_000),
    "probes.reports_per_epoch": Bound(1, 1_000),
    "probes.brake_fleet": Bound(4, 1_000),
    "probes.brake_part": Bound(2, 10),
    "probes.brake_rate": Bound(2, 100),
    "probes.brake_look": Bound(1, 60),
    "validators.max_validators": Bound(4, 175),
    "validators.min_validators": Bound(1, 100),
    "validators.min_power": Bound(1, 40_000),
    "validators.missed_window": Bound(50, 1_000_000),
    "validators.max_missed": Bound(20, 900_000),
    "validators.jail": Bound(1, 30 * DAY),
    "validators.downtime_slash": Bound(1, 20_000),
    "validators.double_sign_slash": Bound(1_000, 500_000),
    "validators.trust_period": Bound(20, 30 * DAY),
    "validators.max_reveals": Bound(100, 1_000_000),
    "validators.epochs_kept": Bound(2, 100, only_rises=True),
    "parameters.upgrade_notice": Bound(60, 90 * DAY),
    "votes.unlock_delay": Bound(30, 90 * DAY),
    "votes.max_unlocks": Bound(1, 256),
    "governor.voting_delay": Bound(1, 30 * DAY),
    "governor.voting_period": Bound(20, 30 * DAY),
    "governor.timelock": Bound(1, 30 * DAY),
    "governor.execution_grace": Bound(600, 90 * DAY),
    "governor.proposal_threshold": Bound(1, 1_000_000 * WEI_PER_FLUX),
    "governor.deposit": Bound(1, 100_000 * WEI_PER_FLUX),
    "governor.quorum_basis_points": Bound(100, 6_000),
    "governor.min_quorum": Bound(1, 20_000_000 * WEI_PER_FLUX),
    "governor.max_open_proposals": Bound(1, 100),
    "governor.max_actions": Bound(1, 50),
    "governor.max_description_bytes": Bound(256, 64 * 1024),
    "governor.max_calldata_bytes": Bound(1_024, 64 * 1024),
    "oracle.bond": Bound(1, 1_000_000 * WEI_PER_FLUX),
    "oracle.unbonding": Bound(30, 90 * DAY),
    "oracle.staleness": Bound(30, 7 * DAY),
    "oracle.report_interval": Bound(1, HOUR),
    "oracle.max_deviation": Bound(10, 9_000),
    "oracle.min_feeders": Bound(1, 15),
    "oracle.max_feeders": Bound(3, 63, only_rises=True),
    "oracle.meter_history": Bound(600, DAY),
    "policy.notice": Bound(60, 90 * DAY),
    "policy.appeal": Bound(60, 90 * DAY),
    "policy.max_reason_bytes": Bound(64, 4_096),
}
"""By path; `*` stands for the number of an item of a list."""

FIXED: dict[str, str] = {
    "validators.evidence_age": "the engine takes its own from the genesis, and the two must agree",
    "rewards.pool": "the emission of users' FLUX is a promise to holders; another one is another chain",
    "accounts.cap": "the hard cap is a promise to holders; another one is another chain",
    "benchmarks.tasks.memory_mib": "a power of two by the nature of scrypt; another one is another task",
    "benchmarks.tasks.plot_key_kib": "as for the memory",
    "nodes.tiers.*.stake": "the tier of each node is stored; what gives it changes by an upgrade that re-tiers nodes",
    "nodes.own_stake": "as for the stake",
    "nodes.tier_tolerance": "as for the stake",
    "nodes.max_ask.currency": "the caps hold in either currency",
    "escrow.reference_ask.currency": "the price list is in FLUX: deposits are",
    "nodes.tiers.*.cpu_milli": "as for the stake",
    "nodes.tiers.*.memory_mib": "as for the stake",
    "nodes.tiers.*.disk_mib": "as for the stake",
}
"""Numbers that no proposal changes, with the reason."""


def disagreements(params: Params) -> Iterator[str]:
    """What contradicts itself in a whole set of numbers, as sentences; nothing for a set that can be used."""
    chain, apps, escrow, probes = params.chain, params.apps, params.escrow, params.probes
    if chain.max_transaction_bytes > chain.max_block_bytes:
        yield "a transaction of the largest size would fit no block"
    largest = apps.max_spec_bytes + apps.max_ciphertext_bytes + 2_048
    if largest > chain.max_transaction_bytes:
        yield "an app of the largest size would fit no transaction"
    gas = chain.gas_intrinsic + 1_000_000 + largest * (chain.gas_nonzero_byte + chain.gas_stored_byte)
    if gas > chain.block_gas_limit:
        yield "an app of the largest size would need more gas than a block has"
    if chain.call_gas_limit < chain.block_gas_limit // 10:
        yield "calls would stop far below what transactions may use"
    if probes.second_committee < probes.committee:
        yield "the second committee would be smaller than the first"
    if params.secrets.threshold >= params.secrets.keepers:
        yield "the loss of one keeper would lose a seed"
    if params.benchmarks.min_committee > params.benchmarks.committee:
        yield "no committee would be large enough to measure"
    slashing = params.slashing
    if slashing.min_jury > slashing.jury:
        yield "no jury would be large enough to judge"
    windows = slashing.appeal_window + slashing.commit_window + slashing.reveal_window
    if slashing.evidence_age + windows > params.staking.unbonding:
        yield "stake could leave before its case is decided"
    if probes.vote_window > probes.epoch:
        yield "votes of a window would outlive their epoch"
    if escrow.settlement_lag < probes.vote_window + probes.suspicion_bound:
        yield "hosts could be paid for time in which their committee has already lost them"
    staking = params.staking
    if staking.initial_commission > staking.max_commission:
        yield "nodes would begin with a commission above the maximum"
    if staking.unbonding > 256 * staking.unbonding_step:
        yield "a slash would have to look at more than 256 batches of unbonding stake"
    validators = params.validators
    if max(validators.evidence_age, validators.trust_period) >= staking.unbonding:
        yield "stake could have left before evidence against it, or before light clients stop trusting it"
    if validators.max_missed >= validators.missed_window:
        yield "no validator could ever miss too many blocks"
    governor, votes, policy = params.governor, params.votes, params.policy
    if votes.unlock_delay < governor.voting_delay + governor.timelock // 2:
        yield "whoever decides could leave with their FLUX before it counts"
    if policy.notice + policy.appeal < governor.voting_delay + governor.voting_period + governor.timelock:
        yield "an appeal would end before the vote that it asks for"
    oracle = params.oracle
    if oracle.report_interval >= oracle.staleness:
        yield "feeders could not report as often as their reports grow stale"
    if oracle.meter_history < escrow.settlement_lag + probes.vote_window + probes.suspicion_bound:
        yield "leases in dollars could end at a time whose price is forgotten"
    if 2 * oracle.min_feeders > oracle.max_feeders + 1:
        yield "a price would need more feeders than a majority of all there may be"
    if escrow.min_placement > escrow.min_runtime:
        yield "the smallest deposit would not pay for being placed"
