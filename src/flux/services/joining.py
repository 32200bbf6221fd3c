"""A node that joins a running network: its genesis, its peers, and a state to begin with, all from one RPC endpoint.

The endpoint is believed in nothing that can be verified: the genesis must be the one that the signatures of validators
name, and the block that the node's CometBFT is told to trust is verified first.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from flux.consensus.cometbft.config import NodeSettings, StateSyncSettings
from flux.consensus.cometbft.keys import NodeKeys
from flux.sdk.errors import RpcError
from flux.sdk.transport import Transport
from flux.services.chain_home import ChainHome, make_node, write_genesis
from flux.services.errors import ServiceError
from flux.verification.trust import TrustStore, open_verified, policy_of

_SECOND = 1_000_000_000


async def join(
    transport: Transport,
    home: Path,
    settings: NodeSettings,
    trust: TrustStore,
    *,
    clock: Callable[[], int],
    notice: Callable[[str], None],
    from_genesis: bool = False,
) -> NodeKeys:
    """Make the folder of a node. With `from_genesis` it plays back every block instead of taking a state.

    Raises GenesisError when the folder is another chain's, Lied, NothingTrusted, BadHome, ServiceError.
    """
    await open_verified(transport, trust, clock, notice)
    trusted = trust.load()
    assert trusted is not None, "what was just verified is kept"
    peers = settings.peers or tuple(await _peers(transport))
    if not peers:
        raise ServiceError(f"{transport.url} knows no node to connect to", "name one with --peer ID@HOST:PORT")
    sync = StateSyncSettings(
        rpc=transport.url,
        trust_height=trusted.block.height,
        trust_hash=trusted.block.commit.block_id.hash.hex().upper(),
        trust_seconds=policy_of(trusted.genesis).trusting_period // _SECOND,
    )
    write_genesis(home, trusted.genesis)
    has_data = ChainHome(home).data.exists()
    return make_node(home, replace(settings, peers=peers, state_sync=None if from_genesis or has_data else sync))


async def _peers(transport: Transport) -> list[str]:
    """ID@HOST:PORT of the endpoint's node and of those it is connected to."""
    own = urlsplit(transport.url).hostname or "127.0.0.1"
    try:
        known = await transport.request("flux_peers")
        return [f"{peer['id']}@{peer['host'] or own}:{int(peer['port'])}" for peer in known]
    except (RpcError, KeyError, TypeError, ValueError) as error:
        raise ServiceError(
            f"{transport.url} does not say whom to connect to: {error}", "name a node with --peer ID@HOST:PORT"
        ) from error
