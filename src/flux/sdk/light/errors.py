"""Why something that an endpoint answered is not believed: each says what was checked and how it failed."""

from flux.sdk.errors import ClientError


class VerificationError(ClientError):
    """Base: an answer could not be verified. Callers that know the URL raise `Lied` with it."""


class Malformed(VerificationError):
    """The answer is not of the shape that it must have."""


class WrongChain(VerificationError):
    """A header or signature of another chain."""


class BadHeader(VerificationError):
    """A header contradicts itself, its commit, its validators or the trusted header."""


class BadSignature(VerificationError):
    """A validator's signature is not over this block."""


class NotEnoughPower(VerificationError):
    """Too little of the validators' power signed the block."""

    def __init__(self, signed: int, needed: int, total: int) -> None:
        super().__init__(f"validators with {signed} of {total} power signed the block; more than {needed} are needed")
        self.signed = signed


class NotEnoughTrust(VerificationError):
    """Too few of the validators that are trusted signed the block; a block in between may bridge that."""


class Expired(VerificationError):
    """What is trusted is too old: its validators may have taken their stake back and can sign anything unpunished."""


class FromTheFuture(VerificationError):
    """The header's time is ahead of this machine's clock."""


class Stale(VerificationError):
    """The newest block that the endpoint shows is old: the chain stands still, or newer blocks are kept back."""


class BadProof(VerificationError):
    """A Merkle proof does not show what was answered under the verified root."""


class NotVerifiable(ClientError):
    """The question has no proof: it was not asked of the endpoint."""


class NothingTrusted(ClientError):
    """No block of the chain is trusted yet, and there is none to begin with."""


class Lied(ClientError):
    """An endpoint's answer was checked and is wrong."""

    def __init__(self, url: str, question: str, reason: VerificationError) -> None:
        super().__init__(f"{url} cannot be believed: its answer to {question} failed a check: {reason}")
        self.url = url
        self.question = question
        self.reason = reason
