"""The eth namespace, put together; what belongs to no other file of it is here."""

from collections.abc import Callable

from flux.chain.application import Application
from flux.rpc.errors import ErrorNames
from flux.rpc.eth_blocks import Blocks
from flux.rpc.eth_fees import Fees
from flux.rpc.eth_logs import Logs
from flux.rpc.eth_state import State
from flux.rpc.methods import Table, inline


def table(application: Application, clock: Callable[[], int], error_names: ErrorNames) -> Table:
    """All eth_* methods but sending and subscribing, which need more than a table (dispatch.py)."""
    return {
        "eth_chainId": inline(lambda: hex(application.chain_id)),
        "eth_syncing": inline(lambda: False),
        "eth_accounts": inline(list),
        **Blocks(application).table(),
        **State(application, error_names).table(),
        **Fees(application, clock).table(),
        **Logs(application).table(),
    }
