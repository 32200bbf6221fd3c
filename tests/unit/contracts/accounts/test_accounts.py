"""Supply is capped and counted; native balances move through the ERC-20 view as any token's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.contracts.accounts import rules
from flux.contracts.accounts.contract import Accounts
from flux.contracts.accounts.types import (
    Approval,
    ERC20InsufficientAllowance,
    ERC20InsufficientBalance,
    ERC20InvalidReceiver,
    ERC20InvalidSpender,
    Supply,
    SupplyCapExceeded,
    Transfer,
)
from flux.contracts.addresses import ESCROW, NODES, TREASURY
from flux.kernel.revert_data import error_selector
from flux.primitives import abi
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.types import U256, Address, Wei
from support.contract_lab import FLUX, Lab, account

ALICE, BOB, CAROL = account("alice"), account("bob"), account("carol")


def wei(amount: int) -> Wei:
    return Wei(U256(amount))


@pytest.fixture
def lab() -> Lab:
    lab = Lab()
    lab.fund(ALICE, 10)
    return lab


def test_a_token_tool_finds_the_selectors_it_knows(lab: Lab) -> None:
    known = {
        "06fdde03": "name()",
        "95d89b41": "symbol()",
        "313ce567": "decimals()",
        "18160ddd": "totalSupply()",
        "70a08231": "balanceOf(address)",
        "a9059cbb": "transfer(address,uint256)",
        "dd62ed3e": "allowance(address,address)",
        "095ea7b3": "approve(address,uint256)",
        "23b872dd": "transferFrom(address,address,uint256)",
    }
    declared = {selector.hex(): method.signature for selector, method in Accounts.methods.items()}
    assert known.items() <= declared.items()
    assert error_selector(ERC20InsufficientBalance).hex() == "e450d38c"
    assert error_selector(ERC20InsufficientAllowance).hex() == "fb8f41b2"


def test_the_token_calls_itself_flux_with_18_decimals(lab: Lab) -> None:
    results = [
        lab.accounts.call(lab.context(ALICE), abi.selector(f"{name}()")) for name in ("name", "symbol", "decimals")
    ]
    assert abi.decode(["string"], results[0]) == ("Flux",)
    assert abi.decode(["string"], results[1]) == ("FLUX",)
    assert abi.decode(["uint8"], results[2]) == (18,)


def test_a_transfer_moves_the_native_balance_and_says_so(lab: Lab) -> None:
    assert lab.send(ALICE, 0, lab.accounts.transfer, BOB, wei(3 * FLUX)) is True
    assert lab.world.balance(ALICE) == 7 * FLUX
    assert lab.accounts.balance_of(lab.context(), BOB) == lab.world.balance(BOB) == 3 * FLUX
    assert lab.world.emitted(lab.accounts, Transfer(ALICE, BOB, wei(3 * FLUX)))


def test_nobody_spends_more_than_they_hold(lab: Lab) -> None:
    with pytest.raises(ERC20InsufficientBalance) as caught:
        lab.send(ALICE, 0, lab.accounts.transfer, BOB, wei(11 * FLUX))
    assert (caught.value.sender, caught.value.balance, caught.value.needed) == (ALICE, 10 * FLUX, 11 * FLUX)


@pytest.mark.parametrize("receiver", [ZERO_ADDRESS, ESCROW, NODES, Address(b"\0" * 19 + b"\x01")])
def test_a_transfer_cannot_put_money_into_a_contract_past_its_books(lab: Lab, receiver: Address) -> None:
    with pytest.raises(ERC20InvalidReceiver):
        lab.send(ALICE, 0, lab.accounts.transfer, receiver, wei(1))
    lab.send(ALICE, 0, lab.accounts.transfer, TREASURY, wei(1))


def test_an_allowance_is_used_up_and_an_unlimited_one_is_not(lab: Lab) -> None:
    lab.send(ALICE, 0, lab.accounts.approve, BOB, wei(5))
    assert lab.world.emitted(lab.accounts, Approval(ALICE, BOB, wei(5)))
    lab.send(BOB, 0, lab.accounts.transfer_from, ALICE, CAROL, wei(4))
    assert lab.accounts.allowance(lab.context(), ALICE, BOB) == 1
    with pytest.raises(ERC20InsufficientAllowance):
        lab.send(BOB, 0, lab.accounts.transfer_from, ALICE, CAROL, wei(2))
    lab.send(ALICE, 0, lab.accounts.approve, BOB, wei(rules.UNLIMITED))
    lab.send(BOB, 0, lab.accounts.transfer_from, ALICE, CAROL, wei(2))
    assert lab.accounts.allowance(lab.context(), ALICE, BOB) == rules.UNLIMITED
    assert lab.world.balance(CAROL) == 6


def test_the_zero_address_gets_no_allowance(lab: Lab) -> None:
    with pytest.raises(ERC20InvalidSpender):
        lab.send(ALICE, 0, lab.accounts.approve, ZERO_ADDRESS, wei(1))


def test_minting_stops_exactly_at_the_cap(lab: Lab) -> None:
    cap = lab.params.accounts.cap
    left = cap - 10 * FLUX
    lab.accounts.mint(lab.context(), BOB, wei(left))
    with pytest.raises(SupplyCapExceeded):
        lab.accounts.mint(lab.context(), BOB, wei(1))
    assert lab.accounts.total_supply(lab.context()) == cap
    lab.check()


def test_what_is_burned_is_counted_and_may_be_minted_again(lab: Lab) -> None:
    lab.world.burn(ALICE, wei(FLUX))
    lab.accounts.count_burned(lab.context(), wei(FLUX))
    assert lab.accounts.supply(lab.context()) == Supply(wei(10 * FLUX), wei(FLUX))
    assert lab.accounts.total_supply(lab.context()) == 9 * FLUX
    lab.check()


def test_a_burn_that_nobody_counted_is_noticed(lab: Lab) -> None:
    lab.world.burn(ALICE, wei(1))
    with pytest.raises(AssertionError, match="all accounts together hold"):
        lab.check()


def test_counters_beyond_their_bounds_are_noticed(lab: Lab) -> None:
    lab.accounts.state.burned.set(wei(11 * FLUX))
    with pytest.raises(AssertionError, match="were burned but only"):
        lab.check()
    lab.accounts.state.burned.set(wei(0))
    lab.accounts.state.minted.set(wei(lab.params.accounts.cap + 1))
    with pytest.raises(AssertionError, match="passes the cap"):
        lab.check()


@given(
    st.lists(
        st.tuples(st.sampled_from([ALICE, BOB, CAROL]), st.sampled_from([ALICE, BOB, CAROL]), st.integers(0, 2 * FLUX)),
        max_size=20,
    )
)
def test_transfers_never_change_the_sum(moves: list[tuple[Address, Address, int]]) -> None:
    lab = Lab()
    lab.fund(ALICE, 3)
    for sender, recipient, amount in moves:
        held = lab.world.balance(sender)
        if amount > held:
            with pytest.raises(ERC20InsufficientBalance):
                lab.send(sender, 0, lab.accounts.transfer, recipient, wei(amount))
        else:
            lab.send(sender, 0, lab.accounts.transfer, recipient, wei(amount))
        lab.check()
