"""Prices of a node: FLUX an hour on the command line, gwei an hour on chain."""

from flux.cli import format as show
from flux.cli.errors import UsageError
from flux.contracts.nodes.types import Ask
from flux.primitives.types import U64, WEI_PER_GWEI
from flux.primitives.units import parse_flux


def ask_of(cpu: str, memory: str, disk: str, gpu: str) -> Ask:
    """Raises UsageError for a price with more than 9 decimals."""
    return Ask(cpu=_gwei(cpu), memory=_gwei(memory), disk=_gwei(disk), gpu=_gwei(gpu))


def price_text(gwei: int) -> str:
    """A price for people."""
    return show.number(gwei * WEI_PER_GWEI)


def ask_document(ask: Ask) -> dict[str, str]:
    """For scripts: FLUX an hour."""
    return {
        "core": show.exact(ask.cpu * WEI_PER_GWEI),
        "memory_gib": show.exact(ask.memory * WEI_PER_GWEI),
        "disk_gib": show.exact(ask.disk * WEI_PER_GWEI),
        "gpu": show.exact(ask.gpu * WEI_PER_GWEI),
    }


def _gwei(text: str) -> U64:
    wei = parse_flux(text)
    if wei % WEI_PER_GWEI:
        raise UsageError(f"a price has at most 9 decimals, got {text}")
    return U64(wei // WEI_PER_GWEI)
