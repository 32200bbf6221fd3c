"""What can go wrong with a container engine, in words that an operator can act on.

Each error says whether trying again can help (`retry`) and how long to wait first (`delay`, seconds), so that loops
stay simple. Messages never hold environment values or arguments: they travel to logs and, as a failed lease's detail,
to the chain.
"""


class RuntimeFailure(Exception):
    """Base of every error of the runtime port. `str(error)` is one sentence; `hint` says what to do next."""

    retry: bool = False
    delay: float = 0.0

    def __init__(self, message: str, hint: str = "", *, retry: bool | None = None, delay: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if retry is not None:
            self.retry = retry
        if delay is not None:
            self.delay = delay


class RuntimeUnavailable(RuntimeFailure):
    """The engine does not answer. What it runs may still be running: never take this for an empty engine."""

    retry = True
    delay = 1.0


class RequestRefused(RuntimeFailure):
    """The engine, or the check before it, refuses what was asked; the same request will be refused again."""


class ImageNotFound(RuntimeFailure):
    """The registry has no such image, or the engine does not hold it."""


class ImagePullFailed(RuntimeFailure):
    """The image could not be fetched. `retry` is False where the registry refuses the login."""

    retry = True
    delay = 5.0


class NameConflict(RuntimeFailure):
    """A container, network or volume of that name exists and is not the one that was meant; remove it first."""


class PortTaken(RuntimeFailure):
    """Another program or container has the host port."""

    def __init__(self, message: str, hint: str = "", *, port: int = 0) -> None:
        super().__init__(message, hint)
        self.port = port
        """0 when the engine does not say which."""


class OutOfDisk(RuntimeFailure):
    """The engine's disk is full."""

    retry = True
    delay = 30.0


class OutOfNetworks(RuntimeFailure):
    """The engine has no address range left for another network."""

    retry = True
    delay = 30.0


class ContainerNotFound(RuntimeFailure):
    """There is no such container (any more)."""


class ContainerNotRunning(RuntimeFailure):
    """The operation needs a running container."""


class ContainerRunning(RuntimeFailure):
    """The container must be stopped first, or removed with force."""


class InUse(RuntimeFailure):
    """Containers are attached to the network, or use the volume."""

    retry = True
    delay = 1.0


class VolumesNotReadable(RuntimeFailure):
    """The contents of volumes can't be had, or not be replaced, on this machine."""


class BadArchive(RuntimeFailure):
    """A tar that volumes don't take: broken, too large, or with something in it that they can't hold."""


class StartFailed(RuntimeFailure):
    """The engine could not start the container's program: no such file, wrong architecture, bad user."""


class EngineFailed(RuntimeFailure):
    """The engine failed and does not say why in words that we know."""

    retry = True
    delay = 2.0
