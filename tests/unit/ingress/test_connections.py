"""Connections to machines that are gone."""

import os
import shutil
import socket

import pytest

from flux.ingress.connections import end_connections
from flux.ingress.routes import Target

needs_the_right = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ss") is None, reason="only root may end connections, with iproute2's ss"
)


@needs_the_right
async def test_connections_to_one_target_are_ended_and_no_others() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as lost,
        socket.create_server(("127.0.0.1", 0)) as well,
        socket.create_connection(lost.getsockname()) as to_lost,
        socket.create_connection(well.getsockname()) as to_well,
    ):
        await end_connections(Target(*lost.getsockname()))
        to_lost.settimeout(10)
        with pytest.raises(ConnectionAbortedError):
            to_lost.recv(1)
        to_well.sendall(b"x")
        accepted, _ = well.accept()
        with accepted:
            assert accepted.recv(1) == b"x"


async def test_a_name_is_not_resolved_and_a_missing_tool_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        await end_connections(Target("localhost", server.getsockname()[1]))
        monkeypatch.setenv("PATH", "")
        await end_connections(Target(*server.getsockname()))
        client.sendall(b"x")
