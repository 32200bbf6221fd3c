"""Docker's words as errors that say what to do and keep secrets."""

import pytest

from flux.runtime import errors
from flux.runtime.docker.failures import failure, pull_failure, scrub, start_failure

IMAGE = "registry.example/app@sha256:00"
SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "No such container: abc", errors.ContainerNotFound),
        (404, "No such image: x@sha256:1", errors.ImageNotFound),
        (400, "invalid something", errors.RequestRefused),
        (500, "something new", errors.EngineFailed),
        (500, "mkdir /var/lib/docker/overlay2/x: no space left on device", errors.OutOfDisk),
        (403, "error while removing network: network x id y has active endpoints", errors.InUse),
        (409, "remove x: volume is in use - [abc]", errors.InUse),
        (409, "Container abc is not running", errors.ContainerNotRunning),
        (409, "You cannot remove a running container abc. Stop the container before", errors.ContainerRunning),
        (409, 'Conflict. The container name "/x" is already in use by container "y"', errors.NameConflict),
        (409, "network with name x already exists", errors.NameConflict),
        (500, "could not find an available, non-overlapping IPv4 address pool among", errors.OutOfNetworks),
        (500, "all predefined address pools have been fully subnetted", errors.OutOfNetworks),
        (900, "Cannot connect to Docker Engine", errors.RuntimeUnavailable),
    ],
)
def test_each_answer_of_docker_has_its_error(status: int, message: str, kind: type[errors.RuntimeFailure]) -> None:
    assert type(failure(status, message)) is kind


@pytest.mark.parametrize(
    ("message", "port"),
    [
        ("driver failed programming: Bind for 0.0.0.0:18080 failed: port is already allocated", 18080),
        ("Error starting userland proxy: listen tcp4 0.0.0.0:8080: bind: address already in use", 8080),
        ("listen udp6 [::]:53: bind: address already in use", 53),
        ("address already in use", 0),
    ],
)
def test_a_taken_port_is_named(message: str, port: int) -> None:
    found = failure(500, message)
    assert isinstance(found, errors.PortTaken)
    assert found.port == port


@pytest.mark.parametrize(
    ("message", "kind", "retry"),
    [
        ("manifest unknown: manifest unknown", errors.ImageNotFound, False),
        ("repository name not known: name unknown", errors.ImageNotFound, False),
        ("unauthorized: authentication required", errors.ImagePullFailed, False),
        ("pull access denied for x, repository does not exist or may require", errors.ImageNotFound, False),
        ("denied: requested access to the resource is denied", errors.ImagePullFailed, False),
        ("toomanyrequests: You have reached your pull rate limit", errors.ImagePullFailed, True),
        ("no matching manifest for linux/arm64 in the manifest list entries", errors.ImagePullFailed, False),
        ("dial tcp 127.0.0.1:5000: connect: connection refused", errors.ImagePullFailed, True),
        ("write /var/lib/docker/tmp/x: no space left on device", errors.OutOfDisk, True),
    ],
)
def test_a_failed_pull_says_whether_to_try_again(message: str, kind: type[errors.RuntimeFailure], retry: bool) -> None:
    found = pull_failure(IMAGE, 500, message)
    assert type(found) is kind
    assert found.retry is retry
    assert "\n" not in found.message


@pytest.mark.parametrize(
    "message",
    [
        f'OCI runtime create failed: exec: "{SECRET}": executable file not found in $PATH: unknown',
        f"OCI runtime create failed: something new about {SECRET} and more of {SECRET}",
        f'oci runtime error: "{SECRET}": permission denied',
    ],
)
def test_no_failed_start_repeats_the_private_half(message: str) -> None:
    found = start_failure(400, message, [SECRET])
    assert isinstance(found, errors.StartFailed)
    assert SECRET not in found.message


def test_a_start_that_failed_for_another_reason_keeps_it() -> None:
    assert isinstance(start_failure(500, "port is already allocated", []), errors.PortTaken)
    assert isinstance(start_failure(900, "Cannot connect", []), errors.RuntimeUnavailable)
    assert isinstance(start_failure(404, "network flux-1-2 not found", []), errors.StartFailed)


def test_longer_private_texts_go_first_and_the_rest_is_cut_to_one_line() -> None:
    assert scrub("a secret-and-more b", ["secret", "secret-and-more", "b"]) == "a … b"
    assert scrub("one\ntwo\tthree", []) == "one two three"
    assert len(scrub("x" * 10_000, [])) == 300


def test_someone_who_may_not_use_docker_is_told_how_to() -> None:
    assert "usermod" in failure(900, "Cannot connect [Permission denied]").hint
    assert "systemctl" in failure(900, "Cannot connect [No such file]").hint
