"""Who may ask an agent: the owner, once, now, at this node."""

import pytest

from flux.agent.api.auth import Authoriser, NotAuthorised
from flux.primitives.address import to_text
from flux.primitives.types import Address, Hash
from flux.sdk.agent_api import ACCOUNT_HEADER, NONCE_HEADER, SIGNATURE_HEADER, TIME_HEADER, signed_headers
from flux.sdk.signer import LocalSigner

OWNER = LocalSigner(b"\x01" * 32)
STRANGER = LocalSigner(b"\x02" * 32)
CERTIFICATE = Hash(b"\x03" * 32)
NOW = 1_800_000_000
TARGET = "/v1/leases/7/logs?follow=0"


def signed(
    signer: LocalSigner = OWNER,
    certificate: Hash = CERTIFICATE,
    target: str = TARGET,
    time: int = NOW,
    nonce: bytes | None = None,
) -> dict[str, str]:
    return signed_headers(signer, certificate, "GET", target, time, nonce)


async def owner() -> Address:
    return OWNER.address


def make_authoriser() -> Authoriser:
    return Authoriser(CERTIFICATE, lambda: float(NOW))


async def test_the_owner_is_let_in() -> None:
    assert await make_authoriser().check(signed(), "GET", TARGET, owner) == OWNER.address


async def test_a_stranger_with_a_good_signature_is_refused() -> None:
    with pytest.raises(NotAuthorised) as caught:
        await make_authoriser().check(signed(STRANGER), "GET", TARGET, owner)
    assert caught.value.status == 403


async def test_a_request_is_answered_once() -> None:
    authoriser, headers = make_authoriser(), signed()
    await authoriser.check(headers, "GET", TARGET, owner)
    with pytest.raises(NotAuthorised, match="already answered"):
        await authoriser.check(headers, "GET", TARGET, owner)


async def test_equal_requests_of_one_second_are_all_answered() -> None:
    authoriser = make_authoriser()
    for _ in range(20):
        assert await authoriser.check(signed(), "GET", TARGET, owner) == OWNER.address


async def test_a_nonce_written_in_other_letters_is_the_same_request() -> None:
    authoriser, headers = make_authoriser(), signed(nonce=b"\xab" * 16)
    await authoriser.check(headers, "GET", TARGET, owner)
    with pytest.raises(NotAuthorised, match="already answered"):
        await authoriser.check({**headers, NONCE_HEADER: "0x" + "AB" * 16}, "GET", TARGET, owner)


async def test_a_request_is_remembered_for_as_long_as_its_time_is_accepted() -> None:
    now = float(NOW)
    authoriser = Authoriser(CERTIFICATE, lambda: now)
    ahead, present = signed(time=NOW + 60), signed()
    for headers in (ahead, present):
        await authoriser.check(headers, "GET", TARGET, owner)
    now = NOW + 120.0
    with pytest.raises(NotAuthorised, match="already answered"):
        await authoriser.check(ahead, "GET", TARGET, owner)
    now = NOW + 120.1
    for headers in (ahead, present):
        with pytest.raises(NotAuthorised, match="time differs"):
            await authoriser.check(headers, "GET", TARGET, owner)
    await authoriser.check(signed(time=NOW + 121), "GET", TARGET, owner)
    assert len(authoriser._seen) == 1, "what is too old to be replayed is forgotten"


@pytest.mark.parametrize(
    "headers",
    [
        signed(certificate=Hash(b"\x04" * 32)),
        signed(target="/v1/leases/8/logs?follow=0"),
        signed(time=NOW - 61),
        signed(time=NOW + 61),
        {**signed(), ACCOUNT_HEADER: to_text(STRANGER.address)},
        {**signed(), SIGNATURE_HEADER: "0x00"},
        {**signed(), SIGNATURE_HEADER: "nonsense"},
        {**signed(), TIME_HEADER: "yesterday"},
        {**signed(), TIME_HEADER: "9" * 400},
        {**signed(), NONCE_HEADER: "0x" + "00" * 16},
        {**signed(), NONCE_HEADER: "nonsense"},
        signed(nonce=b"short"),
        {name: value for name, value in signed().items() if name != NONCE_HEADER},
        {**signed(), ACCOUNT_HEADER: "0x12"},
        {},
    ],
)
async def test_everything_else_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(NotAuthorised) as caught:
        await make_authoriser().check(headers, "GET", TARGET, owner)
    assert caught.value.status == 401
