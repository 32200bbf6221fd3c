"""A governance tool that knows OpenZeppelin's Governor and nothing of Flux: web3.py, two addresses, two ABIs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import ContractCustomError
from web3.logs import DISCARD
from web3.middleware import SignAndSendRawMiddlewareBuilder

from support.local_chain import LocalChain, local_chain

pytestmark = pytest.mark.e2e

SCHEMAS = Path(__file__).parents[2] / "schemas"
MNEMONIC = "test test test test test test test test test test test junk"
GOVERNOR, VOTES, PARAMETERS = ("0x" + address.rjust(40, "0") for address in ("F10B", "F10F", "F10E"))
PENDING, ACTIVE, SUCCEEDED, QUEUED, EXECUTED = 0, 1, 4, 5, 7
FLUX = 10**18
BALLOT = {
    "Ballot": [
        {"name": "proposalId", "type": "uint256"},
        {"name": "support", "type": "uint8"},
        {"name": "voter", "type": "address"},
        {"name": "nonce", "type": "uint256"},
    ]
}


class Tool:
    """What such a tool does, step by step."""

    def __init__(self, chain: LocalChain) -> None:
        self.chain = chain
        self.w3 = Web3(Web3.HTTPProvider(chain.rpc))
        Account.enable_unaudited_hdwallet_features()
        self.voters = [self._account(number) for number in (0, 7)]
        for voter in self.voters:
            self.w3.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(voter), layer=0)
        self.governor, self.votes = self._contract(GOVERNOR, "Governor"), self._contract(VOTES, "Votes")
        self.parameters = self._contract(PARAMETERS, "Parameters")

    def send(self, call: Any, sender: LocalAccount, value: int = 0) -> Any:
        """A transaction that succeeds; its receipt."""
        receipt = self.w3.eth.wait_for_transaction_receipt(call.transact({"from": sender.address, "value": value}))
        assert receipt["status"] == 1
        return receipt

    def pass_time(self, seconds: int) -> None:
        """So much on the chain's clock, with a block at its end."""
        self.chain.skip(seconds)
        sender = self.voters[1].address
        self.w3.eth.wait_for_transaction_receipt(
            self.w3.eth.send_transaction({"from": sender, "to": sender, "value": 0})  # type: ignore[typeddict-item]
        )

    def reach(self, proposal: int, state: int, step: int = 2) -> None:
        """Let time pass until the proposal is in a state."""
        for _ in range(20):
            if self.governor.functions.state(proposal).call() == state:
                return
            self.pass_time(step)
        raise AssertionError(self.governor.functions.state(proposal).call())

    def _account(self, number: int) -> LocalAccount:
        account: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{number}")
        return account

    def _contract(self, address: str, name: str) -> Contract:
        abi = json.loads((SCHEMAS / f"{name}.json").read_text())
        made: Contract = self.w3.eth.contract(address=Web3.to_checksum_address(address), abi=abi)  # type: ignore[assignment]
        return made


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tool]:
    with local_chain(tmp_path_factory.mktemp("chain")) as chain:
        yield Tool(chain)


