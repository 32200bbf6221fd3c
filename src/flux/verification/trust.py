"""What verification begins with: one chain for each FLUX_HOME, its genesis and the newest light block verified so far.

The first time, the genesis file that the endpoint shows is trusted, and with it the validators that it names, or those
of the newest block when the chain is older than validators can be trusted; or a person names a block by height and
hash, heard from somebody they believe. From then on any endpoint is checked against
it. The chain's name, which every signature of a validator covers, has the genesis file's digest in it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

from flux.durable import write_whole
from flux.primitives.types import Hash
from flux.protocol.genesis import Genesis, GenesisError, chain_name, decode, encode
from flux.sdk.errors import RpcError
from flux.sdk.light.client import LightClient, blaming, fetch_light_block, fetch_trusted
from flux.sdk.light.errors import BadHeader, Malformed, NothingTrusted, NotVerifiable, WrongChain
from flux.sdk.light.parse import parse_light_block, to_document
from flux.sdk.light.rules import Policy, check_block, check_signed
from flux.sdk.light.types import SECOND, LightBlock, Validator
from flux.sdk.transport import Transport
from flux.verification.transport import VerifyingTransport

TRUST_FILE = "trust.json"
_FIRST = 1


@dataclass(frozen=True, slots=True)
class Trust:
    """What is trusted of one chain."""

    genesis: Genesis
    block: LightBlock


class TrustStore:
    """The file in a home."""

    def __init__(self, home: Path) -> None:
        self.path = home / TRUST_FILE

    def load(self) -> Trust | None:
        """What is trusted; None when nothing is yet. Raises NothingTrusted for a file that cannot be read."""
        try:
            document = json.loads(self.path.read_bytes())
            return Trust(decode(document["genesis"], self.path), parse_light_block(document["light_block"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, Malformed) as error:
            raise NothingTrusted(
                f"{self.path} cannot be read ({error}); forget it with `flux chain trust --forget` and trust again"
            ) from error

    def save(self, trust: Trust) -> None:
        """Replace what is trusted, whole or not at all."""
        document = {"genesis": encode(trust.genesis), "light_block": to_document(trust.block)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, json.dumps(document).encode())

    def forget(self) -> None:
        """Trust nothing."""
        self.path.unlink(missing_ok=True)


async def trust_block(transport: Transport, height: int, block_hash: Hash) -> Trust:
    """Trust a block of CometBFT's that a person names. Raises Lied when the endpoint's is another one."""
    genesis = await _genesis(transport)
    return Trust(genesis, await fetch_trusted(transport, height, block_hash, chain_name(genesis)))


async def trust_first(transport: Transport, now: int) -> Trust:
    """Trust the genesis file that the endpoint shows and the first block that its validators signed; of a chain that
    is older than the trusting period, the newest block that the endpoint shows."""
    genesis = await _genesis(transport)
    is_young = genesis.timestamp * SECOND + policy_of(genesis).trusting_period > now
    with blaming(transport.url, "flux_lightBlock"):
        block = await fetch_light_block(transport, _FIRST if is_young else None)
        check_block(block, chain_name(genesis))
        named = {Validator(item.public_key, item.power) for item in genesis.validators}
        if is_young and named != {*block.validators}:
            raise BadHeader("the first block's validators are not those of the genesis file")
        check_signed(block)
    return Trust(genesis, block)


def policy_of(genesis: Genesis) -> Policy:
    """How long a chain's validators can be trusted."""
    return Policy(genesis.params.validators.trust_period * SECOND)


async def open_verified(
    transport: Transport, store: TrustStore, clock: Callable[[], int], notice: Callable[[str], None]
) -> VerifyingTransport:
    """A transport whose answers are verified from what the store trusts; it is told of newer blocks at once.

    `clock` gives nanoseconds since 1970. `notice` is told when something is trusted for the first time. Raises Lied,
    NothingTrusted, and what asking raises.
    """
    trust = store.load()
    if trust is None:
        trust = await trust_first(transport, clock())
        notice(
            f"trusting the chain {chain_name(trust.genesis)} from now on, with block {trust.block.height} as "
            f"{transport.url} shows it; compare it with what others show: `flux chain trust`"
        )
        store.save(trust)
    else:
        await _check_same_chain(transport, trust)
    light = LightClient(transport, trust.block, policy_of(trust.genesis), clock)
    await light.head()
    store.save(Trust(trust.genesis, light.trusted))
    return VerifyingTransport(transport, light, trust.genesis)


async def _check_same_chain(transport: Transport, trust: Trust) -> None:
    shown, trusted = chain_name(await _genesis(transport)), chain_name(trust.genesis)
    if shown != trusted:
        with blaming(transport.url, "flux_genesis"):
            raise WrongChain(
                f"it serves {shown}, and {trusted} is trusted here; `flux chain trust --forget` forgets that one"
            )


async def _genesis(transport: Transport) -> Genesis:
    try:
        text = await transport.request("flux_genesis")
    except RpcError as error:
        raise NotVerifiable(f"{transport.url} does not show its genesis: {error}") from error
    if text is None:
        raise NotVerifiable(f"{transport.url} does not show its genesis")
    with blaming(transport.url, "flux_genesis"):
        if not isinstance(text, str):
            raise Malformed("the genesis is not a text")
        try:
            return decode(text, PurePath("the endpoint's genesis"))
        except GenesisError as error:
            raise Malformed(str(error)) from error
