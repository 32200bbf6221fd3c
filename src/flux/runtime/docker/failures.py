"""Docker's status codes and words, as errors of the port.

Docker repeats arguments in some of its messages (`exec: "…": executable file not found`), and those are private: known
failures get a sentence of our own, and in all others every private text is blanked.
"""

import re
from collections.abc import Iterable

from flux.runtime.errors import (
    ContainerNotFound,
    ContainerNotRunning,
    ContainerRunning,
    EngineFailed,
    ImageNotFound,
    ImagePullFailed,
    InUse,
    NameConflict,
    OutOfDisk,
    OutOfNetworks,
    PortTaken,
    RequestRefused,
    RuntimeFailure,
    RuntimeUnavailable,
    StartFailed,
)

CANNOT_CONNECT = 900
"""aiodocker's status for a connection that could not be made."""

_PORT = re.compile(r"(?:Bind for|listen \w+) \S*?:(\d+)")
_SHORTEST_BLANKED = 3
"""Shorter texts are parts of ordinary words, and tell nothing."""
_LONGEST_MESSAGE = 300


def scrub(message: str, private: Iterable[str]) -> str:
    """The message with every private text blanked, on one line, cut to a length that a log or a receipt can carry."""
    for text in sorted({text for text in private if len(text) >= _SHORTEST_BLANKED}, key=len, reverse=True):
        message = message.replace(text, "…")
    return " ".join(message.split())[:_LONGEST_MESSAGE]


def failure(status: int, message: str, private: Iterable[str] = ()) -> RuntimeFailure:
    """The port's error for an answer of the Engine."""
    known = _by_words(message)
    if known is not None:
        return known
    words = scrub(message, private)
    if status == CANNOT_CONNECT:
        return unavailable(words)
    if status == 404:
        return _not_found(words)
    if status in (400, 406):
        return RequestRefused(f"Docker refused the request: {words}")
    return EngineFailed(f"Docker failed with status {status}: {words}", "See dockerd's log.")


def start_failure(status: int, message: str, private: Iterable[str]) -> RuntimeFailure:
    """The port's error for a container that is there and could not be started."""
    if status == 404 and "network" in message:
        return StartFailed("The container's network is gone.", "Create the network, then the container, again.")
    found = failure(status, message, private)
    if isinstance(found, RequestRefused | EngineFailed):
        return StartFailed(explain_start(message, private))
    return found


def explain_start(message: str, private: Iterable[str]) -> str:
    """One sentence for why Docker could not start a program."""
    for words, sentence in _START_SENTENCES:
        if words in message:
            return sentence
    return f"Docker could not start the container: {scrub(message, private)}"


def unavailable(detail: str) -> RuntimeUnavailable:
    """The Engine can't be reached; says what to do about it."""
    if "Permission denied" in detail:
        hint = "Join the group docker (sudo usermod -aG docker $USER, then log in again), or run as root."
    else:
        hint = "Start Docker (sudo systemctl start docker), or set DOCKER_HOST to where it listens."
    return RuntimeUnavailable("The Docker Engine does not answer.", hint)


def pull_failure(image: str, status: int, message: str) -> RuntimeFailure:
    """The port's error for an image that could not be pulled."""
    lower = message.lower()
    if "no space left" in lower:
        return _out_of_disk()
    if status == CANNOT_CONNECT:
        return unavailable(message)
    if any(words in lower for words in ("manifest unknown", "not found", "name unknown", "repository does not exist")):
        return ImageNotFound(f"The registry has no image {image}.", "Check its name and digest.")
    if any(words in lower for words in ("unauthorized", "denied", "no basic auth", "authentication required")):
        return ImagePullFailed(
            f"The registry refuses to hand out {image}.", "Give the registry's login in the spec.", retry=False
        )
    if "toomanyrequests" in lower or "too many requests" in lower:
        return ImagePullFailed(f"The registry limits how often {image} may be pulled.", delay=60)
    if any(words in lower for words in ("no matching manifest", "does not match the specified platform")):
        return ImagePullFailed(f"{image} is not made for this machine's architecture.", retry=False)
    return ImagePullFailed(f"{image} could not be pulled: {scrub(message, ())}", "Check the network to the registry.")


def _by_words(message: str) -> RuntimeFailure | None:
    """Failures that Docker tells apart by words only."""
    lower = message.lower()
    if "no space left on device" in lower:
        return _out_of_disk()
    if "port is already allocated" in lower or "address already in use" in lower:
        match = _PORT.search(message)
        port = int(match[1]) if match else 0
        return PortTaken(f"Host port {port or ''} is taken.".replace("  ", " "), "Choose another port.", port=port)
    if "non-overlapping ipv4 address pool" in lower or "have been fully subnetted" in lower:
        return OutOfNetworks(
            "Docker has no address range left for another network.",
            "Remove unused networks (docker network prune), or set default-address-pools in /etc/docker/daemon.json.",
        )
    if "has active endpoints" in lower or "volume is in use" in lower:
        return InUse("A container still uses it.")
    if "is not running" in lower:
        return ContainerNotRunning("The container does not run.")
    if "cannot remove a running container" in lower or "container is running" in lower:
        return ContainerRunning("The container runs.", "Stop it first, or remove it with force.")
    if "already in use by container" in lower or "already exists" in lower:
        return NameConflict("The name is in use.", "Remove what has it.")
    return None


def _not_found(words: str) -> RuntimeFailure:
    if "No such image" in words:
        return ImageNotFound("Docker does not hold the image.", "Pull it first.")
    return ContainerNotFound("There is no such container.")


def _out_of_disk() -> OutOfDisk:
    return OutOfDisk("Docker's disk is full.", "Free space where Docker keeps its data (docker system df).")


_START_SENTENCES = (
    ("executable file not found", "The program to start is not in the image."),
    ("no such file or directory", "The program to start, or its interpreter, is not in the image."),
    ("exec format error", "The image is made for another processor architecture."),
    ("permission denied", "The program to start is not executable."),
    ("unable to find user", "The user to run as is not in the image."),
    ("unable to find group", "The group to run as is not in the image."),
    ("no matching entries in passwd file", "The user to run as is not in the image."),
)
