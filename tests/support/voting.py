"""Voting through the command line, for tests against a chain in memory whose clock they move."""

import json
from typing import Any


def pass_time(flux: Any, seconds: int = 2) -> None:
    """Some seconds on the chain's clock, with a block at their end."""
    flux.chain.skip(seconds)
    flux.ok("wallet", "send", "dev1", "1", "--account", "dev7")


def propose(flux: Any, *arguments: str, code: int = 0) -> Any:
    """Propose, once the power that was just locked counts: from the next second's block on."""
    for _ in range(20):
        result = flux.run("dao", "propose", *arguments, "--json")
        if "GovernorInsufficientProposerVotes" not in result.output:
            assert result.exit_code == code, result.output
            return json.loads(result.stdout)
        pass_time(flux)
    raise AssertionError(result.output)


def wait_for(flux: Any, number: int, state: str, step: int = 2) -> dict[str, Any]:
    """The proposal once it is in a state; the chain's clock runs ahead meanwhile."""
    for _ in range(20):
        shown: dict[str, Any] = flux.json("dao", "show", str(number))
        if shown["state"] == state:
            return shown
        pass_time(flux, step)
    raise AssertionError(shown)
