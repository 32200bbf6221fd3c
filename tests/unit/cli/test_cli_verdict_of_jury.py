"""A case from its evidence to what it costs, as the accuser, the accused and jurors give their commands."""

from collections.abc import Iterator
from typing import Any

import pytest

from flux.primitives.types import U16, U64, Seconds
from flux.primitives.units import parse_flux
from flux.protocol.params import minimal
from support.false_answers import false_answer
from support.local_chain import LocalChain, local_chain
from support.voting import pass_time

WINDOW = Seconds(U64(180))
"""For each stage. The test moves the chain's clock, so it is long only for a machine that is slow."""
ACCUSED = "dev8"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalChain]:
    """A chain with time enough for each stage of a case."""
    params = minimal()
    slashing = params.slashing.but(
        appeal_window=WINDOW, commit_window=WINDOW, reveal_window=WINDOW, evidence_epochs=U16(30)
    )
    staking = params.staking.but(unbonding=Seconds(U64(6_000)), unbonding_step=Seconds(U64(600)))
    slow = params.but(slashing=slashing, staking=staking)
    with local_chain(tmp_path_factory.mktemp("chain"), params=slow) as chain:
        yield chain


def case(flux: Any, number: int) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in flux.json("jury", "ls", "--all") if item["case"] == number)
    return found


def wait_for(flux: Any, number: int, *states: str) -> dict[str, Any]:
    for _ in range(20):
        if (shown := case(flux, number))["state"] in states:
            return shown
        pass_time(flux, 25)
    raise AssertionError(shown)


def appealed(flux: Any, node: int, epoch: int) -> int:
    path = str(false_answer(flux.home, node, epoch))
    number: int = flux.json("jury", "prosecute", "--evidence", path, "--account", "dev9")["case"]
    flux.ok("node", "appeal", str(number), "--reason", "a bad memory module", "--account", ACCUSED)
    return number


def judge(flux: Any, number: int, guilty: int) -> dict[str, Any]:
    """So many jurors say guilty, the last one says nothing, the others not guilty. The case when it is over."""
    jury = wait_for(flux, number, "committing")["jury"]
    error = flux.json("jury", "commit", str(number), "--guilty", "--account", "dev9", code=3)["error"]
    assert error["kind"] == "NotJuror"
    speaking = jury[:-1]
    for index, juror in enumerate(speaking):
        word = "--guilty" if index < guilty else "--not-guilty"
        flux.ok("jury", "commit", str(number), word, "--account", f"dev{juror}", FLUX_HOME=str(flux.home / str(juror)))
    wait_for(flux, number, "revealing")
    for juror in speaking:
        flux.ok("jury", "reveal", str(number), "--account", f"dev{juror}", FLUX_HOME=str(flux.home / str(juror)))
    return wait_for(flux, number, "slashed", "dismissed") | {"silent": jury[-1]}


def stake(flux: Any, node: int) -> int:
    return parse_flux(flux.json("node", "show", str(node))["stake"])


def test_a_jury_of_operators_decides_and_its_verdict_is_carried_out(flux: Any) -> None:
    flux.ok("node", "init")
    size = ("--cpu", "2", "--memory", "2048", "--disk", "10000")
    node = flux.json("node", "register", "--location", "SA/BR/SP", *size, "--account", ACCUSED)["node"]
    staked = stake(flux, node)
    acquitted = judge(flux, appealed(flux, node, 0), guilty=1)
    assert (acquitted["state"], stake(flux, node)) == ("dismissed", staked)
    others = {juror: stake(flux, juror) for juror in range(1, 6)}
    condemned = judge(flux, appealed(flux, node, 1), guilty=4)
    assert condemned["state"] == "slashed"
    assert stake(flux, node) == staked - staked // 20
    assert parse_flux(condemned["burned"]) > 0
    silent = condemned["silent"]
    lost = {juror: before - stake(flux, juror) for juror, before in others.items()}
    assert {juror for juror, amount in lost.items() if amount} == {silent}
    assert lost[silent] == others[silent] // 1_000
