"""While the mass-failure brake holds, commands say so and until when."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flux.primitives.types import U16
from flux.protocol.params import minimal
from flux.sdk.bindings.probes import Probes
from flux.sdk.client import FluxClient
from flux.sdk.transport import HttpTransport
from support.local_chain import LocalChain, local_chain

COMPOSE = """
services:
  web:
    image: ${REGISTRY}/test/web:1
    deploy: {resources: {limits: {cpus: "0.5", memory: 128M}}}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalChain]:
    """A chain whose brake can hold with five nodes."""
    params = minimal()
    small = params.but(probes=params.probes.but(brake_fleet=U16(4)))
    with local_chain(tmp_path_factory.mktemp("chain"), params=small) as chain:
        yield chain


async def lose(chain: LocalChain, count: int) -> None:
    """All other nodes say that they cannot reach the last ones."""
    async with HttpTransport(chain.rpc) as transport:
        probes = Probes(FluxClient(transport))
        nodes = sorted(chain.identities)
        lost = nodes[-count:]
        for target in lost:
            committee = await probes.committee(target)
            for member in committee:
                if member not in lost and not (await probes.suspicion(target)).suspected_at:
                    await probes.suspect(chain.identities[member].signer, target)


def test_status_why_and_events_tell_that_the_brake_holds_and_until_when(flux: Any, tmp_path: Path) -> None:
    flux.ok("deploy", flux.compose(COMPOSE), "--name", "held", "--account", "dev4", "--instances", "5")
    assert flux.json("status")["chain"]["brake"] is None
    assert "brake" not in flux.ok("status") + flux.ok("app", "why", "held")
    asyncio.run(lose(flux.chain, 2))
    told = [flux.json("status")["chain"]["brake"], flux.json("app", "why", "held")["brake"]]
    lines = flux.run("app", "events", "held", "--json").stdout.splitlines()
    told += [item for item in map(json.loads, lines) if item["event"] == "BrakeHolds"]
    assert len(told) == 3
    for brake in told:
        assert (brake["fleet"], brake["per_minute"], brake["doubted"]) == (5, 1, 2)
        assert brake["until"] > time.time() > brake["since"] - 2
        assert brake["seconds_left"] >= 60
    for words in (flux.ok("status"), flux.ok("app", "why", "held"), flux.ok("app", "events", "held")):
        flat = " ".join(words.split())
        assert "the mass-failure brake holds since" in flat
        assert "until about" in flat
