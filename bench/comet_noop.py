"""An ABCI application that does nothing, behind the socket server of Flux: what the bridge itself costs.

Run as `python -m bench.comet_noop SOCKET` until terminated.
"""

import asyncio
import sys
from pathlib import Path

from flux.consensus.cometbft.messages.tendermint.abci import types_pb2 as abci
from flux.consensus.cometbft.server import Calls, Quick, Slow, serve_abci

_ACCEPT = abci.ResponseProcessProposal.ProposalStatus.ACCEPT
_LIMIT = 128 << 20


class Noop:
    """Takes every transaction and remembers only how many blocks there were."""

    def __init__(self) -> None:
        self._height = 0

    def info(self, request: abci.Request) -> abci.Response:
        return abci.Response(info=abci.ResponseInfo(last_block_height=self._height))

    def init_chain(self, request: abci.Request) -> abci.Response:
        return abci.Response(init_chain=abci.ResponseInitChain())

    def check_tx(self, request: abci.Request) -> abci.Response:
        return abci.Response(check_tx=abci.ResponseCheckTx())

    def prepare_proposal(self, request: abci.Request) -> abci.Response:
        return abci.Response(prepare_proposal=abci.ResponsePrepareProposal(txs=request.prepare_proposal.txs))

    def process_proposal(self, request: abci.Request) -> abci.Response:
        return abci.Response(process_proposal=abci.ResponseProcessProposal(status=_ACCEPT))

    def finalize_block(self, request: abci.Request) -> abci.Response:
        results = [abci.ExecTxResult()] * len(request.finalize_block.txs)
        return abci.Response(finalize_block=abci.ResponseFinalizeBlock(tx_results=results))

    def commit(self, request: abci.Request) -> abci.Response:
        self._height += 1
        return abci.Response(commit=abci.ResponseCommit())


async def serve(socket: Path) -> None:
    """Until cancelled."""
    app = Noop()

    def slow(call: Quick) -> Slow:
        async def run(request: abci.Request) -> abci.Response:
            return call(request)

        return run

    calls = Calls(
        quick={"info": app.info, "check_tx": app.check_tx},
        slow={
            "init_chain": slow(app.init_chain),
            "prepare_proposal": slow(app.prepare_proposal),
            "process_proposal": slow(app.process_proposal),
            "finalize_block": slow(app.finalize_block),
            "commit": slow(app.commit),
        },
    )
    async with serve_abci(calls, socket, _LIMIT):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
