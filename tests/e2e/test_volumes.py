"""Volumes on a running cloud through the command line: enforced, kept over a pause, backed up, restored elsewhere."""

import os
from pathlib import Path

import pytest

from support.cloud_lab import PATIENCE, CloudLab
from support.small_app import small_app

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.asyncio(loop_scope="session")]
HOOKS = """\
  backup:
    web: {pre: "echo dumped > /data/dump", post: "rm /data/dump"}
"""


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

        await lab.until(nothing_runs, PATIENCE, "the containers stop")
        home = str(lab.cloud.home.node(node - 1))
        listed = await lab.flux("--home", home, "node", "volumes", "ls")
        (volume,) = [item for item in listed if item["app"] == made["app"]]
        assert (volume["volume"], volume["size_mib"], volume["enforced"], volume["in_use"]) == ("data", 16, True, False)
        assert volume["deleted_in_seconds"] is not None
        resumed = await lab.flux("app", "resume", "kept")
        assert resumed["instances"][0]["node"] == node
        assert await shell(lab, "kept", "cat /data/file") == "mine\n"


async def test_a_backup_brings_an_apps_data_back_on_another_node_and_opens_with_its_wallet_only(
    lab: CloudLab, tmp_path: Path
) -> None:
    file, cut = tmp_path / "shop.backup", tmp_path / "cut.backup"
    here = lab.write("here.yaml", small_app(extra="  geo: [acEU_FR]\n" + HOOKS))
    async with lab.deployed(here, "shop") as made:
        await shell(lab, "shop", "echo order-17 > /data/orders && ln -s orders /data/latest")
        first = made["instances"][0]["node"]
        told = await lab.flux("app", "backup", "shop", "--to", str(file))
        assert (told["volumes"], told["node"]) == (["data"], first)
        assert await shell(lab, "shop", "ls /data") == "latest\norders\nstarts\n", "the command after it has run"
        stranger = await lab.flux("--account", "dev3", "app", "backup", "shop", "--to", str(tmp_path / "x"), code=3)
        assert "only the app's owner" in stranger["error"]["message"]
        assert os.listdir(tmp_path) == ["shop.backup"]
    assert b"order-17" not in file.read_bytes()
    cut.write_bytes(file.read_bytes()[:-20])
    elsewhere = lab.write("elsewhere.yaml", small_app(extra="  geo: [acEU_DE]\n" + HOOKS))
    async with lab.deployed(elsewhere, "again") as made:
        assert made["instances"][0]["node"] != first
        refused = await lab.flux("app", "restore", "again", "--from", str(cut), "--yes", code=1)
        assert "cut off" in refused["error"]["message"]
        other = await lab.flux("--account", "dev3", "app", "restore", "again", "--from", str(file), "--yes", code=1)
        assert "belongs to" in other["error"]["message"]
        assert await shell(lab, "again", "ls /data") == "starts\n", "nothing was touched"
        await lab.flux("app", "restore", "again", "--from", str(file), "--yes")
        assert await shell(lab, "again", "cat /data/latest /data/dump") == "order-17\ndumped\n"
        assert len((await lab.progress(made["app"])).running) == 1, "the lease is the same"
