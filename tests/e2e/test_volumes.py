"""Volumes on a running cloud through the command line: enforced, kept over a pause, backed up, restored elsewhere."""

import pytest

from support.cloud_lab import CloudLab
from support.small_app import small_app

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.asyncio(loop_scope="session")]


async def shell(lab: CloudLab, name: str, text: str) -> str:
    finished = await lab.run("app", "exec", name, "--", "sh", "-c", text)
    assert finished.code == 0, finished
    return finished.output


async def test_a_volume_is_limited_and_survives_a_pause(lab: CloudLab) -> None:
    async with lab.deployed(lab.write("kept.yaml", small_app(extra="  geo: [acEU_FR]\n")), "kept") as made:
        await shell(lab, "kept", "echo mine > /data/file")
        full = await lab.run("app", "exec", "kept", "--", "dd", "if=/dev/zero", "of=/data/full", "bs=4k", "count=8192")
        assert full.code != 0
        await shell(lab, "kept", "rm /data/full")
        node = made["instances"][0]["node"]
        await lab.flux("app", "pause", "kept")

        async def nothing_runs() -> bool:
            return not await lab.containers(made["app"])

        await lab.until(nothing_runs, 20, "the containers stop")
        home = str(lab.cloud.home.node(node - 1))
        listed = await lab.flux("--home", home, "node", "volumes", "ls")
        (volume,) = [item for item in listed if item["app"] == made["app"]]
        assert (volume["volume"], volume["size_mib"], volume["enforced"], volume["in_use"]) == ("data", 16, True, False)
        assert volume["deleted_in_seconds"] is not None
        resumed = await lab.flux("app", "resume", "kept")
        if resumed["instances"][0]["node"] == node:
            assert await shell(lab, "kept", "cat /data/file") == "mine\n"
