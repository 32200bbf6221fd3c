"""`flux dao` against a real chain: a vote from the lock to a parameter that changed, and what is refused."""

from typing import Any

import pytest

from support.voting import propose, wait_for

IMAGE = "sha256:" + "ab" * 32


def test_a_vote_changes_a_price_parameter_of_a_running_chain(flux: Any) -> None:
    before = flux.json("chain", "params", "escrow")["escrow"]["feeBasisPoints"]
    locked = flux.json("dao", "lock", "20000")
    assert locked["locked"] == "20000"
    power = flux.json("dao", "power")
    assert (power["votes"], power["bonded"]) == ("20000", "0")
    made = propose(flux, "A lower fee", "--set", "escrow.fee_basis_points=100")
    number = made["number"]
    assert "escrow.fee_basis_points" in flux.ok("dao", "show", str(number))
    wait_for(flux, number, "active")
    assert flux.json("dao", "vote", str(number), "for", "--reason", "hosts earn more")["weight"] == "20000"
    error = flux.json("dao", "vote", str(number), "against", code=3)["error"]
    assert error["kind"] == "GovernorAlreadyCastVote"
    shown = wait_for(flux, number, "executed", step=10)
    assert (shown["for"], shown["actions"][0]["call"]) == (
        "20000",
        'parameters.setParameter("escrow.fee_basis_points", 100)',
    )
    after = flux.json("chain", "params", "escrow")["escrow"]["feeBasisPoints"]
    assert (before, after) == (200, 100)
    listed = flux.json("dao", "ls")
    assert (listed[0]["title"], listed[0]["state"]) == ("A lower fee", "executed")
    assert "A lower fee" in flux.ok("dao", "ls")
    error = flux.json("dao", "execute", str(number), code=3)["error"]
    assert error["kind"] == "GovernorUnexpectedProposalState"
    assert flux.json("dao", "queue", str(number), code=3)["error"]["kind"] == "GovernorUnexpectedProposalState"


def test_everything_that_can_be_proposed_is_understood(flux: Any, tmp_path: Any) -> None:
    reasons = tmp_path / "reasons.md"
    reasons.write_text("Because.\n")
    flux.ok("dao", "lock", "500", "--account", "dev2")
    made = propose(
        flux, "Many things", "--description", str(reasons), "--set", "market.exclusion=1_800",
        "--upgrade", "edge=100", "--deny-image", f"{IMAGE}=malware", "--account", "dev2",
    )  # fmt: skip
    shown = flux.json("dao", "show", str(made["number"]))
    calls = [item["call"] for item in shown["actions"]]
    assert calls[0] == 'parameters.setParameter("market.exclusion", 1800)'
    assert calls[1].startswith('parameters.scheduleUpgrade("edge", ')
    assert calls[2] == f'policy.denyImage(0x{"ab" * 32}, "malware")'
    assert shown["description"] == "# Many things\n\nBecause."
    error = flux.json("dao", "cancel", str(made["number"]), "--account", "dev3", code=3)["error"]
    assert error["kind"] == "GovernorUnableToCancel"


def test_power_is_delegated_and_comes_back(flux: Any) -> None:
    flux.ok("dao", "lock", "7", "--account", "dev9")
    flux.ok("dao", "delegate", "dev8", "--account", "dev9")
    assert flux.json("dao", "power", "dev8")["votes"] == "7"
    assert flux.json("dao", "power", "dev9")["delegate"] == flux.json("dao", "power", "dev8")["account"]
    back = flux.json("dao", "unlock", "3", "--account", "dev9")
    assert back["amount"] == "3"
    assert flux.json("dao", "power", "dev8")["votes"] == "4"
    assert flux.json("dao", "unlock", "30", "--account", "dev9", code=3)["error"]["kind"] == "NotLocked"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("dao", "propose", "Nothing"), 2, "does nothing"),
        (("dao", "propose", "x", "--set", "market.exclusion"), 2, "PATH=VALUE"),
        (("dao", "propose", "x", "--set", "market.exclusion=many"), 2, "not a whole number"),
        (("dao", "propose", "x", "--deny-image", "latest=bad"), 2, "not an image digest"),
        (("dao", "propose", "x", "--deny-app", "nothing=bad"), 3, "no app nothing"),
        (("dao", "propose", "x", "--set", "market.exclusion=1"), 3, "between 60 and"),
        (("dao", "propose", "x", "--set", "accounts.cap=1"), 3, "no parameter accounts.cap"),
        (("dao", "propose", "x", "--grant", "dev1=1"), 3, "wei are needed"),
        (("dao", "propose", "x", "--set", "market.exclusion=90", "--account", "dev8"), 3, "votes and a proposal needs"),
        (("dao", "show", "99"), 3, "no proposal 99"),
        (("dao", "show", "first"), 2, "named by its number"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    flux: Any, arguments: tuple[str, ...], code: int, words: str
) -> None:
    if code == 3 and "--account" not in arguments and arguments[1] == "propose":
        flux.ok("dao", "lock", "200", "--account", "dev6")
        error = propose(flux, *arguments[2:], "--account", "dev6", code=code)["error"]
    else:
        error = flux.json(*arguments, code=code)["error"]
    assert words in error["message"].replace(" FLUX", " wei"), error
