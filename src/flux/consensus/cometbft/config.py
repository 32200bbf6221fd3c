"""CometBFT's configuration: what Flux sets, and why; everything else has CometBFT's defaults.

The file is written at each start from `NodeSettings`, which are what an operator may choose.
"""

import json
import re
from dataclasses import dataclass

from flux.consensus.cometbft.errors import BadHome

ABCI_SOCKET = "abci.sock"
"""In CometBFT's home, which is also its working directory: a socket's path may have 107 bytes at most."""
_PEER = re.compile(r"[0-9a-f]{40}@(\[[0-9a-f:.]+\]|[A-Za-z0-9.-]+):\d{1,5}")
_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. All validators of a chain should have the same."""

    propose: float = 3.0
    """How long a validator waits for a proposal before it votes for none."""
    vote: float = 1.0
    """How long it waits for more votes where they do not agree."""
    pause: float = 0.1
    """After a block, before the next: late votes come in, transactions gather."""
    gossip: float = 0.02
    """Between looks at what a peer may lack."""


@dataclass(frozen=True, slots=True)
class StateSyncSettings:
    """How a node that has nothing yet takes a state from its peers instead of playing back every block."""

    rpc: str
    """A Flux RPC that shows light blocks; they are verified."""
    trust_height: int
    trust_hash: str
    """Of a light block that the operator trusts, in hex."""
    trust_seconds: int
    """How long it can be trusted."""
    server: str = ""
    """HOST:PORT where CometBFT asks for light blocks; set while the node runs."""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What one node is told."""

    name: str = "flux"
    """For people."""
    p2p_host: str = "0.0.0.0"
    p2p_port: int = 26656
    """Where other nodes connect."""
    rpc_port: int = 26657
    """CometBFT's own RPC, on loopback only."""
    external_address: str = ""
    """HOST:PORT that others reach this node at, when they cannot see it themselves."""
    peers: tuple[str, ...] = ()
    """ID@HOST:PORT; connections to them are kept."""
    seeds: tuple[str, ...] = ()
    """ID@HOST:PORT; asked for addresses of others."""
    private_network: bool = False
    """Peers have private or loopback addresses and may share one; addresses are not passed on."""
    log_level: str = "main:info,blocksync:info,statesync:info,*:error"
    """As CometBFT takes it: by module."""
    timing: Timing = Timing()
    state_sync: StateSyncSettings | None = None


def check_settings(settings: NodeSettings) -> None:
    """Raise BadHome for what CometBFT would refuse or misunderstand."""
    for peer in (*settings.peers, *settings.seeds):
        if not _PEER.fullmatch(peer):
            raise BadHome(f"{peer} is not an address of a peer: write ID@HOST:PORT, the id in 40 hexadecimal digits")
    for port in (settings.p2p_port, settings.rpc_port):
        if not 0 < port < 65536:
            raise BadHome(f"{port} is not a port: choose one from 1 to 65535")
    if settings.p2p_port == settings.rpc_port:
        raise BadHome(f"peers and RPC cannot share port {settings.p2p_port}: choose another for one of them")
    timing = settings.timing
    if min(timing.propose, timing.vote, timing.gossip) <= 0 or timing.pause < 0:
        raise BadHome("the timing has a duration of zero or less")


def config_text(settings: NodeSettings, largest_bundle: int) -> str:
    """The text of config.toml. Raises BadHome."""
    check_settings(settings)
    timing = settings.timing
    sections: dict[str, dict[str, object]] = {
        "": {
            "proxy_app": f"unix://{ABCI_SOCKET}",
            "abci": "socket",
            "moniker": settings.name,
            "log_level": settings.log_level,
            "log_format": "json",
        },
        "rpc": {"laddr": f"tcp://127.0.0.1:{settings.rpc_port}", "pprof_laddr": ""},
        "p2p": {
            "laddr": f"tcp://{settings.p2p_host}:{settings.p2p_port}",
            "external_address": settings.external_address,
            "persistent_peers": ",".join(settings.peers),
            "seeds": ",".join(settings.seeds),
            "pex": not settings.private_network,
            "addr_book_strict": not settings.private_network,
            "allow_duplicate_ip": settings.private_network,
            # Peers that were away are back in seconds; the default waits longer after each failed try.
            "persistent_peers_max_dial_period": "5s",
            "send_rate": 20_480_000,
            "recv_rate": 20_480_000,
        },
        "mempool": {
            # Order of nonces, replacement and the protocol lane are the application's.
            "type": "app",
            "reap_interval": _duration(timing.gossip),
            # What it takes for a transaction is a bundle of them.
            "max_tx_bytes": largest_bundle,
            "max_batch_bytes": 2 * largest_bundle,
        },
        "consensus": {
            "timeout_propose": _duration(timing.propose),
            "timeout_prevote": _duration(timing.vote),
            "timeout_precommit": _duration(timing.vote),
            "timeout_commit": _duration(timing.pause),
            "skip_timeout_commit": False,
            "create_empty_blocks": True,
            "create_empty_blocks_interval": "0s",
            "peer_gossip_sleep_duration": _duration(timing.gossip),
        },
        "statesync": _state_sync(settings.state_sync),
        # Transactions are indexed by the application.
        "tx_index": {"indexer": "null"},
        "storage": {"discard_abci_responses": False},
    }
    lines = ["# Written by `flux chain start` at each start; changes made here do not last.\n"]
    for name, values in sections.items():
        if name:
            lines.append(f"\n[{name}]\n")
        lines += [f"{key} = {_toml(value)}\n" for key, value in values.items()]
    return "".join(lines)


def _state_sync(settings: StateSyncSettings | None) -> dict[str, object]:
    """CometBFT does it while it has no block, and passes over it later."""
    if settings is None or not settings.server:
        return {"enable": False}
    return {
        "enable": True,
        # It wants two servers, to compare them; a chain's validators are what is believed here.
        "rpc_servers": f"{settings.server},{settings.server}",
        "trust_height": settings.trust_height,
        "trust_hash": settings.trust_hash,
        "trust_period": f"{settings.trust_seconds}s",
        "discovery_time": "5s",
        "chunk_request_timeout": "10s",
    }


def _duration(seconds: float) -> str:
    return f"{round(seconds * _MILLISECONDS)}ms"


def _toml(value: object) -> str:
    # A JSON string, number or boolean is the same in TOML.
    return json.dumps(value)