def test_a_proposal_goes_from_its_creation_to_its_execution_as_on_ethereum(tool: Tool) -> None:
    governor, votes = tool.governor.functions, tool.votes.functions
    holder, delegate = tool.voters
    assert (governor.name().call(), governor.version().call()) == ("Flux Governor", "1")
    assert governor.CLOCK_MODE().call() == votes.CLOCK_MODE().call() == "mode=timestamp"
    assert governor.COUNTING_MODE().call() == "support=bravo&quorum=for,abstain"
    assert governor.token().call() == tool.votes.address
    tool.send(votes.lock(), holder, 20_000 * FLUX)
    tool.send(votes.lock(), delegate, 1_000 * FLUX)
    changed = tool.votes.events.DelegateVotesChanged()
    receipt = tool.send(votes.delegate(delegate.address), holder)
    moved = {
        entry["args"]["delegate"]: entry["args"]["newVotes"]
        for entry in changed.process_receipt(receipt, errors=DISCARD)
    }
    assert moved == {holder.address: 0, delegate.address: 21_000 * FLUX}
    tool.pass_time(2)
    past = governor.clock().call() - 1
    assert votes.getPastVotes(delegate.address, past).call() == 21_000 * FLUX
    assert governor.quorum(past).call() == votes.getPastTotalSupply(past).call() // 5

    data = tool.parameters.encode_abi("setParameter", ["escrow.fee_basis_points", 100])
    text = "# Halve the fee"
    proposal = ([tool.parameters.address], [0], [data])
    by_hash = (*proposal, Web3.keccak(text=text))
    receipt = tool.send(governor.propose(*proposal, text), delegate)
    (created,) = tool.governor.events.ProposalCreated().process_receipt(receipt, errors=DISCARD)
    id = created["args"]["proposalId"]
    assert id == governor.hashProposal(*by_hash).call()
    assert (created["args"]["proposer"], created["args"]["calldatas"][0].hex()) == (delegate.address, data[2:])
    assert created["args"]["voteStart"] == governor.proposalSnapshot(id).call()
    assert created["args"]["voteEnd"] == governor.proposalDeadline(id).call()
    tool.reach(id, ACTIVE)
    _, name, version, chain, contract, _, _ = governor.eip712Domain().call()
    domain = {"name": name, "version": version, "chainId": chain, "verifyingContract": contract}
    message = {"proposalId": id, "support": 1, "voter": delegate.address, "nonce": 0}
    signed = delegate.sign_typed_data(domain, BALLOT, message)
    receipt = tool.send(governor.castVoteBySig(id, 1, delegate.address, signed.signature), holder)
    (cast,) = tool.governor.events.VoteCast().process_receipt(receipt, errors=DISCARD)
    assert (cast["args"]["voter"], cast["args"]["weight"]) == (delegate.address, 21_000 * FLUX)
    assert governor.hasVoted(id, delegate.address).call()
    assert tuple(governor.proposalVotes(id).call()) == (0, 21_000 * FLUX, 0)
    tool.reach(id, QUEUED, step=10)
    assert governor.proposalEta(id).call() > 0
    assert governor.proposalNeedsQueuing(id).call()
    tool.reach(id, EXECUTED, step=3)
    assert tool.parameters.functions.parameter("escrow.fee_basis_points").call()[1] == 100
    with pytest.raises(ContractCustomError):
        governor.execute(*by_hash).call({"from": holder.address})


def test_the_governor_says_what_it_is(tool: Tool) -> None:
    """By ERC-165, with the id that OpenZeppelin's IGovernor 5.0 has, and by ERC-5267."""
    governor = tool.governor.functions
    known = {"0x01ffc9a7": True, "0x65455a86": True, "0xda287a1d": True, "0x84b0196e": True}
    for interface, supported in {**known, "0xffffffff": False, "0x4e2312e0": False}.items():
        assert governor.supportsInterface(interface).call() is supported, interface
    fields, name, version, chain, contract, salt, extensions = governor.eip712Domain().call()
    assert (fields, name, version, chain) == (b"\x0f", "Flux Governor", "1", tool.w3.eth.chain_id)
    assert (contract, salt, extensions) == (tool.governor.address, bytes(32), [])


def test_refusals_are_openzeppelins_custom_errors(tool: Tool) -> None:
    governor = tool.governor.functions
    with pytest.raises(ContractCustomError) as raised:
        governor.state(7).call()
    assert raised.value.data is not None
    assert str(raised.value.data).startswith(Web3.keccak(text="GovernorNonexistentProposal(uint256)")[:4].to_0x_hex())
    future = tool.governor.functions.clock().call() + 100
    with pytest.raises(ContractCustomError) as raised:
        tool.votes.functions.getPastVotes(tool.voters[0].address, future).call()
    selector = Web3.keccak(text="ERC5805FutureLookup(uint256,uint48)")[:4].to_0x_hex()
    assert str(raised.value.data).startswith(selector)
