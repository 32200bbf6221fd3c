"""Nodes measured by others: honest answers are timed, lies measure as nothing, strangers are not answered."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flux.agent.challenges import plot
from flux.agent.challenges.budget import BudgetSpent, TimeBudget
from flux.agent.challenges.examiner import AskLater, Examination, Findings
from flux.agent.challenges.plot import PlotPlan
from flux.agent.challenges.prover import CpuAnswer, PlotNotReady, Prover, transfer_bytes
from flux.agent.challenges.tasks import BadTask, CpuTask, DiskTask, Sizes, TransferTask
from flux.primitives import merkle
from flux.primitives.cpu_work import EVENT_BYTES, answer_hash, follows
from flux.sdk.agent_api import AgentClient, AgentRefused, Download
from flux.sdk.signer import Signer
from support.challenge_lab import EPOCH, MEMBER, NODE, SIZES, STRANGER, ChallengeLab, challenge_lab

PLAN = PlotPlan(b"\x01" * 32, 5, 64)


async def examined(lab: ChallengeLab, **arguments: Any) -> Examination:
    """The outcome: the first try has the plot filled."""
    with pytest.raises(AskLater):
        await lab.examiner(**arguments).examine(lab.target)
    await filled(lab.prover)
    return await lab.examiner(**arguments).examine(lab.target)


async def filled(prover: Prover) -> None:
    """Wait for the plot."""
    assert prover._filling is not None
    await prover._filling


async def test_an_honest_node_is_measured_in_every_respect(tmp_path: Path) -> None:
    async with challenge_lab(tmp_path) as lab:
        outcome = await examined(lab)
    findings = outcome.findings
    assert outcome.false_answer is None
    assert all(getattr(findings, name) > 0 for name in Findings.__slots__)


class LyingProver:
    """An honest prover but for one answer."""

    def __init__(self, honest: Prover) -> None:
        self._honest = honest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._honest, name)


class FakesEvents(LyingProver):
    """Signs made-up results after the first event of each chain."""

    async def cpu(self, task: CpuTask) -> CpuAnswer:
        honest = await self._honest.cpu(task)
        results = honest.results[:EVENT_BYTES] + bytes(len(honest.results) - EVENT_BYTES)
        signed = self._honest._signer.sign_hash(answer_hash(NODE, task.epoch, task.seed, task.length, results))
        return CpuAnswer(results, signed.to_bytes())


class ForgetsMemory(LyingProver):
    async def memory(self, seed: bytes, sizes: Sizes) -> list[bytes]:
        return [bytes(32)] * sizes.memory_tasks


class LosesBlocks(LyingProver):
    async def tags(self, plan: PlotPlan, task: DiskTask) -> list[bytes]:
        return [bytes(16)] * len(task.blocks)


class CommitsToNothing(LyingProver):
    async def plot_root(self, plan: PlotPlan) -> bytes:
        await self._honest.plot_root(plan)
        return bytes(32)


class SendsOldBytes(LyingProver):
    async def transfer(self, task: TransferTask, sizes: Sizes) -> bytes:
        return transfer_bytes(bytes(32), sizes.transfer_kib)


@pytest.mark.parametrize(
    ("liar", "field"),
    [
        (FakesEvents, "cpu_events"),
        (ForgetsMemory, "memory_mib_per_second"),
        (LosesBlocks, "disk_mib_per_second"),
        (CommitsToNothing, "disk_mib_per_second"),
        (SendsOldBytes, "network_mbit_per_second"),
    ],
)
async def test_a_wrong_answer_measures_as_nothing(liar: type[LyingProver], field: str, tmp_path: Path) -> None:
    async with challenge_lab(tmp_path, wrap=liar) as lab:
        outcome = await examined(lab)
    assert getattr(outcome.findings, field) == 0
    others = [name for name in Findings.__slots__ if not name.startswith(field[:4])]
    assert all(getattr(outcome.findings, name) > 0 for name in others)


async def test_a_false_processor_answer_is_evidence_that_anybody_can_check(tmp_path: Path) -> None:
    async with challenge_lab(tmp_path, wrap=FakesEvents) as lab:
        evidence = (await examined(lab)).false_answer
        assert evidence is not None
        assert not follows(evidence.task.seed, evidence.results, evidence.task.length, evidence.position)
        assert follows(evidence.task.seed, evidence.results, evidence.task.length, 0)


async def test_another_nodes_signature_does_not_count(tmp_path: Path) -> None:
    class SignedByAnother(LyingProver):
        async def cpu(self, task: CpuTask) -> CpuAnswer:
            honest = await self._honest.cpu(task)
            signed = STRANGER.sign_hash(answer_hash(NODE, task.epoch, task.seed, task.length, honest.results))
            return CpuAnswer(honest.results, signed.to_bytes())

    async with challenge_lab(tmp_path, wrap=SignedByAnother) as lab:
        outcome = await examined(lab)
    assert outcome.findings.cpu_events == 0
    assert outcome.false_answer is None


async def test_an_unreachable_node_measures_as_nothing(tmp_path: Path) -> None:
    async with challenge_lab(tmp_path) as lab:
        target = lab.target
        nowhere = target.node.but(endpoint=target.node.endpoint.but(port=1))
        outcome = await lab.examiner().examine(type(target)(nowhere, EPOCH, 2, target.plot))
    assert outcome == Examination(Findings())


class NestsWithoutEnd(AgentClient):
    """Where a node answers each task with JSON of a depth that no parser follows."""

    async def download(self, *arguments: Any) -> Download:
        return Download(b"[" * 1_000_000, 1.0, ((1_000_000, 1.0),))


async def test_json_nested_without_end_measures_as_nothing(tmp_path: Path) -> None:
    async with challenge_lab(tmp_path) as lab, NestsWithoutEnd() as link:
        findings = (await lab.examiner(link=link).examine(lab.target)).findings
    assert findings == Findings(round_trip_us=findings.round_trip_us)


async def ask(lab: ChallengeLab, query: str, signer: Signer = MEMBER) -> bytes:
    return (await lab.link.download(lab.node, signer, query, 5, 1 << 20)).body


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (f"/v1/benchmark/cpu?epoch={EPOCH}&seed={'00' * 32}&chains=5&length=4", 400),
        (f"/v1/benchmark/cpu?epoch={EPOCH}&seed={'00' * 32}&chains=0&length=4", 400),
        (f"/v1/benchmark/cpu?epoch={EPOCH}&seed={'00' * 32}&chains=1&length=400000", 400),
        (f"/v1/benchmark/cpu?epoch={EPOCH + 1}&seed={'00' * 32}&chains=1&length=4", 400),
        (f"/v1/benchmark/cpu?epoch=-1&seed={'00' * 32}&chains=1&length=4", 400),
        ("/v1/benchmark/cpu?epoch=7&seed=zz&chains=1&length=4", 400),
        ("/v1/benchmark/memory", 400),
        (f"/v1/benchmark/disk/tags?seed={'00' * 32}&blocks=8", 400),
        (f"/v1/benchmark/disk/tags?seed={'00' * 32}&blocks=", 400),
        (f"/v1/benchmark/disk/tags?seed={'00' * 32}&blocks={','.join(['1'] * 9)}", 400),
        ("/v1/benchmark/disk/block?index=99999999999999999999999", 400),
        ("/v1/benchmark/network?seed=00", 400),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_the_reason(query: str, status: int, tmp_path: Path) -> None:
    async with challenge_lab(tmp_path) as lab:
        with pytest.raises(AgentRefused) as caught:
            await ask(lab, query)
        assert caught.value.status == status
        assert not (tmp_path / "node" / plot.FILE).exists()


@pytest.mark.parametrize(
    "path", ["cpu?epoch=7&chains=1&length=4&", "memory?", "disk?", "disk/tags?blocks=1&", "network?"]
)
async def test_only_the_committee_is_answered(path: str, tmp_path: Path) -> None:
    async with challenge_lab(tmp_path) as lab:
        with pytest.raises(AgentRefused) as caught:
            await ask(lab, f"/v1/benchmark/{path}seed={'00' * 32}", STRANGER)
    assert caught.value.status == 403


async def test_a_node_that_is_not_measured_answers_nobody(tmp_path: Path) -> None:
    async with challenge_lab(tmp_path) as lab:
        lab.source.round_now = type(lab.source.round_now)(EPOCH, frozenset(), lab.target.plot)
        outcome = await lab.examiner().examine(lab.target)
    assert outcome.findings.cpu_events == 0
    assert outcome.findings.network_mbit_per_second > 0


async def test_a_node_whose_budget_is_spent_is_asked_later(tmp_path: Path) -> None:
    budget = TimeBudget(lambda: 0.0, saved=0)
    async with challenge_lab(tmp_path, budget) as lab:
        with pytest.raises(AgentRefused, match="ask again in") as caught:
            await ask(lab, f"/v1/benchmark/memory?seed={'00' * 32}")
        assert caught.value.status == 429
        with pytest.raises(AskLater):
            await lab.examiner().examine(lab.target)


def test_challenges_take_less_than_a_hundredth_of_any_day() -> None:
    now, spent, refused = 0.0, 0.0, 0
    budget = TimeBudget(lambda: now)
    day = 86_400
    while now < day:
        try:
            with budget.spend():
                now += 1.5
            spent += 1.5
        except BudgetSpent:
            refused += 1
            now += 1.0
    assert refused > 1_000
    assert spent < 0.011 * day


async def test_one_challenge_of_the_main_networks_size_is_short(tmp_path: Path) -> None:
    """Seconds of processor time, so that a machine that does other things measures the same."""
    budget = TimeBudget(time.process_time, saved=1_000)
    prover = Prover(NODE, MEMBER, tmp_path, budget)
    before = budget._left
    await prover.cpu(CpuTask(EPOCH, bytes(32), 2, 24))
    await prover.memory(bytes(32), Sizes(24, 64, 4, 32, 8, 256, 8, 64))
    await prover.transfer(TransferTask(bytes(32)), Sizes(24, 64, 4, 32, 8, 256, 8, 8_192))
    spent = before - budget._left
    await prover.close()
    assert spent < 10


def test_a_plot_is_the_same_for_everybody_and_differs_by_node_and_epoch(tmp_path: Path) -> None:
    made = plot.fill(tmp_path, PLAN)
    assert made is not None
    assert plot.read_tags(made, b"n" * 32, [4, 0]) == [
        plot.tag(b"n" * 32, plot.make_block(PLAN, index)) for index in (4, 0)
    ]
    seeds = {plot.plot_seed(bytes(32), 1), plot.plot_seed(bytes(32), 2), plot.plot_seed(b"\x01" * 32, 1)}
    assert len(seeds) == 3


def test_filling_stops_when_it_is_not_wanted_any_more(tmp_path: Path) -> None:
    assert plot.fill(tmp_path, PLAN) is not None
    assert plot.fill(tmp_path, PLAN, lambda: False) is None
    assert plot.kept(tmp_path, PLAN) is None


def test_a_plot_outlives_its_process(tmp_path: Path) -> None:
    assert plot.kept(tmp_path, PLAN) is None
    made = plot.fill(tmp_path, PLAN)
    assert plot.kept(tmp_path, PLAN) == made
    assert plot.kept(tmp_path, replace(PLAN, seed=b"\x02" * 32)) is None
    assert plot.kept(tmp_path, replace(PLAN, blocks=PLAN.blocks - 1)) is None
    assert plot.kept(tmp_path, replace(PLAN, key_kib=2 * PLAN.key_kib)) is None


@pytest.mark.parametrize("name", [plot.FILE, plot.LEAVES])
def test_a_plot_that_is_not_whole_is_not_kept(tmp_path: Path, name: str) -> None:
    plot.fill(tmp_path, PLAN)
    file = tmp_path / name
    file.write_bytes(file.read_bytes()[:-1])
    assert plot.kept(tmp_path, PLAN) is None
    file.unlink()
    assert plot.kept(tmp_path, PLAN) is None


def test_a_block_that_the_disk_lost_contradicts_the_commitment(tmp_path: Path) -> None:
    """So that a failing disk fails its task, and is not taken for a node that commits to false blocks."""
    made = plot.fill(tmp_path, PLAN)
    assert made is not None
    (tmp_path / plot.FILE).write_bytes(bytes(PLAN.blocks * plot.BLOCK))
    again = plot.kept(tmp_path, PLAN)
    assert again is not None
    assert again.root == made.root
    block, proof = plot.read_block(again, 3)
    assert not merkle.verify(made.root, merkle.leaf(block), 3, PLAN.blocks, proof)


async def test_a_plot_is_filled_once_and_asked_for_again_later(tmp_path: Path) -> None:
    prover = Prover(NODE, MEMBER, tmp_path, TimeBudget(lambda: 0.0))
    with pytest.raises(PlotNotReady):
        await prover.plot_root(PLAN)

    await filled(prover)
    block, _ = await prover.block(PLAN, 3)
    assert block == plot.make_block(PLAN, 3)
    with pytest.raises(PlotNotReady):
        await prover.plot_root(PlotPlan(b"\x02" * 32, 5, 64))
    await prover.close()


async def test_an_agent_that_restarts_makes_no_block_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = plot.fill(tmp_path, PLAN)
    assert made is not None
    monkeypatch.setattr(plot, "make_block", None)
    prover = Prover(NODE, MEMBER, tmp_path, TimeBudget(lambda: 0.0))
    with pytest.raises(PlotNotReady):
        await prover.plot_root(PLAN)
    await filled(prover)
    assert await prover.plot_root(PLAN) == made.root
    await prover.close()


def test_a_task_survives_its_own_query() -> None:
    from yarl import URL

    cpu = CpuTask(EPOCH, b"\x07" * 32, 2, SIZES.events_per_chain)
    assert CpuTask.read(URL(cpu.query()).query, SIZES) == cpu
    disk = DiskTask(b"\x07" * 32, (3, 1))
    assert DiskTask.read(URL(disk.query()).query, SIZES) == disk
    with pytest.raises(BadTask):
        CpuTask.read({}, SIZES)
