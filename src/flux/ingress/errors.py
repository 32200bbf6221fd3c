"""What can go wrong with an ingress, each with what to do next."""


class IngressError(Exception):
    """Base. `str(error)` is one sentence; `hint` says what to do; `retry` whether trying again can help."""

    retry = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class CaddyMissing(IngressError):
    """The program is not installed."""


class PortUnavailable(IngressError):
    """A port to listen on is taken, or not for this user."""

    def __init__(self, message: str, hint: str, port: int) -> None:
        super().__init__(message, hint)
        self.port = port


class AlreadyRunning(IngressError):
    """Another process runs an ingress in the same home."""


class CaddyFailed(IngressError):
    """Caddy did not start, or does not answer."""

    retry = True


class ConfigRefused(IngressError):
    """Caddy refuses a configuration; it keeps serving the one before."""


class RoutesUnavailable(IngressError):
    """Whoever knows the routes does not answer. What was known stays in force."""

    retry = True
