"""The governor: signed ballots, and what governance tools ask it for."""

import pytest

from flux.contracts.addresses import GOVERNOR, VOTES
from flux.contracts.governor import rules
from flux.contracts.governor.contract import Governor
from flux.contracts.governor.types import (
    GovernorInvalidSignature,
    GovernorInvalidVoteParams,
)
from flux.primitives.keccak import keccak256
from flux.primitives.signature import SigningKey
from flux.primitives.typed_data import Domain, digest, struct_hash
from flux.primitives.types import U16, U64, U256
from support.contract_lab import FLUX
from support.governor_lab import FOR, Lab, lab

__all__ = ["lab"]


def test_a_signed_ballot_counts_once_and_for_its_signer_only(lab: Lab) -> None:
    key = SigningKey(keccak256(b"signer"))
    lab.send(lab.ann, lab.votes.delegate, key.address)
    lab.block()
    id = lab.propose([lab.set("market.exclusion", 99)], proposer=lab.bob)
    lab.open_vote()

    def ballot(support: int, nonce: int) -> bytes:
        kind = "Ballot(uint256 proposalId,uint8 support,address voter,uint256 nonce)"
        domain = Domain("Flux Governor", "1", 0, GOVERNOR)
        return key.sign(digest(domain, struct_hash(kind, [id, support, key.address, nonce]))).to_bytes()

    cast = lab.governor.cast_vote_by_sig
    for support, voter, signature in (
        (FOR, key.address, ballot(0, 0)),
        (FOR, lab.bob, ballot(1, 0)),
        (FOR, key.address, ballot(1, 1)),
        (FOR, key.address, b"short"),
    ):
        with pytest.raises(GovernorInvalidSignature):
            lab.send(lab.eve, cast, id, support, voter, signature)
    lab.send(lab.eve, cast, id, FOR, key.address, ballot(1, 0))
    with pytest.raises(GovernorInvalidSignature):
        lab.send(lab.eve, cast, id, FOR, key.address, ballot(1, 0))
    assert lab.governor.proposal_votes(lab.world.context(lab.eve), id).for_votes == 6_000 * FLUX


def test_a_ballot_signed_with_a_reason_counts_and_parameters_mean_nothing(lab: Lab) -> None:
    key = SigningKey(keccak256(b"signer"))
    lab.send(lab.ann, lab.votes.delegate, key.address)
    lab.block()
    id = lab.propose([lab.set("market.exclusion", 99)], proposer=lab.bob)
    lab.open_vote()
    members = "uint256 proposalId,uint8 support,address voter,uint256 nonce,string reason,bytes params"
    message = struct_hash(f"ExtendedBallot({members})", [id, 1, key.address, 0, "because", b""])
    signature = key.sign(digest(Domain("Flux Governor", "1", 0, GOVERNOR), message)).to_bytes()
    cast = lab.governor.cast_vote_with_reason_and_params_by_sig
    with pytest.raises(GovernorInvalidSignature):
        lab.send(lab.eve, cast, id, FOR, key.address, "another", b"", signature)
    with pytest.raises(GovernorInvalidVoteParams):
        lab.send(lab.eve, cast, id, FOR, key.address, "because", b"1", signature)
    lab.send(lab.eve, cast, id, FOR, key.address, "because", b"", signature)
    with pytest.raises(GovernorInvalidVoteParams):
        lab.send(lab.bob, lab.governor.cast_vote_with_reason_and_params, id, FOR, "", b"1")
    lab.send(lab.bob, lab.governor.cast_vote_with_reason_and_params, id, FOR, "me too", b"")
    context = lab.world.context(lab.eve)
    past = U256(context.now - 1)
    assert lab.governor.get_votes_with_params(context, lab.bob, past, b"") == lab.governor.get_votes(
        context, lab.bob, past
    )
    votes = lab.governor.proposal_votes(context, id).for_votes
    assert votes == 6_000 * FLUX + lab.governor.get_votes(context, lab.bob, past)


def test_every_method_of_an_interface_that_it_claims_is_there() -> None:
    present = {item.signature for item in Governor.methods.values()}
    assert present >= {*rules.GOVERNOR_INTERFACE, *rules.CLOCK_INTERFACE, "supportsInterface(bytes4)", "eip712Domain()"}
    assert [id.hex() for id in rules.INTERFACES] == ["01ffc9a7", "65455a86", "da287a1d", "84b0196e"]


def test_tools_find_what_they_look_for(lab: Lab) -> None:
    context = lab.world.context(lab.eve)
    governor, params = lab.governor, lab.params.governor
    actions = [lab.set("market.exclusion", 99)]
    id = lab.propose(actions)
    targets, values, calldatas, text = lab.arguments(actions, "why not")
    assert governor.hash_proposal(context, targets, values, calldatas, keccak256(text.encode())) == id
    assert governor.proposal_proposer(context, id) == lab.ann
    assert governor.proposal_snapshot(context, id) == context.now + params.voting_delay
    assert governor.proposal_deadline(context, id) == context.now + params.voting_delay + params.voting_period
    assert (governor.proposal_eta(context, id), governor.proposal_needs_queuing(context, id)) == (0, True)
    details = governor.proposal_details(context, id)
    assert (details.targets, details.values, details.calldatas) == (tuple(targets), (0,), tuple(calldatas))
    assert governor.proposal_count(context) == 1
    assert [item.proposal.id for item in governor.proposals(context, U64(0), U16(5))] == [id]
    assert governor.voting_delay(context) == params.voting_delay
    assert governor.voting_period(context) == params.voting_period
    assert governor.proposal_threshold(context) == params.proposal_threshold
    assert governor.get_votes(context, lab.bob, U256(context.now - 1)) == 3_000 * FLUX
    assert (governor.clock(context), governor.CLOCK_MODE(context)) == (context.now, "mode=timestamp")
    assert governor.COUNTING_MODE(context) == "support=bravo&quorum=for,abstain"
    assert (governor.name_(context), governor.version(context)) == ("Flux Governor", "1")
    assert (governor.token(context), governor.timelock(context)) == (VOTES, GOVERNOR)
    signatures = {item.signature for item in governor.methods.values()}
    assert {
        "propose(address[],uint256[],bytes[],string)",
        "castVote(uint256,uint8)",
        "castVoteWithReason(uint256,uint8,string)",
        "castVoteBySig(uint256,uint8,address,bytes)",
        "queue(address[],uint256[],bytes[],bytes32)",
        "execute(address[],uint256[],bytes[],bytes32)",
        "cancel(address[],uint256[],bytes[],bytes32)",
    } <= signatures
