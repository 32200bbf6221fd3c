"""Keepers on a real chain, over real TLS: the holder of an open lease gets the seed back, and nobody else a share."""

import time
from pathlib import Path

from flux.agent.desired import Lock
from flux.agent.seed_recovery import GIVERS_FIRST
from flux.agent.sharing import LOOK_AGAIN, TURN_SECONDS
from flux.cli.keepers import keep
from flux.contracts.market.types import Lease, LeaseState, Ordinal
from flux.contracts.secrets.types import Generation
from flux.primitives.types import U16, U32
from flux.sdk.agent_api import signed_headers
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.secrets import Secrets
from flux.specs.keepers import is_right, share_out
from flux.specs.private_half import seal
from flux.wallet.development import LOCAL_CHAIN_ID, development_key
from support.keeper_lab import FIRST, PRIVATE, STRANGER, TENANT, KeeperLab, keeper_lab


async def move(lab: KeeperLab) -> Lease:
    """The instance should run elsewhere; nobody gives its seed there."""
    await Market(lab.client).move(TENANT, lab.app, Ordinal(U16(0)))
    return await lab.lease(LeaseState.ASSIGNED)


async def test_a_lease_that_nobody_gave_the_seed_gets_it_from_keepers_though_half_of_them_are_dead(
    tmp_path: Path,
) -> None:
    async with keeper_lab(tmp_path) as lab:
        first = await lab.lease(LeaseState.RUNNING)
        await lab.share(first.node)
        keeping = await lab.keeping()
        assert keeping.shared.generation == 1
        keepers = [keeper.node for keeper in keeping.shared.keepers]
        assert len(keepers) == 4
        assert first.node not in keepers

        lease = await move(lab)
        for keeper in [keeper for keeper in keepers if keeper != lease.node][:2]:
            await lab.stop(keeper)
        assert lease.node in keepers, "one share is its own, one comes from the last of the others"
        source = await lab.recover(lease)
        assert source.seed(lease) == lab.seed
        wanted = (await source.desired())[lease.id]
        assert (wanted.lock, wanted.private) == (Lock.OPEN, PRIVATE)
        assert "hunter2" not in repr(source._opened)


async def test_below_the_threshold_nothing_opens(tmp_path: Path) -> None:
    async with keeper_lab(tmp_path) as lab:
        await lab.share((await lab.lease(LeaseState.RUNNING)).node)
        lease = await move(lab)
        for number in lab.runners:
            await lab.stop(number)
        source = await lab.recover(lease)
        assert source.seed(lease) is None
        assert (await source.desired())[lease.id].lock is Lock.WAITING


async def test_nodes_that_run_the_app_are_waited_for_first(tmp_path: Path) -> None:
    async with keeper_lab(tmp_path) as lab:
        await lab.share((await lab.lease(LeaseState.RUNNING)).node)
        lease = await move(lab)
        assert (await lab.recover(lease, waited=GIVERS_FIRST / 2)).seed(lease) is None
        assert (await lab.recover(lease)).seed(lease) == lab.seed


async def test_a_share_is_given_to_the_holder_of_the_open_lease_and_to_nobody_else(tmp_path: Path) -> None:
    async with keeper_lab(tmp_path) as lab:
        first = await lab.lease(LeaseState.RUNNING)
        await lab.share(first.node)
        keepers = [keeper.node for keeper in (await lab.keeping()).shared.keepers]
        lease = await move(lab)
        keeper = next(number for number in keepers if number != lease.node)
        holder = lab.identity(lease.node).signer
        assert await lab.ask(holder, keeper, lease) == 200

        assert await lab.ask(STRANGER, keeper, lease) == 403, "no node at all"
        assert await lab.ask(TENANT, keeper, lease) == 403, "not even the owner, who has the seed"
        idle = next(number for number in lab.runners if number not in (lease.node, first.node, keeper))
        assert await lab.ask(lab.identity(idle).signer, keeper, lease) == 403, "a node without a lease"
        assert await lab.ask(lab.identity(first.node).signer, keeper, lease) == 403, "the holder of another lease"
        assert await lab.ask(holder, first.node, lease) == 404, "that node keeps nothing"

        now, target = int(time.time()), f"/v1/leases/{lease.id}/share"
        certificate = lab.identity(keeper).certificate
        overheard = signed_headers(holder, certificate, "GET", target, now)
        assert await lab.ask(holder, keeper, lease, overheard) == 200
        assert await lab.ask(holder, keeper, lease, overheard) == 401, "a replay"
        other = next(number for number in keepers if number not in (keeper, lease.node))
        assert await lab.ask(holder, other, lease, overheard) == 401, "signed for another keeper"
        old = signed_headers(holder, certificate, "GET", target, now - 3600)
        assert await lab.ask(holder, keeper, lease, old) == 401, "signed an hour ago"
        elsewhere = signed_headers(holder, certificate, "GET", f"/v1/leases/{first.id}/share", now)
        assert await lab.ask(holder, keeper, lease, elsewhere) == 401, "signed for another lease"

        await Apps(lab.client).pause(TENANT, lab.app)
        assert await lab.ask(holder, keeper, lease) == 403, "the lease is closed"


