"""Random owners, agents and strangers seal and hand over while leases come and go; the boxes stay in order."""

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flux.contracts.apps.types import AppId, encode_spec
from flux.contracts.market.types import CloseReason, LeaseId, LeaseState
from flux.contracts.secrets.types import SealedSeed
from flux.kernel.errors import Revert
from flux.primitives.types import U16, U64
from support.contract_lab import FLUX, Lab, account, spec

OWNER = account("owner")
NODES = ["n1", "n2", "n3", "n4", "n5"]
SENDERS = [OWNER, account("stranger"), *(account(f"{name} agent") for name in NODES)]
PRIVATE = encode_spec(spec(private=True))

senders = st.sampled_from(SENDERS)
apps = st.integers(1, 2).map(lambda number: AppId(U64(number)))
leases = st.integers(0, 14).map(lambda number: LeaseId(U64(number)))
sizes = st.sampled_from([64, 64, 64, 64, 63])


class SecretsSimulation(RuleBasedStateMachine):
    """Two private apps on five nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = Lab()
        self.lab.fund(OWNER, 100)
        for name in NODES:
            self.lab.join(name)
        for name, instances in (("one", 5), ("two", 2)):
            self.lab.send(OWNER, 10 * FLUX, self.lab.apps.deploy, name, U16(instances), PRIVATE, b"first")
        for lease in range(1, 8):
            self.lab.market.confirm(self.lab.context(), lease)

    @rule(sender=senders, app=apps, chosen=st.lists(st.tuples(leases, sizes), max_size=3))
    def seal(self, sender: bytes, app: AppId, chosen: list[tuple[LeaseId, int]]) -> None:
        seeds = [SealedSeed(lease, b"o" * size) for lease, size in chosen]
        with suppress(Revert):
            self.lab.send(sender, 0, self.lab.secrets.seal, app, seeds)  # type: ignore[arg-type]

    @rule(sender=senders, app=apps, lease=leases, size=sizes)
    def hand_over(self, sender: bytes, app: AppId, lease: LeaseId, size: int) -> None:
        with suppress(Revert):
            self.lab.send(sender, 0, self.lab.secrets.hand_over, app, SealedSeed(lease, b"n" * size))  # type: ignore[arg-type]

    @rule(lease=leases, reason=st.sampled_from([CloseReason.CRASHED, CloseReason.MOVED]))
    def close_and_replace(self, lease: LeaseId, reason: CloseReason) -> None:
        found = self.lab.market.leases.get(lease)
        if found is not None and found.state is not LeaseState.CLOSED:
            self.lab.market.close(self.lab.context(), lease, reason)
            self.lab.market.app_changed(self.lab.context(), found.app)

    @rule(lease=leases)
    def confirm(self, lease: LeaseId) -> None:
        found = self.lab.market.leases.get(lease)
        if found is not None and found.state is LeaseState.ASSIGNED:
            self.lab.market.confirm(self.lab.context(), lease)

    @rule(app=apps)
    def update(self, app: AppId) -> None:
        with suppress(Revert):
            self.lab.send(OWNER, 0, self.lab.apps.update, app, U16(3), PRIVATE, b"next")

    @rule(app=apps)
    def remove(self, app: AppId) -> None:
        if app == 2:
            with suppress(Revert):
                self.lab.send(OWNER, 0, self.lab.apps.remove, app)

    @invariant()
    def boxes_are_in_order_and_every_current_revision_has_its_ciphertext(self) -> None:
        self.lab.check()
        kept = [key for key, _ in self.lab.secrets.state.ciphertexts.items()]
        assert kept == [key for key, _ in self.lab.apps.state.specs.items()]


SecretsSimulation.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestSecretsSimulation = SecretsSimulation.TestCase
