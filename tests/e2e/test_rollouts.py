"""Updates on a running cloud: nobody notices a good one, and a bad one goes back by itself."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from support.beside import beside
from support.cloud_lab import CloudLab
from support.small_app import small_app

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.asyncio(loop_scope="session")]
VISITORS = 4


def stateless(words: str, *, ends: bool = False) -> str:
    """A page from three instances without volumes; `ends`: its program ends at once."""
    text = small_app(words, instances=3, extra="  sticky: false\n  update: {monitor: 5s}\n")
    left_out = ("/data/starts", "volumes:", "data:", "volumes: {data")
    kept = [line for line in text.splitlines() if not any(part in line for part in left_out)]
    page = "\n".join(kept).replace("exec httpd", "mkdir -p /tmp/www; exec httpd")
    page = page.replace('echo "$$WORDS', 'mkdir -p /tmp/www; echo "$$WORDS')
    return page.replace("mkdir -p /tmp/www; exec httpd", "exit 3; exec httpd") if ends else page


@asynccontextmanager
async def visited(lab: CloudLab, app: str) -> AsyncIterator[Counter[str]]:
    """Visitors that ask all the time, and what they were answered: 200 or what else came."""
    answers: Counter[str] = Counter()

    async def visit() -> None:
        while True:
            answer = await lab.ask(app)
            answers["200" if answer.status == 200 else f"{answer.status} {answer.text[:80]}"] += 1

    async with beside(*(visit() for _ in range(VISITORS))):
        yield answers


async def test_an_update_under_load_fails_no_request_and_a_bad_one_goes_back_by_itself(lab: CloudLab) -> None:
    async with lab.deployed(lab.write("rolled.yaml", stateless("first")), "rolled"):
        await lab.answers("rolled", "first from instance")
        async with visited(lab, "rolled") as answers:
            updated = await lab.flux("app", "update", "rolled", lab.write("rolled.yaml", stateless("second")))
            assert updated["revision"] == 2
            await lab.answers("rolled", "second from instance")
            failed = await lab.flux(
                "app", "update", "rolled", lab.write("rolled.yaml", stateless("third", ends=True)), code=1
            )
            assert failed["error"]["kind"] == "RolloutFailed"
            assert "all instances run revision 2 again" in failed["error"]["message"]
        assert answers.total() > 100
        assert set(answers) == {"200"}, answers
        shown = await lab.flux("app", "show", "rolled")
        assert (shown["revision"], shown["rollout"]["state"]) == (2, "failed")
        assert {lease["revision"] for lease in shown["leases"] if lease["state"] == "running"} == {2}
