"""The chain that tests of clients share: its faults are seen."""

from pathlib import Path

import pytest

from support.local_chain import local_chain


def test_a_fault_of_the_stand_in_for_agents_is_raised_where_the_chain_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("support.local_chain.Market", broken)
    with pytest.raises(ExceptionGroup) as raised, local_chain(tmp_path, nodes=1):
        pass
    assert isinstance(raised.value.exceptions[0], ZeroDivisionError)
