"""Which instances of an app would be cheaper elsewhere: what placement would choose today, one after the other.

Nothing moves by itself because a node returned or asks less; this is what the owner sees and may ask for.
"""

from flux.contracts.apps.types import App, AppStatus
from flux.contracts.market.book import Book
from flux.contracts.market.exchange import Terms, rate_at
from flux.contracts.market.fleet import FREE_CPU, FREE_GPU, Fleet
from flux.contracts.market.placement import place
from flux.contracts.market.placer import Placer
from flux.contracts.market.requests import Choice, Demand, Presence, Wish, wish_of
from flux.contracts.market.rules import rate_of
from flux.contracts.market.types import Lease, LeaseState, Ordinal, Relocation
from flux.kernel.context import Context


class Relocations:
    """Looks for cheaper places."""

    def __init__(self, book: Book, placer: Placer) -> None:
        self._book = book
        self._placer = placer

    def find(self, ctx: Context, app: App, only: Ordinal | None = None) -> list[Relocation]:
        """In the order of instances, each as if those before it had moved. Bounded by the app's instances.

        `only` looks at one of them, as if no other moved.

        None of an app with volumes, whose data would stay behind, or at most one of which may run.
        """
        spec = self._book.spec(app.id, app.revision)
        leases = [lease for lease in self._book.open_of_app(app.id) if lease.revision == app.revision]
        if app.status is not AppStatus.ACTIVE or spec.volumes or spec.at_most_one:
            return []
        hosts = {lease.id: lease.node for lease in self._book.open_of_app(app.id)}
        fleet, excluded = self._placer.fleet(ctx), self._book.excluded(ctx, app)
        wish = wish_of(spec, fleet.price)
        found: list[Relocation] = []
        for lease in sorted(leases, key=lambda item: (item.ordinal, item.id)):
            if lease.state is not LeaseState.RUNNING or only not in (None, lease.ordinal):
                continue
            others = tuple(dict.fromkeys(node for id, node in hosts.items() if id != lease.id))
            after, choice = _choose(ctx, fleet, wish, lease, Presence(others, excluded))
            present = rate_at(Terms(lease.rate, lease.usd_rate), fleet.price)
            if choice is not None and choice.node != lease.node and (rate := rate_of(choice.price)) < present:
                found.append(Relocation(lease.ordinal, lease.id, lease.node, choice.node, present, rate))
                hosts[lease.id] = choice.node
                fleet = after
        return found


def _choose(ctx: Context, fleet: Fleet, wish: Wish, lease: Lease, presence: Presence) -> tuple[Fleet, Choice | None]:
    """Where the instance would be placed if it were new, and the fleet after that."""
    after = fleet.copy()
    cpu, memory, disk, gpu = wish.needs
    after.columns[FREE_CPU : FREE_GPU + 1, lease.node - 1] += (cpu, memory, disk, 1, gpu)
    ((choice,),) = place(after, ctx.block.seed, [Demand(wish, presence, (None,))])
    return after, choice
