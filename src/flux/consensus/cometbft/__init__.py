"""CometBFT as the engine: a network of validators agrees on blocks, and the application computes them over ABCI 2.0.

`server` speaks the socket protocol, `bridge` translates consensus calls, `gossip` those of the mempool, `snapshots` is
the port of state sync; `keys`, `genesis` and `config` write what the `cometbft` program needs, `process` supervises it,
and `engine` is all of it together. Nothing here decides what a block holds or does: that is the application's.
"""
