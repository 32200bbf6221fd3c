"""Validators: nodes that take part in consensus, chosen by stake at each epoch's end, punished for faults."""

from collections.abc import Sequence

from flux.contracts.addresses import VALIDATORS
from flux.contracts.nodes.types import Node, NodeId, NodeStatus
from flux.contracts.probes.types import Epoch
from flux.contracts.validators import rules, tally
from flux.contracts.validators.keys import Keys
from flux.contracts.validators.ports import NodesPort, StakePort
from flux.contracts.validators.seats import Seats
from flux.contracts.validators.state import NO_MIX, ValidatorsState
from flux.contracts.validators.types import (
    AlreadyValidator,
    EvidenceIgnored,
    FirstValidator,
    InvalidOnion,
    InvalidProof,
    KeyTaken,
    Mix,
    NodeLeaves,
    NotActiveAgent,
    NotJailed,
    NotSeated,
    NotValidator,
    OnionCommitted,
    OnionExhausted,
    OnionNotUsedUp,
    PowerChanged,
    ProducerWork,
    RevealNotDue,
    Seat,
    SeatInfo,
    SeedRevealed,
    StillJailed,
    Tally,
    Tombstoned,
    Validator,
    ValidatorDisabled,
    ValidatorEnabled,
    ValidatorJailed,
    ValidatorsParams,
    ValidatorStatus,
    ValidatorTombstoned,
    ValidatorUnjailed,
    WrongPreimage,
)
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, scheduled, view
from flux.kernel.errors import Unauthorized
from flux.primitives import ed25519
from flux.primitives.onion import is_preimage
from flux.primitives.types import (
    NO_WEI,
    U8,
    U16,
    U32,
    U64,
    Address,
    ChainTime,
    ConsensusAddress,
    Hash,
    Height,
    Timestamp,
)

SELECT = 1
JAIL = 2
_BLANK = Hash(bytes(32))
_NEVER = ChainTime(U64(0))
_LEAVING = (NodeStatus.LEAVING, NodeStatus.GONE)


