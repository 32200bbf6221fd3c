"""Why a transaction is refused: one class per reason, with the JSON-RPC code and the words that Ethereum clients match.

The words are go-ethereum's (core/error.go, core/txpool/errors.go), because wallets and libraries recognise them; facts
and, where it helps, what to do follow after a colon.
"""

from typing import ClassVar

SERVER_ERROR = -32000
EXECUTION_REVERTED = 3


class TransactionError(Exception):
    """A transaction that is not accepted. `str()` is the message for the client."""

    words: ClassVar[str] = "invalid transaction"
    code: ClassVar[int] = SERVER_ERROR

    def __init__(self, facts: str = "", *, data: bytes | None = None) -> None:
        super().__init__(f"{self.words}: {facts}" if facts else self.words)
        self.data = data
        """Revert data, when a contract refused."""


class Undecodable(TransactionError):
    """Not the canonical encoding of a transaction."""

    words = "rlp"


class OversizedData(TransactionError):
    words = "oversized data"


class UnsupportedType(TransactionError):
    words = "transaction type not supported"


class UnprotectedTransaction(TransactionError):
    """A legacy transaction without a chain id, which could be replayed on another chain."""

    words = "only replay-protected (EIP-155) transactions allowed over RPC"


class ContractCreation(TransactionError):
    """A transaction without a recipient."""

    words = "contract creation is not supported"


class InvalidSender(TransactionError):
    """The signature is out of range, made for another chain, or made by nobody."""

    words = "invalid sender"


class WrongChain(InvalidSender):
    words = "invalid sender: invalid chain id for signer"


class TipAboveFeeCap(TransactionError):
    words = "max priority fee per gas higher than max fee per gas"


class FeeCapTooLow(TransactionError):
    words = "max fee per gas less than block base fee"


class IntrinsicGasTooLow(TransactionError):
    words = "intrinsic gas too low"


class GasLimitExceeded(TransactionError):
    words = "exceeds block gas limit"


class GasUintOverflow(TransactionError):
    """Gas times price does not fit 256 bits."""

    words = "gas uint64 overflow"


class NonceTooLow(TransactionError):
    words = "nonce too low"


class NonceTooHigh(TransactionError):
    """Only in a block: the pool keeps such a transaction until the gap is filled."""

    words = "nonce too high"


class NonceMax(TransactionError):
    words = "nonce has max value"


class InsufficientFunds(TransactionError):
    words = "insufficient funds for gas * price + value"


class AlreadyKnown(TransactionError):
    words = "already known"


class ReplacementUnderpriced(TransactionError):
    words = "replacement transaction underpriced"


class Underpriced(TransactionError):
    words = "transaction underpriced"


class PoolFull(TransactionError):
    words = "txpool is full"


class AccountLimitExceeded(TransactionError):
    """One account has as many transactions waiting as it may."""

    words = "account limit exceeded"


class LaneRefused(TransactionError):
    """A report on the protocol lane that would fail, and is therefore not admitted."""

    words = "execution reverted"
    code = EXECUTION_REVERTED
