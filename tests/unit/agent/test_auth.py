"""Who may ask an agent: the owner, once, now, at this node."""

import pytest

from flux.agent.api.auth import Authoriser, NotAuthorised
from flux.primitives.address import to_text
from flux.primitives.hexadecimal import to_hex
from flux.primitives.types import Address
from flux.sdk.agent_api import ACCOUNT_HEADER, SIGNATURE_HEADER, TIME_HEADER, request_hash
from flux.sdk.signer import LocalSigner

OWNER = LocalSigner(b"\x01" * 32)
STRANGER = LocalSigner(b"\x02" * 32)
NODE = 3
NOW = 1_800_000_000
TARGET = "/v1/leases/7/logs?follow=0"


def signed(signer: LocalSigner = OWNER, node: int = NODE, target: str = TARGET, time: int = NOW) -> dict[str, str]:
    signature = signer.sign_hash(request_hash(node, "GET", target, time))  # type: ignore[arg-type]
    return {
        ACCOUNT_HEADER: to_text(signer.address),
        TIME_HEADER: str(time),
        SIGNATURE_HEADER: to_hex(signature.to_bytes()),
    }


async def owner() -> Address:
    return OWNER.address


def make_authoriser() -> Authoriser:
    return Authoriser(NODE, lambda: float(NOW))  # type: ignore[arg-type]


async def test_the_owner_is_let_in() -> None:
    assert await make_authoriser().check(signed(), "GET", TARGET, owner) == OWNER.address


async def test_a_stranger_with_a_good_signature_is_refused() -> None:
    with pytest.raises(NotAuthorised) as caught:
        await make_authoriser().check(signed(STRANGER), "GET", TARGET, owner)
    assert caught.value.status == 403


async def test_a_request_is_answered_once() -> None:
    authoriser = make_authoriser()
    await authoriser.check(signed(), "GET", TARGET, owner)
    with pytest.raises(NotAuthorised, match="already answered"):
        await authoriser.check(signed(), "GET", TARGET, owner)


@pytest.mark.parametrize(
    "headers",
    [
        signed(node=4),
        signed(target="/v1/leases/8/logs?follow=0"),
        signed(time=NOW - 61),
        signed(time=NOW + 61),
        {**signed(), ACCOUNT_HEADER: to_text(STRANGER.address)},
        {**signed(), SIGNATURE_HEADER: "0x00"},
        {**signed(), SIGNATURE_HEADER: "nonsense"},
        {**signed(), TIME_HEADER: "yesterday"},
        {**signed(), ACCOUNT_HEADER: "0x12"},
        {},
    ],
)
async def test_everything_else_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(NotAuthorised) as caught:
        await make_authoriser().check(headers, "GET", TARGET, owner)
    assert caught.value.status == 401
