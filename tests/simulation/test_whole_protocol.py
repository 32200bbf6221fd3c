"""Random acts of everybody over the whole protocol: every invariant after every block, every wei accounted for."""

import random
from collections.abc import Callable

import pytest

from flux.contracts.apps.types import AppId, AppSpec, Constraints, encode_spec
from flux.contracts.market.types import FailReason, LeaseState
from flux.contracts.nodes.types import NodeId
from flux.contracts.staking.types import EVERYTHING
from flux.kernel.errors import Revert
from flux.primitives.types import U16, U32, U64
from support.contract_lab import account, component
from support.epochs import pass_epoch
from support.protocol_world import ProtocolWorld

STEPS = 400


class Crowd:
    """Tenants, operators, honest and lying agents, drawing what they do from one seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.world = ProtocolWorld()
        self.apps: list[tuple[str, AppId]] = []
        self.refused = 0
        self.done: dict[str, int] = {}
        for number in range(6):
            self.world.node(number + 1, price=100 + number)

    def step(self) -> None:
        """One random act; a refusal is as good as any."""
        acts: list[Callable[[], None]] = [
            self.register, self.deploy, self.deploy, self.confirm, self.confirm, self.confirm, self.fail,
            self.scale, self.update, self.pause, self.resume, self.top_up, self.remove, self.move, self.suspect,
            self.outage, self.outage, self.alive, self.reached, self.reached, self.activate, self.leave,
            self.withdraw, self.stake, self.stake, self.stake, self.slash,
            self.epoch, self.epoch, self.earn, self.earn, self.pass_time, self.pass_time,
        ]  # fmt: skip
        act = self.draw.choice(acts)
        try:
            act()
            self.done[act.__name__] = self.done.get(act.__name__, 0) + 1
        except Revert:
            self.refused += 1

    def app(self) -> tuple[str, AppId]:
        return self.draw.choice(self.apps) if self.apps else ("nobody", AppId(U64(1)))

    def some_node(self) -> NodeId:
        return NodeId(U32(self.draw.randrange(1, len(self.world.agents) + 2)))

    def agent(self) -> bytes:
        return self.draw.choice(list(self.world.agents.values()))

    def spec(self) -> bytes:
        part = component(cpu_milli=self.draw.choice((100, 500, 1_500)))
        geo = self.draw.choice(((), ("acEU",), ("a!cAS",)))
        return encode_spec(AppSpec(components=(part,), constraints=Constraints(geo=geo)))

    def register(self) -> None:
        if len(self.world.agents) < 12:
            number = len(self.world.agents) + 1
            self.world.node(number, price=self.draw.randrange(50, 200), active=self.draw.random() < 0.8)

    def deploy(self) -> None:
        name = f"app-{len(self.apps)}"
        owner = self.world.fund(f"tenant {name}", 1_000)
        count, value = self.draw.randrange(1, 5), self.draw.randrange(1, 40) * 10**17
        app = self.world.send(owner, self.world.apps.deploy, name, U16(count), self.spec(), b"", value=value)
        self.apps.append((name, app))

    def confirm(self) -> None:
        for lease in self.world.open(self.app()[1]):
            if lease.state is LeaseState.ASSIGNED:
                self.world.confirm(lease)

    def fail(self) -> None:
        for lease in self.world.open(self.app()[1])[:1]:
            self.world.send(self.world.agents[lease.node], self.world.market.fail, lease.id, FailReason.START, "x")

    def scale(self) -> None:
        name, app = self.app()
        self.world.send(account(f"tenant {name}"), self.world.apps.scale, app, self.draw.randrange(0, 6))

    def update(self) -> None:
        name, app = self.app()
        count = U16(self.draw.randrange(1, 5))
        self.world.send(account(f"tenant {name}"), self.world.apps.update, app, count, self.spec(), b"")

    def pause(self) -> None:
        name, app = self.app()
        self.world.send(account(f"tenant {name}"), self.world.apps.pause, app)

    def resume(self) -> None:
        name, app = self.app()
        self.world.send(account(f"tenant {name}"), self.world.apps.resume, app)

    def top_up(self) -> None:
        name, app = self.app()
        self.world.send(account(f"tenant {name}"), self.world.escrow.top_up, app, value=10**18)

    def remove(self) -> None:
        name, app = self.app()
        if self.draw.random() < 0.3:
            self.world.send(account(f"tenant {name}"), self.world.apps.remove, app)

    def move(self) -> None:
        name, app = self.app()
        self.world.send(account(f"tenant {name}"), self.world.market.move, app, self.draw.randrange(4))

    def suspect(self) -> None:
        self.world.send(self.agent(), self.world.probes.suspect, self.some_node())  # type: ignore[arg-type]

    def outage(self) -> None:
        """Most of a committee loses a node; sometimes the node and the second committee refute it."""
        node, probes = self.some_node(), self.world.probes
        context = self.world.world.context(account("anybody"))
        for member in probes.committee(context, node)[: self.draw.randrange(2, 6)]:
            self.world.send(self.world.agents[member], probes.suspect, node)
        if self.draw.random() < 0.4:
            self.world.block()
            self.world.send(self.world.agents[node], probes.alive)
            for member in probes.second_committee(context, node):
                self.world.send(self.world.agents[member], probes.reached, node)

    def alive(self) -> None:
        self.world.send(self.agent(), self.world.probes.alive)  # type: ignore[arg-type]

    def reached(self) -> None:
        self.world.send(self.agent(), self.world.probes.reached, self.some_node())  # type: ignore[arg-type]

    def activate(self) -> None:
        self.world.send(self.agent(), self.world.nodes.activate)  # type: ignore[arg-type]

    def leave(self) -> None:
        node = self.some_node()
        if self.draw.random() < 0.3:
            self.world.send(account(f"operator {node}"), self.world.nodes.leave, node)

    def withdraw(self) -> None:
        node = self.some_node()
        self.world.send(account(f"operator {node}"), self.world.staking.withdraw, node)

    def stake(self) -> None:
        """An operator or a tenant bonds, frees or moves stake."""
        staking, node, other = self.world.staking, self.some_node(), self.some_node()
        holder = self.world.fund(self.draw.choice((f"operator {other}", f"tenant {self.app()[0]}")), 1)
        amount = self.draw.choice((EVERYTHING, self.draw.randrange(1, 10**21)))
        match self.draw.randrange(4):
            case 0 | 1:
                self.world.send(holder, staking.delegate, node, value=self.draw.randrange(1, 300) * 10**18)
            case 2:
                self.world.send(holder, staking.undelegate, node, amount)
            case _:
                self.world.send(holder, staking.redelegate, node, other, amount)

    def epoch(self) -> None:
        """An epoch ends, and most of what committees saw is reported."""
        pass_epoch(self.world, {self.draw.randrange(1, 13): self.draw.randrange(1_001) for _ in range(4)})

    def earn(self) -> None:
        node, rewards = self.some_node(), self.world.rewards
        holder = account(self.draw.choice((f"operator {node}", f"operator {self.some_node()}", "anybody")))
        self.world.send(holder, self.draw.choice((rewards.claim, rewards.compound, rewards.settle)), node)

    def slash(self) -> None:
        world, node = self.world.world, self.some_node()
        context = world.context(account("nobody"))
        parts, fault = self.draw.choice((1, 50_000, 900_000)), context.now - self.draw.randrange(70)
        world.attempt(lambda: self.world.staking.slash(context, node, parts, fault, "x"))  # type: ignore[arg-type]

    def pass_time(self) -> None:
        self.world.block(self.draw.choice((1, 1, 2, 5, 25, 70, 3_600, 100_000)))


@pytest.mark.parametrize("seed", range(6))
def test_every_invariant_holds_after_every_block(seed: int) -> None:
    crowd = Crowd(seed)
    for number in range(STEPS):
        crowd.step()
        if number % 3 == 0:
            crowd.world.block()
    assert crowd.refused
    assert {"deploy", "confirm", "pass_time"} <= crowd.done.keys()


def test_the_same_seed_leaves_the_same_state() -> None:
    dumps = []
    for _ in range(2):
        crowd = Crowd(99)
        for _ in range(120):
            crowd.step()
        crowd.world.block()
        dumps.append(crowd.world.world.dump())
    assert dumps[0] == dumps[1]
