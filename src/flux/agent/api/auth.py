"""Who may ask: the owner of the app whose lease it is, by a fresh signature over this very request. Nobody else.

The operator has no tenant verbs: hosting an app is not owning it. Other nodes may measure this one, or ask for their
share of a seed, when the chain says so, each by its agent's key.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping

from flux.primitives.address import AddressError, parse
from flux.primitives.hexadecimal import HexError, from_hex
from flux.primitives.types import Address, Hash
from flux.sdk.agent_api import (
    ACCOUNT_HEADER,
    MAX_CLOCK_DIFFERENCE,
    NONCE_BYTES,
    NONCE_HEADER,
    SIGNATURE_HEADER,
    TIME_HEADER,
    request_hash,
    signer_of,
)


class NotAuthorised(Exception):
    """The request is not the owner's; `status` is the HTTP status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Authoriser:
    """Checks signatures and remembers those it saw, so that none is accepted twice."""

    def __init__(self, certificate: Hash, clock: Callable[[], float]) -> None:
        self._certificate = certificate
        self._clock = clock
        self._seen: dict[bytes, float] = {}

    async def check(
        self,
        headers: Mapping[str, str],
        method: str,
        target: str,
        owner: Callable[[], Awaitable[Address]],
        refusal: str = "only the app's owner may ask this; sign with the account that deployed it",
    ) -> Address:
        """The caller, who is the owner. Raises NotAuthorised: 401 for a bad signature, 403 for somebody else's."""
        caller, request = self._authenticate(headers, method, target)
        if caller != await owner():
            raise NotAuthorised(403, refusal)
        self._refuse_replay(request + caller)
        return caller

    async def check_among(
        self,
        headers: Mapping[str, str],
        method: str,
        target: str,
        allowed: Callable[[], Awaitable[Collection[Address]]],
    ) -> Address:
        """The caller, who is one of several. Raises NotAuthorised like `check`."""
        caller, request = self._authenticate(headers, method, target)
        if caller not in await allowed():
            raise NotAuthorised(403, "only agents that the chain has measure this node now may ask this")
        self._refuse_replay(request + caller)
        return caller

    def _authenticate(self, headers: Mapping[str, str], method: str, target: str) -> tuple[Address, Hash]:
        try:
            account = parse(headers[ACCOUNT_HEADER])
            unix_time = int(headers[TIME_HEADER])
            nonce = from_hex(headers[NONCE_HEADER], size=NONCE_BYTES)
            signature = from_hex(headers[SIGNATURE_HEADER])
        except KeyError as error:
            raise NotAuthorised(
                401, f"the header {error.args[0]} is missing: requests are signed by the owner"
            ) from error
        except (AddressError, HexError, ValueError) as error:
            raise NotAuthorised(401, f"a signature header cannot be read: {error}") from error
        now = self._clock()
        if not now - MAX_CLOCK_DIFFERENCE <= unix_time <= now + MAX_CLOCK_DIFFERENCE:
            raise NotAuthorised(
                401, f"the request's time differs from the node's by more than {MAX_CLOCK_DIFFERENCE} s"
            )
        request = request_hash(self._certificate, method, target, unix_time, nonce)
        if signer_of(request, signature) != account:
            raise NotAuthorised(401, "the signature does not fit the request and account")
        return account, request

    def _refuse_replay(self, request: bytes) -> None:
        now = self._clock()
        # The oldest come first, so that a busy owner's requests cost no more than an idle one's.
        while self._seen and next(iter(self._seen.values())) < now:
            del self._seen[next(iter(self._seen))]
        if request in self._seen:
            raise NotAuthorised(401, "this request was already answered; sign it anew with another nonce")
        self._seen[request] = now + 2 * MAX_CLOCK_DIFFERENCE
