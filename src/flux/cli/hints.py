"""Refusals of the contracts as their own sentences with amounts in FLUX, and what to do next."""

import re
import time
from typing import Any

from flux.cli import format as show

_WEI = re.compile(r"\{(\w+)\} wei")
_TIME = re.compile(r"protocol time \{(\w+)\}")
_FIELD = re.compile(r"\{(\w+)\}")

HINTS = {
    "NoPrice": "see `flux oracle show`",
    "NotFeeder": "a vote admits you: `flux dao propose … --feeder ADDRESS`; then put down the bond: `flux oracle join`",
    "NotDenied": "see what is with `flux policy ls`",
    "NotYetEnforced": "see how long with `flux policy show`",
    "AlreadyAppealed": "a vote can lift it: `flux dao propose … --allow-app` or `--allow-image`",
    "NameTaken": "choose another name with --name, or look at it with `flux app show`",
    "InvalidName": "choose a name with --name",
    "DepositTooSmall": "give more with --deposit",
    "BalanceTooLow": "add to it with `flux app topup`",
    "NotOwner": "choose the owner's account with --account",
    "Unauthorized": "choose the right account with --account",
    "UnknownApp": "see `flux app ls --all`",
    "UnknownNode": "see `flux node ls`",
    "UnknownInstance": "see the instances with `flux app show`",
    "NotSettled": "see what with `flux app why`",
    "NothingSaved": "see what would be with `flux app rebalance --dry-run`",
    "UnknownLease": "see the leases with `flux app show`",
    "InsufficientBalance": "see `flux wallet balance`; another account signs with --account",
    "InsufficientStake": "stake more with --stake or `flux node stake`, or let others delegate",
    "InsufficientHardware": "see what each tier needs with `flux chain params`",
    "NothingToClaim": "rewards come one epoch after the one they are for; see `flux node rewards`",
    "NothingToWithdraw": "see what is on its way with `flux node delegations`",
    "NotEnoughStaked": "see what you have staked with `flux node delegations`",
    "BelowMinimum": "`all` takes everything; see the minimum with `flux chain params staking`",
    "OwnStakeTooLow": "to take everything, let the node go first with `flux node leave`",
    "NotDelegable": "choose another node, see `flux node ls`",
    "RedelegationCoolingDown": "see until when with `flux node delegations`",
    "CommissionTooHigh": "see the limits with `flux chain params staking`",
    "CommissionChangeTooLarge": "see the limits with `flux chain params staking`",
    "NotValidator": "opt it in with `flux validator on`",
    "KeyTaken": "make a key for this node alone",
    "Tombstoned": "register another node with another key",
    "StillJailed": "see for how long with `flux validator show`",
    "NotJailed": "see its status with `flux validator show`",
    "TooEarly": "wait a moment and try again",
    "MeasuredTooSlow": "see what is too slow with `flux node benchmark`",
    "UnknownFault": "see `flux node faults`",
    "UnknownCase": "see `flux jury ls --all`",
    "WrongCaseState": "see where it stands with `flux jury ls --all`",
    "NotJuror": "see who judges with `flux jury ls`",
    "WrongReveal": "use the FLUX_HOME and --account of `flux jury commit`",
    "EvidenceKnown": "see the case with `flux jury ls --all`",
    "UnknownMethod": "the chain is of another version than this program",
    "InvalidSpec": "check the file with `flux spec check`",
    "InvalidInstances": "choose how many with --instances",
    "GovernorInsufficientProposerVotes": "lock FLUX with `flux dao lock`; it counts from the next second on",
    "GovernorInsufficientDeposit": "lock more with `flux dao lock`",
    "GovernorUnexpectedProposalState": "see where it stands with `flux dao ls`; the same calls with the same words "
    "are the same proposal",
    "UnknownParameter": "see the paths with `flux chain params`",
    "NotLocked": "see what is locked with `flux dao power`",
    "ImageIsDenied": "see docs/guides/governance.md for how a denial is lifted",
    "AppIsDenied": "see docs/guides/governance.md for how to appeal",
    "TooManyPayers": "let one of those who have paid top it up",
    "UnknownRevision": "see the revisions that are kept with `flux app show`",
    "RevisionIsCurrent": "see the revisions that are kept with `flux app show`",
}

_APP_STATUS = {"WrongAppStatus": "app", "WrongNodeStatus": "node", "WrongLeaseState": "lease"}


def refusal(revert: Exception) -> tuple[str, str]:
    """Sentence and hint of a contract's refusal."""
    name = type(revert).__name__
    template = (type(revert).__doc__ or name).strip().split("\n\n")[0].replace("\n", " ")
    facts = vars(revert)
    text = _WEI.sub(lambda match: show.flux(int(facts[match[1]])) if match[1] in facts else match[0], template)
    text = _TIME.sub(lambda match: _moment(facts[match[1]]) if match[1] in facts else match[0], text)
    text = _FIELD.sub(lambda match: _fact(name, match[1], facts.get(match[1], match[0])), text)
    return text.rstrip("."), _wanted_account(facts) or HINTS.get(name, "")


def _wanted_account(facts: dict[str, Any]) -> str:
    """On a local chain the right account is one of ten, so it can be named."""
    from flux.wallet.development import development_addresses

    wanted = facts.get("required") or facts.get("owner")
    known = development_addresses()
    return f"sign with --account dev{known.index(wanted)}" if "caller" in facts and wanted in known else ""


def _known_account(value: Any) -> str:
    """Accounts of the protocol that people have heard of."""
    from flux.contracts.addresses import TREASURY

    return f"the treasury ({show.address(value)})" if value == TREASURY else ""


def _moment(seconds: int) -> str:
    """Protocol time stands still while the chain does, so it is a clock of its own."""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(seconds))} by the chain's clock"


def _fact(error: str, field: str, value: Any) -> str:
    if error in _APP_STATUS and field in ("status", "state"):
        from flux.cli.words import status_word

        return status_word(_APP_STATUS[error], int(value))
    if error == "GovernorUnexpectedProposalState" and field == "current":
        from flux.contracts.governor.types import ProposalState

        return ProposalState(int(value)).name.lower()
    if isinstance(value, bytes) and (known := _known_account(value)):
        return known
    if isinstance(value, bytes):
        return show.address(value) if len(value) == 20 else f"0x{value.hex()}"
    return str(value)
