"""What services refuse to start with, each with what to do next."""


class ServiceError(Exception):
    """Base. `str(error)` is one sentence; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class PortTaken(ServiceError):
    """Another program listens on a port that is needed."""


class CloudRunning(ServiceError):
    """A local cloud of this home runs already."""


class CloudFailed(ServiceError):
    """A process of a local cloud ended or did not become ready."""
