"""`flux chain params`."""

from typing import Annotated, Any

import typer

from flux.cli.context import CommandContext
from flux.cli.errors import UsageError
from flux.cli.output import Column

_EXACT_JSON = 2**53


async def run(
    context: CommandContext,
    part: Annotated[
        str | None, typer.Argument(metavar="PART", help="Only this part: chain, nodes, market, escrow, …")
    ] = None,
) -> None:
    """Show the protocol's parameters: amounts in wei, times in seconds, prices in gwei per hour."""
    async with context.client() as client:
        params: dict[str, Any] = _numbers(await client.transport.request("flux_params"))
    if part is not None and part not in params:
        raise UsageError(f"there is no part {part}", f"there are {', '.join(params)}")
    chosen = params if part is None else {part: params[part]}
    rows = [(name, path, value) for name, values in chosen.items() for path, value in _flat(values)]
    context.output.table(["PART", "PARAMETER", Column("VALUE", wrap=True)], rows)
    context.output.document(chosen)


def _numbers(value: Any) -> Any:
    """Quantities as numbers, or as decimal text where JSON readers would round them."""
    match value:
        case dict():
            return {name: _numbers(item) for name, item in value.items()}
        case list():
            return [_numbers(item) for item in value]
        case str() if value.startswith("0x") and 2 < len(value) <= 66:
            number = int(value, 16)
            return number if number < _EXACT_JSON else str(number)
    return value


def _flat(value: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for name, item in value.items() for pair in _flat(item, f"{path}.{name}" if path else name)]
    if isinstance(value, list):
        return [pair for index, item in enumerate(value) for pair in _flat(item, f"{path}[{index}]")]
    return [(path, f"{value:,}" if isinstance(value, int) else str(value))]
