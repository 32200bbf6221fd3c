"""What makes going on with CometBFT impossible, each with what to do next."""


class CometError(Exception):
    """Base."""


class CometMissing(CometError):
    """The `cometbft` program is not installed."""


class BadHome(CometError):
    """The folder of a node lacks something that must not be made anew, or holds what cannot be used."""


class ConsensusFailure(CometError):
    """CometBFT stopped agreeing: what it was told contradicts what it knew."""


class AbciRefused(CometError):
    """CometBFT asked for something that this chain cannot do; it is told, and stops."""
