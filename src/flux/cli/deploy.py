"""`flux deploy`."""

import asyncio
import time
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from flux.cli import format as show
from flux.cli import verdicts as verdict_table
from flux.cli.context import CommandContext
from flux.cli.errors import REFUSED, CliError
from flux.cli.images import pin_images
from flux.cli.options import (
    FileArgument,
    GeoOption,
    InstancesOption,
    MaxPriceOption,
    PatienceOption,
    ProfileOption,
    WaitOption,
)
from flux.cli.quote import Quote, standby_rate
from flux.cli.spec_input import Changes, app_name, findings_document, read_spec, show_findings
from flux.contracts.apps.types import AppDeployed, Revision, encode_spec
from flux.primitives.types import U16, U32, Wei
from flux.primitives.units import parse_flux
from flux.sdk import paging
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.escrow import Escrow
from flux.sdk.client import FluxClient
from flux.specs.loaded import LoadedSpec

FIRST = Revision(U32(1))


async def run(
    context: CommandContext,
    file: FileArgument,
    name: Annotated[str | None, typer.Option("--name", help="Name of the app; part of its URL.")] = None,
    instances: InstancesOption = None,
    geo: GeoOption = None,
    max_price: MaxPriceOption = None,
    deposit: Annotated[
        str | None,
        typer.Option("--deposit", metavar="FLUX", help="What is paid in first; what is not used comes back."),
    ] = None,
    queue: Annotated[
        bool, typer.Option("--queue", help="Deploy even if too few nodes can run it now; it waits for them.")
    ] = False,
    profile: ProfileOption = None,
    wait: WaitOption = True,
    patience: PatienceOption = 300,
) -> None:
    """Deploy a Compose file or Flux spec: print the URL, the nodes chosen and the price.

    Everything is checked before money moves: what cannot be honoured is named with its line, images are pinned to
    digests, and a spec that too few nodes can run is refused with the reasons counted. Environment and arguments are
    encrypted here; only the nodes that run the app can read them.
    """
    begun = time.monotonic()
    loaded = read_spec(context, file, Changes(name, instances, geo or (), max_price), profile or ())
    show_findings(context, loaded.findings)
    async with context.client() as client:
        order = await _prepare(context, client, loaded, None if deposit is None else parse_flux(deposit), queue=queue)
        signer = await context.signer(client)
        if order.seed is not None:
            from flux.cli.seeds import open_seeds

            (await open_seeds(context, client)).keep(order.name, order.seed)
        receipt = await Apps(client).deploy(
            signer, order.name, U16(order.instances), order.spec, order.ciphertext, value=order.quote.deposit
        )
        # Imported while nodes are at work: what follows a deployment does not hold it up.
        from flux.cli.rollout import Rollout, await_running, give_seed_once, result_document, show_result

        app = receipt.event(AppDeployed).app
        context.output.note(
            f"app {app} {order.name} is on chain in block {receipt.block}, paid in {show.flux(order.quote.deposit)}"
        )
        rollout = Rollout(context, client, app, order.name, FIRST, order.instances, signer, order.seed)
        if wait and not queue:
            await await_running(rollout, patience)
        else:
            await give_seed_once(rollout)
        facts: dict[str, Any] = {
            "transaction": f"0x{receipt.transaction.hex()}",
            "block": receipt.block,
            "deposit": show.exact(order.quote.deposit),
            "fee": show.exact(receipt.fee),
            "findings": findings_document(loaded.findings),
        }
        result = await result_document(rollout)
        seconds = round(time.monotonic() - begun, 3)
        context.output.document({**result, **facts, "seconds": seconds})
        show_result(context, result, seconds)


@dataclass(frozen=True, slots=True)
class _Order:
    """What will be sent."""

    name: str
    instances: int
    spec: bytes
    ciphertext: bytes
    seed: bytes | None
    quote: Quote


async def _prepare(
    context: CommandContext, client: FluxClient, loaded: LoadedSpec, deposit: Wei | None, *, queue: bool
) -> _Order:
    """Everything that can be refused before money moves."""
    name, wanted = app_name(loaded), loaded.options.instances
    loaded, taken = await asyncio.gather(pin_images(context, loaded), Apps(client).find(name))
    if taken:
        raise CliError(
            f"the name {name} belongs to app {taken}",
            f"choose another with --name, or replace what runs with `flux app update {name} FILE`",
            REFUSED,
            "NameTaken",
        )
    spec = encode_spec(loaded.app_spec)
    verdicts, smallest = await asyncio.gather(paging.plan(client, spec), Escrow(client).quote(spec, U16(wanted)))
    able = len(verdict_table.able(verdicts))
    if able < wanted and not queue:
        raise CliError(
            f"{show.count(able, 'node')} can run it and {show.count(wanted, 'instance')} are wanted"
            f" ({verdict_table.counted(verdicts)})",
            "see each node with `flux plan`; --queue deploys it and waits for nodes",
            REFUSED,
            "NoNode",
        )
    held = await standby_rate(client, verdicts, wanted, loaded.app_spec.standby)
    paid_in = deposit if deposit is not None else loaded.options.deposit
    quote = Quote.of(verdicts, wanted, smallest, paid_in, standby_rate=held)
    ciphertext, seed = _locked(loaded)
    return _Order(name, wanted, spec, ciphertext, seed, quote)


def _locked(loaded: LoadedSpec) -> tuple[bytes, bytes | None]:
    """The private half encrypted, and the seed that opens it; the cryptography is imported when there is one."""
    if not loaded.app_spec.private:
        return b"", None
    from flux.specs.private_half import encrypt

    return encrypt(loaded.private)
