"""Whatever a contract may say or refuse has a name for those who read it."""

import pytest

from flux.kernel.contract import Contract
from flux.kernel.events import event_codec
from flux.kernel.revert_data import error_selector
from flux.protocol.registry import CONTRACTS
from flux.sdk.known import errors_by_selector, events_by_topic


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_every_event_and_error_of_a_contract_is_known(contract: type[Contract]) -> None:
    assert [event for event in contract.events if event_codec(event).topic0 not in events_by_topic()] == []
    assert [error for error in contract.errors if error_selector(error) not in errors_by_selector()] == []
