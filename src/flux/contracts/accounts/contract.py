"""Accounts: the supply of FLUX, and native balances as an ERC-20 token."""

from flux.contracts.accounts import rules
from flux.contracts.accounts.state import AccountsState
from flux.contracts.accounts.types import (
    AccountsParams,
    Approval,
    ERC20InsufficientAllowance,
    ERC20InsufficientBalance,
    ERC20InvalidReceiver,
    ERC20InvalidSpender,
    Supply,
    SupplyCapExceeded,
    Transfer,
)
from flux.contracts.addresses import ACCOUNTS, TREASURY
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, view
from flux.primitives.types import NO_WEI, U8, U256, Address, Wei


class Accounts(Contract):
    """Counts what is minted and burned; moves native FLUX for tools that speak ERC-20."""

    name = "Accounts"
    address = ACCOUNTS
    events = (Transfer, Approval)
    errors = (
        ERC20InsufficientBalance,
        ERC20InsufficientAllowance,
        ERC20InvalidReceiver,
        ERC20InvalidSpender,
        SupplyCapExceeded,
    )

    def __init__(self, host: Host, params: AccountsParams) -> None:
        super().__init__(host)
        self.params = params
        self.state = AccountsState(host.storage)

    @method(gas=25_000)
    def transfer(self, ctx: Context, recipient: Address, value: Wei) -> bool:
        """Move the caller's FLUX. Raises ERC20InsufficientBalance, ERC20InvalidReceiver."""
        self._move(ctx.sender, recipient, value)
        return True

    @method(gas=25_000)
    def approve(self, ctx: Context, spender: Address, value: Wei) -> bool:
        """Let `spender` move up to `value` of the caller's FLUX; replaces the earlier allowance."""
        if not rules.can_spend(spender):
            raise ERC20InvalidSpender(spender)
        self.state.allowances.set((ctx.sender, spender), value)
        self.host.emit(Approval(ctx.sender, spender, value))
        return True

    @method(gas=35_000)
    def transfer_from(self, ctx: Context, sender: Address, recipient: Address, value: Wei) -> bool:
        """Move an owner's FLUX within the caller's allowance.

        Raises ERC20InsufficientAllowance, ERC20InsufficientBalance, ERC20InvalidReceiver.
        """
        allowance = self.allowance(ctx, sender, ctx.sender)
        if allowance < value:
            raise ERC20InsufficientAllowance(ctx.sender, allowance, value)
        self.state.allowances.set((sender, ctx.sender), rules.allowance_left(allowance, value))
        self._move(sender, recipient, value)
        return True

    @method(gas=40_000, governed=True)
    def grant(self, ctx: Context, recipient: Address, value: Wei) -> None:
        """Pay from the treasury. Raises ERC20InsufficientBalance, ERC20InvalidReceiver."""
        self._move(TREASURY, recipient, value)

    @view()
    def name_(self, ctx: Context) -> str:
        """ERC-20 metadata: `name()` on the wire; the underscore keeps it apart from the contract's own name."""
        return "Flux"

    @view()
    def symbol(self, ctx: Context) -> str:
        """ERC-20 metadata."""
        return "FLUX"

    @view()
    def decimals(self, ctx: Context) -> U8:
        """ERC-20 metadata."""
        return U8(18)

    @view()
    def total_supply(self, ctx: Context) -> Wei:
        """Minted − burned."""
        return Wei(U256(self.state.minted.get() - self.state.burned.get()))

    @view()
    def balance_of(self, ctx: Context, account: Address) -> Wei:
        """What the account holds."""
        return self.host.balance_of(account)

    @view()
    def allowance(self, ctx: Context, owner: Address, spender: Address) -> Wei:
        """What `spender` may still move of the owner's FLUX."""
        return self.state.allowances.find((owner, spender)) or NO_WEI

    @view()
    def supply(self, ctx: Context) -> Supply:
        """Counters since genesis."""
        return Supply(self.state.minted.get(), self.state.burned.get())

    def mint(self, ctx: Context, target: Address, amount: Wei) -> None:
        """Create FLUX; for genesis and the contracts that pay rewards. Raises SupplyCapExceeded."""
        minted, burned = self.state.minted.get(), self.state.burned.get()
        if rules.exceeds_cap(minted, burned, amount, self.params.cap):
            raise SupplyCapExceeded(self.params.cap, amount)
        self.state.minted.set(Wei(U256(minted + amount)))
        self.host.mint(target, amount)

    def count_burned(self, ctx: Context, amount: Wei) -> None:
        """Count FLUX that was destroyed elsewhere: base fees by the chain, slashed stake by its contract."""
        self.state.burned.set(Wei(U256(self.state.burned.get() + amount)))

    def _move(self, sender: Address, recipient: Address, value: Wei) -> None:
        if not rules.can_receive(recipient):
            raise ERC20InvalidReceiver(recipient)
        balance = self.host.balance_of(sender)
        if balance < value:
            raise ERC20InsufficientBalance(sender, balance, value)
        self.host.move(sender, recipient, value)
        self.host.emit(Transfer(sender, recipient, value))
