"""What tenants do with apps: deploy, change, move and remove them, pay for them, defend them."""

from flux.contracts.accounts.contract import Accounts
from flux.contracts.apps.contract import Apps
from flux.contracts.apps.types import AppSpec, Component, Constraints, Port, Revision, Update, Volume, encode_spec
from flux.contracts.escrow.contract import Escrow
from flux.contracts.market.contract import Market
from flux.contracts.policy.contract import Policy
from flux.contracts.secrets.contract import Secrets
from flux.contracts.secrets.types import Generation, SealedSeed
from flux.primitives.types import U16, U32
from flux.specs.keepers import share_out
from support.chain_lab import address
from support.contract_lab import IMAGE
from support.protocol_users.users import OPERATORS, TENANTS, Users

OTHER_IMAGE = IMAGE.replace("ab", "cd")


def deploy(users: Users) -> list[bytes]:
    tenant, draw = users.draw.choice(TENANTS), users.draw
    if sum(app.status.name != "CLOSED" for app in users.apps) > 7:
        return []
    spec = random_spec(users)
    secret = b"ciphertext" if spec.private else b""
    count = U16(draw.randrange(1, 5))
    value = users.head.escrow.quote_of(users.head.ctx, spec, count) * draw.choice((1, 1, 2, 9))
    arguments = (f"app-{draw.randrange(20)}", count, encode_spec(spec), secret)
    return [users.call(tenant, Apps, "deploy", *arguments, value=value)]


def update(users: Users) -> list[bytes]:
    spec = random_spec(users)
    secret = b"ciphertext" if spec.private else b""
    return users.own(Apps, "update", U16(users.draw.randrange(1, 5)), encode_spec(spec), secret)


def roll_back(users: Users) -> list[bytes]:
    return users.own(Apps, "rollback", Revision(U32(users.draw.randrange(1, 6))))


def scale(users: Users) -> list[bytes]:
    return users.own(Apps, "scale", U16(users.draw.randrange(0, 6)))


def pause_or_resume(users: Users) -> list[bytes]:
    return users.own(Apps, users.draw.choice(("pause", "resume", "resume")))


def top_up(users: Users) -> list[bytes]:
    return users.own(Escrow, "top_up", value=users.draw.randrange(1, 9) * 10**15)


def remove(users: Users) -> list[bytes]:
    return users.own(Apps, "remove") if users.draw.random() < 0.4 else []


def move(users: Users) -> list[bytes]:
    return users.own(Market, "move", U16(users.draw.randrange(4)))


def rebalance(users: Users) -> list[bytes]:
    return users.own(Market, "rebalance", U16(users.draw.randrange(4)))


def hand_seeds(users: Users) -> list[bytes]:
    if not users.leases:
        return []
    lease = users.draw.choice(users.leases)
    seed = SealedSeed(lease.id, users.draw.randbytes(64))
    if users.draw.random() < 0.5:
        return users.of_node(users.draw.choice(users.leases).node, Secrets, "hand_over", lease.app, seed)
    owner = users.head.apps.app(users.head.ctx, lease.app).owner
    return [users.call(users.owners[owner], Secrets, "seal", lease.app, [seed])]


def share_seeds(users: Users) -> list[bytes]:
    """A lease holder or the owner shares a seed: the true one, another one, or a generation too early."""
    ctx, secrets = users.head.ctx, users.head.secrets
    leases = [lease for lease in users.leases if (lease.app, lease.revision) in secrets.state.ciphertexts]
    if not leases:
        return []
    lease = users.draw.choice(leases)
    status = secrets.sharing(ctx, lease.app, lease.revision)
    seed = users.draw.choice((b"s" * 16,) * 3 + (b"x" * 16,))
    generation = Generation(U32(status.generation + users.draw.choice((1, 1, 1, 1, 2))))
    shared = share_out(seed, lease.app, lease.revision, generation, status.next_threshold, status.seats)
    if users.draw.random() < 0.7:
        return users.of_node(lease.node, Secrets, "share", lease.app, lease.revision, shared)
    owner = users.owners[users.head.apps.app(ctx, lease.app).owner]
    return [users.call(owner, Secrets, "keep", lease.app, lease.revision, shared)]


def pay(users: Users) -> list[bytes]:
    if users.apps and users.draw.random() < 0.5:
        return [users.call(users.draw.choice(TENANTS), Escrow, "settle", users.draw.choice(users.apps).id)]
    target = address(users.draw.choice(TENANTS))
    return [users.call(users.draw.choice(OPERATORS), Accounts, "transfer", target, 10**15)]


def police(users: Users) -> list[bytes]:
    if users.draw.random() < 0.5:
        return users.own(Policy, "appeal", "not guilty")
    return users.own(Policy, "enforce")


def random_spec(users: Users) -> AppSpec:
    draw = users.draw
    part = Component(
        name="web",
        image=draw.choice((IMAGE, IMAGE, IMAGE, OTHER_IMAGE)),
        cpu_milli=draw.choice((200, 600, 1_500)),
        memory_mib=256,
        ports=(Port(80),) if draw.random() < 0.5 else (),
    )
    volumes = (Volume("data", 100),) if draw.random() < 0.4 else ()
    flux, dollars = draw.choice(((0, 0), (0, 0), (10**9, 0), (0, 5 * 10**7)))
    dollars = dollars if users.head.oracle.value(users.head.ctx) else 0
    rules = draw.choice(((), (), ("acEU",), ("a!cNA",)))
    constraints = Constraints(geo=rules, max_price_gwei_hour=flux, max_price_nanousd_hour=dollars)
    order = draw.choice(("auto", "stop-first") if volumes else ("auto", "start-first", "stop-first"))
    action = draw.choice(("rollback", "rollback", "pause", "continue"))
    update = Update(draw.randrange(1, 4), order, draw.choice((0, 0, 3)), draw.choice((0, 2, 5)), action)
    return AppSpec(
        components=(part,),
        volumes=volumes,
        constraints=constraints,
        private=draw.random() < 0.3,
        update=update if draw.random() < 0.9 else None,
        at_most_one=draw.random() < 0.2,
        standby=draw.choice((0, 1, 2)),
    )