class Validators(Contract):
    """Opting in and out, the set, its seed, its faults."""

    name = "Validators"
    address = VALIDATORS
    events = (
        ValidatorEnabled,
        ValidatorDisabled,
        PowerChanged,
        ValidatorJailed,
        ValidatorUnjailed,
        ValidatorTombstoned,
        EvidenceIgnored,
        SeedRevealed,
        OnionCommitted,
    )
    errors = (
        NotValidator,
        AlreadyValidator,
        NodeLeaves,
        NotActiveAgent,
        KeyTaken,
        Tombstoned,
        InvalidProof,
        InvalidOnion,
        OnionNotUsedUp,
        OnionExhausted,
        NotSeated,
        RevealNotDue,
        WrongPreimage,
        NotJailed,
        StillJailed,
    )

    def __init__(self, host: Host, params: ValidatorsParams, nodes: NodesPort, stake: StakePort) -> None:
        super().__init__(host)
        self.params = params
        self.state = ValidatorsState(host.storage)
        self.seats = Seats(host, self.state)
        self._keys = Keys(self.state)
        self._nodes = nodes
        self._stake = stake

    @method(gas=150_000)
    def enable(self, ctx: Context, node: NodeId, public_key: Hash, proof: bytes, onion: Hash, reveals: U32) -> None:
        """Opt the caller's node in; it becomes a candidate at the end of this epoch.

        `proof` is the consensus key's ed25519 signature of `rules.proof_message`; `onion` the head of a hash onion that
        allows `reveals` reveals. Raises NodeLeaves, AlreadyValidator, InvalidProof, KeyTaken, Tombstoned, InvalidOnion.
        """
        record = self._own(ctx, node)
        if record.status in _LEAVING:
            raise NodeLeaves(node)
        known = self.state.validators.find(node)
        if known is not None:
            if known.status is ValidatorStatus.TOMBSTONED:
                raise Tombstoned(known.consensus)
            raise AlreadyValidator(node)
        message = rules.proof_message(self.state.chain_id.get(), node, ctx.sender, public_key)
        if not ed25519.verify(public_key, message, proof):
            raise InvalidProof(public_key)
        self._check_onion(onion, reveals)

        address = self._keys.take(ctx, node, public_key)
        starts_in = Epoch(U64(self.state.epoch.get() + 1))
        validator = Validator(
            node=node,
            consensus=address,
            status=ValidatorStatus.ACTIVE,
            since=ctx.now,
            jailed_until=_NEVER,
            onion=onion,
            reveals_left=reveals,
            reveals_from=starts_in,
            revealed_next=Epoch(U64(0)),
        )
        self.state.validators.set(node, validator)
        self.host.emit(ValidatorEnabled(node, address, public_key))
        self.host.emit(OnionCommitted(node, onion, reveals, starts_in))

    @method(gas=60_000)
    def disable(self, ctx: Context, node: NodeId) -> None:
        """Opt the caller's node out. Go on signing until it has no seat; its stake answers for what it signed.

        Raises NotValidator, Tombstoned.
        """
        self._own(ctx, node)
        validator = self._validator(node)
        if validator.status is ValidatorStatus.TOMBSTONED:
            raise Tombstoned(validator.consensus)
        self._drop(ctx, validator)

    @method(gas=30_000)
    def unjail(self, ctx: Context, node: NodeId) -> None:
        """Make the caller's jailed node a candidate again. Raises NotValidator, NotJailed, StillJailed."""
        self._own(ctx, node)
        validator = self._validator(node)
        if validator.status is not ValidatorStatus.JAILED:
            raise NotJailed(node, U8(validator.status))
        if ctx.now < validator.jailed_until:
            raise StillJailed(node, validator.jailed_until)
        self.state.validators.set(node, validator.but(status=ValidatorStatus.ACTIVE, jailed_until=_NEVER))
        self.host.emit(ValidatorUnjailed(node))

    @method(gas=30_000)
    def set_onion(self, ctx: Context, node: NodeId, onion: Hash, reveals: U32) -> None:
        """Commit the caller's node to another onion, which it may use from the next epoch on.

        Raises NotValidator, InvalidOnion.
        """
        self._own(ctx, node)
        self._commit(self._validator(node), onion, reveals)

    @method(gas=30_000, lane=True)
    def renew_onion(self, ctx: Context, onion: Hash, reveals: U32) -> None:
        """The agent of a node whose onion is used up commits to the next one.

        Raises NotActiveAgent, NotValidator, OnionNotUsedUp, InvalidOnion.
        """
        validator = self._validator(self._node_of_agent(ctx))
        if validator.reveals_left:
            raise OnionNotUsedUp(validator.node, validator.reveals_left)
        self._commit(validator, onion, reveals)

    @method(gas=40_000, lane=True)
    def reveal(self, ctx: Context, preimage: Hash) -> None:
        """The agent of a node in the set adds to the seed of the next epoch; once in each epoch.

        Raises NotActiveAgent, NotValidator, NotSeated, RevealNotDue, OnionExhausted, WrongPreimage.
        """
        validator = self._validator(self._node_of_agent(ctx))
        node, epoch = validator.node, self.state.epoch.get()
        if validator.consensus not in self.state.seats:
            raise NotSeated(node)
        due = max(validator.reveals_from, validator.revealed_next)
        if epoch < due:
            raise RevealNotDue(node, Epoch(U64(due)))
        if validator.reveals_left == 0:
            raise OnionExhausted(node)
        if not is_preimage(preimage, validator.onion):
            raise WrongPreimage(node, validator.onion)
        mix = self.state.mix.get()
        self.state.mix.set(Mix(rules.mixed(mix.value, preimage), U16(mix.reveals + 1)))
        left = U32(validator.reveals_left - 1)
        revealed = validator.but(onion=preimage, reveals_left=left, revealed_next=Epoch(U64(epoch + 1)))
        self.state.validators.set(node, revealed)
        self.host.emit(SeedRevealed(node, epoch, preimage))

    @view()
    def validator(self, ctx: Context, node: NodeId) -> Validator:
        """The record of a node that opted in. Raises NotValidator."""
        return self._validator(node)

    @view(gas=20_000)
    def validators(self, ctx: Context, start: NodeId, limit: U16) -> list[Validator]:
        """Nodes that opted in, from the id `start` on, in order; at most 1,000."""
        found: list[Validator] = []
        for _, validator in self.state.validators.items(start=start.to_bytes(4, "big")):
            if len(found) == min(limit, rules.MAX_PAGE):
                break
            found.append(validator)
        return found

    @view(gas=100_000)
    def validator_set(self, ctx: Context) -> list[SeatInfo]:
        """Who is in the set now, as the consensus engine was told; it follows two blocks later."""
        found = []
        for address, seat in self.state.seats.items():
            key = self.state.keys.get(address)
            found.append(SeatInfo(address, seat.public_key, seat.power, key.node, key.operator))
        return found

    @view()
    def operator_of(self, ctx: Context, proposer: ConsensusAddress) -> Address:
        """Who answers for a consensus key and receives the tips of its blocks; the zero address for an unknown one."""
        return self._keys.operator_of(proposer)

    @view(gas=50_000)
    def signed_blocks(self, ctx: Context, epoch: Epoch) -> list[ProducerWork]:
        """What each key did in an epoch that is over; empty for one that is no longer kept."""
        found = self.state.work.find(epoch)
        return [] if found is None else list(found.work)

    @view(gas=20_000)
    def present_work(self, ctx: Context) -> Tally:
        """Counts of the present window and epoch."""
        return self.state.tally.get()

    def producer_of(self, proposer: ConsensusAddress) -> Address:
        """The operator behind a consensus address; the zero address for an unknown one."""
        return self._keys.operator_of(proposer)

    def begin(self, ctx: Context, chain_id: U64, validators: Sequence[FirstValidator]) -> None:
        """Seat the first validators; for genesis."""
        self.state.chain_id.set(chain_id)
        for first in validators:
            address = self._keys.begin(ctx, first)
            self.state.seats.set(address, Seat(first.public_key, first.power))
        self.seats.begin_epoch()

    def count_block(
        self, ctx: Context, height: Height, proposer: bytes, votes: Sequence[tuple[ConsensusAddress, bool]]
    ) -> None:
        """For the machine: who proposed this block, who signed the one before. Who missed too many is jailed."""
        window = tally.window_now(height, self.params)
        counted = tally.count_block(self.state.tally.get(), window, proposer, votes)
        for address in tally.missed_too_often(counted, self.params):
            key = self.state.keys.find(address)
            if key is not None and key.node:
                self.host.schedule(ctx.now, JAIL, key.node)
            counted = tally.forgive(counted, address)
        self.state.tally.set(counted)

    def punish(self, ctx: Context, address: ConsensusAddress, height: Height, time: Timestamp) -> None:
        """For the machine: the engine has evidence that a key signed twice. Each key is punished once."""
        key = self.state.keys.find(address)
        too_old = rules.is_too_old(time, ctx.block.timestamp, self.params.evidence_age)
        if key is None or key.tombstoned or too_old:
            self.host.emit(EvidenceIgnored(address, time))
            return
        burned = NO_WEI
        if key.node:
            # A key of the genesis answers with its node's stake from when the node claimed it.
            infraction = max(key.since, rules.protocol_time(time, ctx.block.timestamp, ctx.now))
            parts = self.params.double_sign_slash
            burned = self._stake.slash(ctx, key.node, parts, ChainTime(U64(infraction)), "signed twice")
            self._bury(ctx, key.node, address)
        self._keys.tombstone(ctx, address)
        self.seats.remove(address)
        self.host.emit(ValidatorTombstoned(key.node, address, height, burned))

    @scheduled(JAIL)
    def jail(self, ctx: Context, subject: int) -> None:
        """A validator missed too many blocks: it pays a little and leaves the set until it says that it is back.

        A node that has opted out meanwhile is let go.
        """
        node = NodeId(U32(subject))
        validator = self.state.validators.find(node)
        if validator is None or validator.status is not ValidatorStatus.ACTIVE:
            return
        until = ChainTime(U64(ctx.now + self.params.jail))
        burned = self._stake.slash(ctx, node, self.params.downtime_slash, ctx.now, "missed too many blocks")
        self.state.validators.set(node, validator.but(status=ValidatorStatus.JAILED, jailed_until=until))
        self.seats.remove(validator.consensus)
        self.host.emit(ValidatorJailed(node, until, burned))

    def next_seed(self, ctx: Context, previous: Hash, epoch: Epoch) -> Hash:
        """For the probes: the seed of the epoch that begins; what was revealed for it is spent."""
        mix = self.state.mix.get()
        self.state.mix.set(NO_MIX)
        if mix.reveals:
            return rules.revealed_seed(previous, mix.value, epoch)
        return rules.chained_seed(previous, ctx.block.seed, epoch)

    def epoch_ended(self, ctx: Context, epoch: Epoch) -> None:
        """For the probes: the epoch is over. The next set is chosen in the next block, as work of its own."""
        tally.close_epoch(self.state, epoch, self.params.epochs_kept)
        self.state.epoch.set(Epoch(U64(epoch + 1)))
        self.host.schedule(ctx.now, SELECT, epoch)

    @scheduled(SELECT)
    def select(self, ctx: Context, subject: int) -> None:
        """Choose the set by stake, and forget keys that nothing can be held against any more."""
        self.seats.begin_epoch()
        self.seats.approach(rules.choose(self._candidates(ctx), self.params.max_validators))
        self._keys.forget(ctx, self.params.evidence_age)

    def take_updates(self) -> list[Seat]:
        """For the machine, at the end of the block: what the engine must be told."""
        return self.seats.take_updates()

    def _candidates(self, ctx: Context) -> dict[ConsensusAddress, int]:
        """Power by address of all who may have a seat. Nodes that leave the network opt out here."""
        found = {}
        for node, validator in list(self.state.validators.items()):
            if validator.status is ValidatorStatus.TOMBSTONED:
                continue
            if self._nodes.node(ctx, node).status in _LEAVING:
                self._drop(ctx, validator)
                continue
            power = rules.power_of(self._stake.stake_of(ctx, node))
            if validator.status is ValidatorStatus.ACTIVE and power >= self.params.min_power:
                found[validator.consensus] = power
        if len(found) < self.params.min_validators:
            for address, seat in self.state.seats.items():
                key = self.state.keys.get(address)
                if key.node == 0 and not key.tombstoned:
                    found[address] = int(seat.power)
        return found

    def _drop(self, ctx: Context, validator: Validator) -> None:
        self.state.validators.delete(validator.node)
        self._keys.retire(ctx, validator.consensus)
        self.seats.remove(validator.consensus)
        self.host.emit(ValidatorDisabled(validator.node, validator.consensus))

    def _bury(self, ctx: Context, node: NodeId, address: ConsensusAddress) -> None:
        """The node is no validator ever again, also where it has opted out since or taken another key."""
        validator = self.state.validators.find(node)
        if validator is None:
            blank = Epoch(U64(0))
            validator = Validator(
                node, address, ValidatorStatus.TOMBSTONED, _NEVER, _NEVER, _BLANK, U32(0), blank, blank
            )
        if validator.consensus != address:
            self._keys.retire(ctx, validator.consensus)
            self.seats.remove(validator.consensus)
        self.state.validators.set(node, validator.but(status=ValidatorStatus.TOMBSTONED, jailed_until=_NEVER))

    def _commit(self, validator: Validator, onion: Hash, reveals: U32) -> None:
        self._check_onion(onion, reveals)
        starts_in = Epoch(U64(self.state.epoch.get() + 1))
        self.state.validators.set(
            validator.node, validator.but(onion=onion, reveals_left=reveals, reveals_from=starts_in)
        )
        self.host.emit(OnionCommitted(validator.node, onion, reveals, starts_in))

    def _check_onion(self, onion: Hash, reveals: U32) -> None:
        if onion == _BLANK or not 0 < reveals <= self.params.max_reveals:
            raise InvalidOnion(reveals, self.params.max_reveals)

    def _own(self, ctx: Context, node: NodeId) -> Node:
        record = self._nodes.node(ctx, node)
        if record.operator != ctx.sender:
            raise Unauthorized(ctx.sender, record.operator)
        return record

    def _validator(self, node: NodeId) -> Validator:
        validator = self.state.validators.find(node)
        if validator is None:
            raise NotValidator(node)
        return validator

    def _node_of_agent(self, ctx: Context) -> NodeId:
        node = self._nodes.node_of_agent(ctx, ctx.sender)
        if node == 0:
            raise NotActiveAgent(ctx.sender)
        return node
