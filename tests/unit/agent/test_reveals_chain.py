"""The agent's reveals on a real chain: a node opts in, gets a seat, and the next epoch's seed has its part."""

from pathlib import Path

from flux.agent.onion import OnionStore
from flux.agent.reports import ChainReporter
from flux.agent.reveals import ChainRevealSource, Revealer
from flux.contracts.nodes.types import NodeId
from flux.contracts.validators.rules import mixed, proof_message, revealed_seed
from flux.primitives import ed25519
from flux.primitives.types import NO_WEI, U32, Hash
from flux.sdk.bindings.accounts import Accounts
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.probes import Probes
from flux.sdk.bindings.validators import Validators
from flux.sdk.client import FluxClient
from flux.sdk.transport import HttpTransport
from flux.wallet.development import LOCAL_CHAIN_ID, development_addresses, development_key
from support.local_chain import LocalChain, local_chain

NODE = NodeId(U32(1))
SEED = b"\x07" * 32


async def next_epoch(chain: LocalChain, client: FluxClient) -> int:
    """Let the present epoch end, in steps that are no gaps; the number of the new one, whose set is chosen."""
    probes, accounts, payer = Probes(client), Accounts(client), development_key(9, LOCAL_CHAIN_ID)
    number = (await probes.epoch()).epoch
    while (await probes.epoch()).epoch == number:
        chain.skip(20)
        await accounts.transfer(payer, payer.address, NO_WEI)
    await accounts.transfer(payer, payer.address, NO_WEI)
    return (await probes.epoch()).epoch


async def test_a_seated_validators_agent_adds_to_the_seed(tmp_path: Path) -> None:
    with local_chain(tmp_path) as chain:
        async with HttpTransport(chain.rpc) as transport:
            client = FluxClient(transport)
            operator = (await Nodes(client).node(NODE)).operator
            account = development_key(development_addresses().index(operator), LOCAL_CHAIN_ID)
            onions = OnionStore(tmp_path)
            onion = onions.newest(9)
            key = ed25519.public_key_of(SEED)
            proof = ed25519.sign(SEED, proof_message(LOCAL_CHAIN_ID, NODE, operator, key))
            validators = Validators(client)
            await validators.enable(account, NODE, key, proof, onion.head, U32(9))

            reporter = ChainReporter(client, chain.identities[NODE].signer, tmp_path / "evidence")
            revealer = Revealer(ChainRevealSource(client, NODE), reporter, onions)
            await revealer.run_once()
            assert (await validators.validator(NODE)).reveals_left == 9

            epoch = await next_epoch(chain, client)
            assert [seat.node for seat in await validators.validator_set()] == [NODE]
            before = (await Probes(client).epoch()).seed
            await revealer.run_once()
            await revealer.run_once()
            record = await validators.validator(NODE)
            assert (record.reveals_left, record.revealed_next) == (8, epoch + 1)

            after = await next_epoch(chain, client)
            mix = mixed(Hash(bytes(32)), record.onion)
            assert (await Probes(client).epoch()).seed == revealed_seed(before, mix, after)
            assert await ChainRevealSource(client, NodeId(U32(2))).validator() is None