async def test_a_share_that_is_not_the_one_on_chain_is_neither_given_nor_used(tmp_path: Path) -> None:
    async with keeper_lab(tmp_path) as lab:
        status = await Secrets(lab.client).sharing(lab.app, FIRST)
        good, bad = (
            share_out(seed, lab.app, FIRST, Generation(U32(1)), status.next_threshold, status.seats)
            for seed in (lab.seed, b"l" * 16)
        )
        spoiled = [keeper.but(box=lie.box) for keeper, lie in zip(good.keepers, bad.keepers, strict=True)]
        await Secrets(lab.client).keep(TENANT, lab.app, FIRST, good.but(keepers=tuple(spoiled)))
        lease = await move(lab)
        keeper = next(seat.node for seat in status.seats if seat.node != lease.node)
        assert await lab.ask(lab.identity(lease.node).signer, keeper, lease) == 410
        assert (await lab.recover(lease)).seed(lease) is None


async def test_a_keeper_that_lies_is_passed_over(tmp_path: Path) -> None:
    async with keeper_lab(tmp_path) as lab:
        await lab.share((await lab.lease(LeaseState.RUNNING)).node)
        lease = await move(lab)
        liar = next(keeper.node for keeper in (await lab.keeping()).shared.keepers if keeper.node != lease.node)
        lie = seal(b"l" * 16, (await lab.node(lease.node)).endpoint.seal_key)
        assert (await lab.recover(lease, lies={liar: lie})).seed(lease) == lab.seed


async def test_a_sharing_of_another_seed_is_replaced_as_soon_as_nodes_may(tmp_path: Path) -> None:
    async with keeper_lab(tmp_path) as lab:
        holder = (await lab.lease(LeaseState.RUNNING)).node
        await lab.share(holder, b"l" * 16)
        wrong = (await lab.keeping()).shared
        await lab.share(holder)
        assert (await lab.keeping()).shared == wrong, "too soon"
        lab.chain.skip(15)
        lab.now += LOOK_AGAIN
        await Apps(lab.client).scale(TENANT, lab.app, U16(1))
        await lab.share(holder)
        right = (await lab.keeping()).shared
        assert right.generation == 2
        assert is_right(right, lab.seed, lab.app, FIRST)


async def test_a_sharing_that_is_in_order_is_left_alone(tmp_path: Path) -> None:
    async with keeper_lab(tmp_path) as lab:
        holder = (await lab.lease(LeaseState.RUNNING)).node
        for _ in range(3):
            await lab.share(holder)
            lab.chain.skip(15)
            lab.now += 100
        assert (await lab.keeping()).shared.generation == 1


async def test_two_nodes_agree_and_further_ones_speak_only_where_those_are_silent(tmp_path: Path) -> None:
    async with keeper_lab(tmp_path, instances=3, nodes=8) as lab:
        first, second, third = sorted(lease.node for lease in await lab.leases(LeaseState.RUNNING))
        await lab.share(third)
        assert (await Secrets(lab.client).sharing(lab.app, FIRST)).voted == ()
        await lab.share(first)
        assert await lab.generation() == 0
        lab.now += TURN_SECONDS
        await lab.share(third)
        assert await lab.generation() == 1
        await lab.share(second)
        assert await lab.generation() == 1
        assert is_right((await lab.keeping()).shared, lab.seed, lab.app, FIRST)


async def test_the_owner_shares_anew_when_keepers_leave_and_not_before(tmp_path: Path) -> None:
    async with keeper_lab(tmp_path, nodes=8) as lab:
        await lab.share((await lab.lease(LeaseState.RUNNING)).node)
        shared = (await lab.keeping()).shared
        assert await keep(lab.client, TENANT, lab.app, FIRST, lab.seed)
        assert (await lab.keeping()).shared == shared
        lost = [keeper.node for keeper in shared.keepers[:2]]
        for number in lost:
            await Nodes(lab.client).leave(development_key(number, LOCAL_CHAIN_ID), number)
        assert await keep(lab.client, TENANT, lab.app, FIRST, lab.seed)
        renewed = (await lab.keeping()).shared
        assert renewed.generation == shared.generation + 1
        assert not {keeper.node for keeper in renewed.keepers} & set(lost)


async def test_nodes_share_anew_when_keepers_leave(tmp_path: Path) -> None:
    async with keeper_lab(tmp_path, nodes=8) as lab:
        holder = (await lab.lease(LeaseState.RUNNING)).node
        await lab.share(holder)
        keepers = [keeper.node for keeper in (await lab.keeping()).shared.keepers]
        for number in keepers[:2]:
            await Nodes(lab.client).leave(development_key(number, LOCAL_CHAIN_ID), number)
        lab.now += LOOK_AGAIN
        await lab.share(holder)
        renewed = (await lab.keeping()).shared
        assert renewed.generation == 2
        assert len(renewed.keepers) == 4
        assert not {keeper.node for keeper in renewed.keepers} & set(keepers[:2])
        lease = await move(lab)
        assert (await lab.recover(lease)).seed(lease) == lab.seed
