"""`flux dao propose`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from flux.cli.accounts import find_address
from flux.cli.context import CommandContext
from flux.cli.errors import UsageError
from flux.cli.lookup import find_app, protocol_now
from flux.cli.named_files import named_file
from flux.contracts.governor.types import ProposalCreated
from flux.primitives.types import U64, U256, ChainTime, Hash
from flux.primitives.units import parse_flux
from flux.sdk.actions import Action, action, words
from flux.sdk.bindings.governor import Governor
from flux.sdk.client import FluxClient
from flux.sdk.known import find_event

_DIGEST = re.compile(r"(?:.*@)?(?:sha256:)?([0-9a-f]{64})", re.ASCII)


async def run(
    context: CommandContext,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is about, in a line.")],
    description: Annotated[
        Path | None, typer.Option("--description", metavar="FILE", help="Reasons, in Markdown.")
    ] = None,
    numbers: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a parameter.")
    ] = None,
    grants: Annotated[
        list[str] | None, typer.Option("--grant", metavar="ACCOUNT=FLUX", help="Pay from the treasury.")
    ] = None,
    upgrade: Annotated[
        str | None, typer.Option("--upgrade", metavar="NAME=SECONDS", help="Schedule an upgrade, so long from now.")
    ] = None,
    cancel_upgrade: Annotated[
        str | None, typer.Option("--cancel-upgrade", metavar="NAME", help="Drop a scheduled upgrade.")
    ] = None,
    deny_images: Annotated[
        list[str] | None, typer.Option("--deny-image", metavar="DIGEST=REASON", help="Keep an image off the network.")
    ] = None,
    allow_images: Annotated[
        list[str] | None, typer.Option("--allow-image", metavar="DIGEST", help="Lift that.")
    ] = None,
    deny_apps: Annotated[
        list[str] | None, typer.Option("--deny-app", metavar="APP=REASON", help="Close an app after notice.")
    ] = None,
    allow_apps: Annotated[list[str] | None, typer.Option("--allow-app", metavar="APP", help="Lift that.")] = None,
    feeders: Annotated[
        list[str] | None, typer.Option("--feeder", metavar="ACCOUNT", help="Admit an oracle feeder.")
    ] = None,
    remove_feeders: Annotated[
        list[str] | None, typer.Option("--remove-feeder", metavar="ACCOUNT", help="Remove one; its bond comes back.")
    ] = None,
    expel_feeders: Annotated[
        list[str] | None, typer.Option("--expel-feeder", metavar="ACCOUNT", help="Remove one that lied, with its bond.")
    ] = None,
) -> None:
    """Propose a change. It is rehearsed first; when it passes it carries itself out.

    It takes locked FLUX (`flux dao lock`): a threshold of voting power, and a deposit that comes back unless the
    proposal is voted down as abuse.
    """
    text = f"# {title}"
    if description is not None:
        with named_file(description):
            text += "\n\n" + description.read_text(encoding="utf-8").strip()
    async with context.client() as client:
        actions = [action("parameters", "setParameter", *_number(item)) for item in numbers or ()]
        for account, amount in _pairs(grants, "--grant ACCOUNT=FLUX"):
            actions.append(action("accounts", "grant", find_address(context, account), parse_flux(amount)))
        for name, seconds in _pairs([upgrade] if upgrade else None, "--upgrade NAME=SECONDS"):
            since = ChainTime(U64(await protocol_now(client) + _whole(seconds, "--upgrade NAME=SECONDS")))
            actions.append(action("parameters", "scheduleUpgrade", name, since))
        if cancel_upgrade:
            actions.append(action("parameters", "cancelUpgrade", cancel_upgrade))
        for digest, reason in _pairs(deny_images, "--deny-image DIGEST=REASON"):
            actions.append(action("policy", "denyImage", _digest(digest), reason))
        actions += [action("policy", "allowImage", _digest(item)) for item in allow_images or ()]
        for app, reason in _pairs(deny_apps, "--deny-app APP=REASON"):
            actions.append(action("policy", "denyApp", (await find_app(client, app)).id, reason))
        for app in allow_apps or ():
            actions.append(action("policy", "allowApp", (await find_app(client, app)).id))
        for account in feeders or ():
            actions.append(action("oracle", "registerFeeder", find_address(context, account)))
        for accounts, forfeit in ((remove_feeders, False), (expel_feeders, True)):
            for account in accounts or ():
                actions.append(action("oracle", "removeFeeder", find_address(context, account), forfeit))
        await _send(context, client, actions, text)


async def _send(context: CommandContext, client: FluxClient, actions: list[Action], text: str) -> None:
    if not actions:
        raise UsageError("the proposal does nothing", "for example --set market.exclusion=1800")
    governor = Governor(client)
    targets, data = [item.target for item in actions], [item.data for item in actions]
    receipt = await governor.propose(await context.signer(client), targets, [U256(0)] * len(actions), data, text)
    made = next(
        event for log in receipt.logs if isinstance(event := find_event(list(log.topics), log.data), ProposalCreated)
    )
    number = (await governor.proposal(made.proposal_id)).proposal.number
    context.output.line(f"Proposal {number}: " + "; ".join(words(item) for item in actions))
    context.output.line(f"Vote with `flux dao vote {number} for`, watch with `flux dao show {number}`.")
    context.output.document(
        {"number": number, "id": str(made.proposal_id), "transaction": f"0x{receipt.transaction.hex()}"}
    )


def _pairs(items: list[str] | None, form: str) -> Iterator[tuple[str, str]]:
    for item in items or ():
        name, equals, value = item.partition("=")
        if not (name and equals and value):
            raise UsageError(f"{item} is not of the form {form}")
        yield name, value


def _number(item: str) -> tuple[str, U256]:
    ((path, value),) = _pairs([item], "--set PATH=VALUE")
    return path, U256(_whole(value, "--set PATH=VALUE"))


def _whole(text: str, form: str) -> int:
    plain = text.replace("_", "").replace(",", "")
    if not (plain.isascii() and plain.isdecimal() and len(plain) < 78):
        raise UsageError(f"{text} is not a whole number, as in {form}", "amounts in wei, times in seconds")
    return int(plain)


def _digest(text: str) -> Hash:
    found = _DIGEST.fullmatch(text)
    if found is None:
        raise UsageError(f"{text} is not an image digest", "it is sha256: and 64 hexadecimal digits")
    return Hash(bytes.fromhex(found[1]))
