"""Compose files as people publish them really run, changed in nothing but where their images come from."""

import asyncio
import json

import pytest

from flux.runtime.labels import COMPONENT
from support.cloud_lab import CloudLab
from support.published import published

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.asyncio(loop_scope="session")]
PASSWORD = "p4ss-planted-in-a-blog"
START = 120
"""Seconds for databases that are made at the first start, beside other work on two cores."""


async def test_a_wordpress_with_its_database_is_installed_and_keeps_its_posts(lab: CloudLab) -> None:
    file = lab.write("blog.yaml", published("wordpress", lab.registry))
    async with lab.deployed(file, "blog", "--max-price", "5", DB_PASSWORD=PASSWORD) as made:
        form = await lab.answers("blog", "user_name", "/wp-admin/install.php?step=1", seconds=START)
        assert "database" not in form.text.lower()
        installed = await lab.ask(
            "blog",
            "/wp-admin/install.php?step=2",
            data={
                "weblog_title": "Notes from a node", "user_name": "writer", "admin_password": PASSWORD,
                "admin_password2": PASSWORD, "pw_weak": "1", "admin_email": "writer@example.org", "blog_public": "0",
            },
        )  # fmt: skip
        assert "Success!" in installed.text, installed
        await lab.answers("blog", "Notes from a node", seconds=START)
        database = next(view for view in await lab.containers(made["app"]) if view.labels[COMPONENT] == "db")
        await lab.cloud.runtime.stop(database.id)
        page = await lab.answers("blog", "Notes from a node", seconds=START)
        assert "Hello world!" in page.text


async def test_a_forge_keeps_repositories_in_its_database_and_volume_and_has_a_second_port(lab: CloudLab) -> None:
    file = lab.write("forge.yaml", published("gitea", lab.registry))
    async with lab.deployed(file, "forge", "--max-price", "5") as made:
        await lab.answers("forge", "[]", seconds=START)
        assert (await lab.ask("forge", "/first", data={})).status == 200
        for view in await lab.containers(made["app"]):
            await lab.cloud.runtime.stop(view.id)
        again = await lab.answers("forge", "first", seconds=START)
        assert json.loads(again.text) == ["first"]
        (lease,) = await lab.running(made["app"])
        shell = next(binding for binding in lease.bindings if binding.container == 22)
        reader, writer = await asyncio.open_connection(lab.cloud.options.host, shell.host)
        assert await reader.readline() == b"SSH-2.0-forge\r\n"
        writer.close()


async def test_dashboards_show_what_their_neighbour_measures(lab: CloudLab) -> None:
    file = lab.write("graphs.yaml", published("monitoring", lab.registry))
    async with lab.deployed(file, "graphs", "--max-price", "5", ADMIN_PASSWORD=PASSWORD):
        await lab.answers("graphs", "itself is 1", seconds=START)
        assert (await lab.ask("graphs", "/admin")).status == 401
