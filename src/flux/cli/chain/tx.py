"""`flux chain tx`."""

from typing import Annotated, Any

import typer

from flux.cli import format as show
from flux.cli.chain.calls import SYSTEM, describe_call
from flux.cli.context import CommandContext
from flux.cli.errors import FAILED, CliError
from flux.cli.hints import refusal
from flux.kernel.events import Event
from flux.primitives.hexadecimal import from_hex
from flux.sdk.client import parse_receipt
from flux.sdk.known import find_error


async def run(
    context: CommandContext,
    transaction: Annotated[str, typer.Argument(metavar="HASH", help="Its hash.")],
) -> int:
    """Show a transaction: what it did, what it cost, or why it failed.

    Exit code 1 when it failed or is in no block.
    """
    async with context.client() as client:
        request = client.transport.request
        sent: dict[str, Any] | None = await request("eth_getTransactionByHash", transaction)
        receipt: dict[str, Any] | None = await request("eth_getTransactionReceipt", transaction)
        if sent is None or receipt is None:
            status = await request("flux_transactionStatus", transaction)
            raise CliError(*_not_found(status))
    return _show(context, sent, receipt)


def _not_found(status: dict[str, Any]) -> tuple[str, str]:
    match status["status"]:
        case "pending":
            return "the transaction waits to be put into a block", "look again in a moment"
        case "dropped":
            return f"the transaction was dropped when its turn came: {status['reason']}", "send it again"
    return "this chain knows no such transaction", "check the hash, and --rpc"


def _show(context: CommandContext, sent: dict[str, Any], receipt: dict[str, Any]) -> int:
    succeeded = int(receipt["status"], 16) == 1
    parsed = parse_receipt(receipt)
    why = "" if succeeded else _failure(receipt)
    context.output.facts(
        [
            ("status", "done" if succeeded else f"failed: {why}"),
            ("block", f"{int(receipt['blockNumber'], 16):,}, number {int(receipt['transactionIndex'], 16)} in it"),
            ("from", "the protocol" if sent["from"].lower() == SYSTEM else sent["from"]),
            ("does", describe_call(sent)),
            ("fee", f"{show.flux(parsed.fee)} for {parsed.gas_used:,} gas"),
        ],
        sent["hash"],
    )
    events = parsed.events()
    if events:
        context.output.line()
        context.output.table(["EVENT", "FACTS"], [(type(event).__name__, _facts(event)) for event in events])
    context.output.document(
        {
            "transaction": sent,
            "receipt": receipt,
            "does": describe_call(sent),
            "failure": why or None,
            "events": [{"event": type(event).__name__, "facts": _facts_document(event)} for event in events],
        }
    )
    return 0 if succeeded else FAILED


def _failure(receipt: dict[str, Any]) -> str:
    data = from_hex(receipt.get("revertData") or "0x")
    if not data:
        return "it ran out of gas"
    revert = find_error(data)
    return f"unknown error 0x{data.hex()}" if revert is None else refusal(revert)[0]


def _facts_document(event: Event) -> dict[str, Any]:
    return {name: _text(getattr(event, name)) for name in event.__struct_fields__}


def _facts(event: Event) -> str:
    return ", ".join(f"{name} {value}" for name, value in _facts_document(event).items())


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return show.address(value) if len(value) == 20 else f"0x{value.hex()}"
    return str(value)
