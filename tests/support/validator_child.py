"""A validator that may do wrong: `validator_child.py HOME HOST PORT [--byzantine] [--slow FACTOR] [--skew SECONDS]`.

Without options it is `flux chain start`. What it does wrong is put around the application and its bridge from outside.
"""

import argparse
import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from flux.chain.application import Application
from flux.consensus.cometbft.bridge import Bridge
from flux.consensus.cometbft.engine import CometEngine
from flux.consensus.cometbft.messages.tendermint.abci import types_pb2 as abci
from flux.rpc.server import create_app
from flux.services.chain import ChainConfig, run_chain
from flux.services.chain_home import find_settings
from flux.services.logging import configure_logging
from flux.services.signals import run_until_signal
from flux.wallet.development import LOCAL_CHAIN_ID, development_key
from support.transactions import signed

BAD_ACCOUNT = 6
"""Whose transfers the byzantine validator proposes; nobody else sends any."""


def bad_transactions(application: Application) -> Iterator[list[bytes]]:
    """One bad proposal after the other, each of another kind."""
    key = development_key(BAD_ACCOUNT, LOCAL_CHAIN_ID).private_key

    def transfers(*nonces: int, **fields: object) -> list[bytes]:
        return [signed(key, nonce=nonce, maxFeePerGas=10**12, **fields) for nonce in nonces]

    def too_many_bytes() -> list[bytes]:
        size = int(application.params.max_transaction_bytes) - 1_000
        count = int(application.params.max_block_bytes) // size + 1
        return transfers(*range(count), data=b"\1" * size, gas=21_000 + 16 * size)

    kinds: Sequence[Callable[[], list[bytes]]] = (
        lambda: [b"garbage"],
        lambda: transfers(1, 0),
        lambda: transfers(0, 2),
        lambda: transfers(*range(12), gas=int(application.params.block_gas_limit) // 10),
        lambda: transfers(0, value=10**40),
        lambda: [signed(key, nonce=0, maxFeePerGas=0, maxPriorityFeePerGas=0)],
        lambda: [signed(bytes([9]) * 32, nonce=0)],
        too_many_bytes,
    )
    return (kind() for kind in itertools.cycle(kinds))


def make_byzantine() -> None:
    """Propose what may not be in a block, and vote for it."""
    honest_process = Bridge.process_proposal
    proposals: dict[int, Iterator[list[bytes]]] = {}

    def prepare(self: Bridge, request: abci.Request) -> abci.Response:
        mine = proposals.setdefault(id(self), bad_transactions(self._application))
        return abci.Response(prepare_proposal=abci.ResponsePrepareProposal(txs=next(mine)))

    def process(self: Bridge, request: abci.Request) -> abci.Response:
        answer = honest_process(self, request)
        if answer.process_proposal.status != abci.ResponseProcessProposal.ProposalStatus.ACCEPT:
            answer.process_proposal.status = abci.ResponseProcessProposal.ProposalStatus.ACCEPT
        return answer

    Bridge.prepare_proposal = prepare  # type: ignore[method-assign]
    Bridge.process_proposal = process  # type: ignore[method-assign]


def make_slow(factor: float) -> None:
    """Computing and committing take so many times as long, and at least a tenth of a second."""

    def slowed(method: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            begun = time.monotonic()
            result = method(*arguments, **named)
            time.sleep(max(0.1, (factor - 1) * (time.monotonic() - begun)))
            return result

        return run

    Application.finalize = slowed(Application.finalize)  # type: ignore[method-assign]
    Application.commit = slowed(Application.commit)  # type: ignore[method-assign]


def make_skewed(seconds: float) -> None:
    """The clock of the application's side is wrong; CometBFT's is not, since Go asks the kernel itself."""
    for function in (CometEngine.__init__, create_app):
        defaults = function.__kwdefaults__
        assert defaults is not None
        defaults["clock"] = lambda: time.time() + seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--byzantine", action="store_true")
    parser.add_argument("--slow", type=float)
    parser.add_argument("--skew", type=float)
    given = parser.parse_args()
    if given.byzantine:
        make_byzantine()
    if given.slow:
        make_slow(given.slow)
    if given.skew:
        make_skewed(given.skew)
    configure_logging()
    config = ChainConfig(given.home, given.host, given.port, comet=find_settings(given.home))
    asyncio.run(run_until_signal(run_chain(config)))


if __name__ == "__main__":
    main()
