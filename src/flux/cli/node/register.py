"""`flux node register`."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from flux.agent.hardware.detect import detect
from flux.agent.identity import load
from flux.cli import format as show
from flux.cli import words
from flux.cli.context import CommandContext
from flux.cli.errors import CliError, UsageError
from flux.cli.node.prices import ask_document, ask_of
from flux.contracts.nodes.types import Hardware, Location, Tier
from flux.primitives.geo import CONTINENTS
from flux.primitives.types import U8, U32, U256, Wei
from flux.primitives.units import parse_flux
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.client import FluxClient
from flux.services.home import FluxHome
from flux.services.registration import Declaration, find_registered, register


async def run(
    context: CommandContext,
    location: Annotated[
        str, typer.Option("--location", metavar="PLACE", help="Where the machine is: EU/FR or EU/FR/IDF.")
    ],
    host: Annotated[str, typer.Option("--host", help="Address that clients and peers connect to.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of the agent's API.")] = 16127,
    stake: Annotated[
        str | None, typer.Option("--stake", metavar="FLUX", help="Your own; without it, the smallest tier's.")
    ] = None,
    cpu: Annotated[float | None, typer.Option("--cpu", min=0.1, help="Cores offered; measured without it.")] = None,
    memory: Annotated[int | None, typer.Option("--memory", min=1, metavar="MIB", help="MiB of memory offered.")] = None,
    disk: Annotated[int | None, typer.Option("--disk", min=1, metavar="MIB", help="MiB of disk offered.")] = None,
    price_cpu: Annotated[str, typer.Option("--price-cpu", metavar="FLUX", help="A core an hour.")] = "0.02",
    price_memory: Annotated[str, typer.Option("--price-memory", metavar="FLUX", help="A GiB an hour.")] = "0.01",
    price_disk: Annotated[str, typer.Option("--price-disk", metavar="FLUX", help="A GiB an hour.")] = "0.0002",
    price_gpu: Annotated[str, typer.Option("--price-gpu", metavar="FLUX", help="A GPU an hour.")] = "5",
    residential: Annotated[bool, typer.Option("--residential", help="It is in somebody's home.")] = False,
    static_ip: Annotated[bool, typer.Option("--static-ip", help="Its address stays the same.")] = False,
) -> None:
    """Stake and register this machine as a node. Its keys come from `flux node init`.

    Hardware is measured, less what the system needs itself. The account that signs is the operator: it holds the stake,
    sets the prices, and is paid. Give it a key of its own (--account), never the agent's.
    """
    identity = load(FluxHome(context.home).node)
    ask = ask_of(price_cpu, price_memory, price_disk, price_gpu)
    hardware = _hardware(detect(identity.home), cpu, memory, disk)
    place = _location(location)
    async with context.client() as client:
        known = await find_registered(client, identity)
        if known is not None:
            raise CliError(
                f"this machine is node {known.id} already ({words.status_word('node', known.status)})",
                "start it with `flux node start`",
            )
        tiers = await _tiers(client)
        amount = _stake(tiers, hardware) if stake is None else parse_flux(stake)
        _check_reachable(tiers, hardware, amount)
        operator = await context.signer(client)
        declaration = Declaration(host, port, place, hardware, ask, amount, residential, static_ip)
        number = await register(client, operator, identity, declaration)
        record = await Nodes(client).node(number)
    tier = words.tier(record.tier) if record.tier else "no tier yet"
    context.output.line(
        f"Node {number} is registered: {tier}, {show.cores(hardware.cpu_milli)},"
        f" {show.memory(hardware.memory_mib)} memory, {show.memory(hardware.disk_mib)} disk, stake {show.flux(amount)}."
    )
    if record.tier is Tier.NONE:
        context.output.line(
            f"It can start once others have delegated what is missing, or you added it with `flux node stake {number}`."
        )
    context.output.line(f"Next: flux node start --listen {host}:{port}")
    context.output.document(
        {
            "node": number,
            "operator": show.address(operator.address),
            "agent": show.address(identity.signer.address),
            "tier": words.tier(record.tier).lower(),
            "stake": show.exact(amount),
            "cpu_milli": hardware.cpu_milli,
            "memory_mib": hardware.memory_mib,
            "disk_mib": hardware.disk_mib,
            "prices": ask_document(ask),
        }
    )


@dataclass(frozen=True, slots=True)
class TierNeeds:
    """What a tier asks for."""

    name: str
    stake: int
    own: int
    """What of the stake must be the operator's."""
    cpu_milli: int
    memory_mib: int
    disk_mib: int

    def takes(self, hardware: Hardware) -> bool:
        """Whether the hardware suffices."""
        return (
            hardware.cpu_milli >= self.cpu_milli
            and hardware.memory_mib >= self.memory_mib
            and hardware.disk_mib >= self.disk_mib
        )

    def __str__(self) -> str:
        needs = (
            f"{show.cores(self.cpu_milli)}, {show.memory(self.memory_mib)} memory, {show.memory(self.disk_mib)} disk"
        )
        return f"{self.name} needs {needs} and {show.flux(self.stake)}"


async def _tiers(client: FluxClient) -> list[TierNeeds]:
    params: dict[str, Any] = await client.transport.request("flux_params")
    names = ("Cumulus", "Nimbus", "Stratus")
    own = int(params["nodes"]["ownStake"], 16)
    return [
        TierNeeds(
            name,
            int(tier["stake"], 16),
            int(tier["stake"], 16) * own // 10_000,
            int(tier["cpuMilli"], 16),
            int(tier["memoryMib"], 16),
            int(tier["diskMib"], 16),
        )
        for name, tier in zip(names, params["nodes"]["tiers"], strict=True)
    ]


def _stake(tiers: list[TierNeeds], hardware: Hardware) -> Wei:
    """The smallest stake with which this hardware is in any tier."""
    reached = [tier.stake for tier in tiers if tier.takes(hardware)]
    return Wei(U256(min(reached, default=tiers[0].stake)))


def _check_reachable(tiers: list[TierNeeds], hardware: Hardware, stake: Wei) -> None:
    """Say what is missing before a transaction is sent."""
    if any(tier.takes(hardware) for tier in tiers) and stake >= tiers[0].own:
        return
    offered = (
        f"{show.cores(hardware.cpu_milli)}, {show.memory(hardware.memory_mib)} memory,"
        f" {show.memory(hardware.disk_mib)} disk and {show.flux(stake)}"
    )
    raise CliError(
        f"{offered} reach no tier: {tiers[0]}", "offer more with --cpu, --memory, --disk, or stake more with --stake"
    )


def _hardware(measured: Hardware, cpu: float | None, memory: int | None, disk: int | None) -> Hardware:
    return Hardware(
        cpu_milli=measured.cpu_milli if cpu is None else U32(round(cpu * 1000)),
        memory_mib=measured.memory_mib if memory is None else U32(memory),
        disk_mib=measured.disk_mib if disk is None else U32(disk),
        architecture=measured.architecture,
        gpu_count=U8(measured.gpu_count),
        gpu_model=measured.gpu_model,
    )


def _location(text: str) -> Location:
    parts = text.split("/")
    if not 2 <= len(parts) <= 3 or parts[0] not in CONTINENTS or len(parts[1]) != 2:
        raise UsageError(
            f"a place is continent/country or continent/country/region, got {text}",
            f"for example EU/FR or NA/US/CA; continents are {', '.join(CONTINENTS)}",
        )
    return Location(parts[0], parts[1].upper(), parts[2] if len(parts) == 3 else "")
