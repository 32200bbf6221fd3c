"""Images that are held: removing one. Fetching is in pull.py."""

import json

import aiodocker

from flux.runtime.checks import check_image
from flux.runtime.docker.connection import UNREACHABLE, Connection
from flux.runtime.docker.failures import failure, unavailable
from flux.runtime.errors import InUse, RuntimeFailure
from flux.runtime.types import ImageReference

_NOT_FOUND = 404
_CONFLICT = 409


async def remove_image(connection: Connection, image: ImageReference) -> None:
    """As in the port. Docker keeps layers that other images share."""
    check_image(image)
    docker = await connection.docker()
    # Of an image with several names Docker would take one away, whoever runs it.
    filters = json.dumps({"ancestor": [image]})
    if await connection.ask(docker.containers.list(all=True, filters=filters)):
        raise _in_use(image)
    found: RuntimeFailure
    try:
        await docker.images.delete(image)
        return
    except aiodocker.DockerError as error:
        if error.status == _NOT_FOUND:
            return
        found = _in_use(image) if error.status == _CONFLICT else failure(error.status, error.message)
    except UNREACHABLE as error:
        found = unavailable(str(error))
    raise found


def _in_use(image: ImageReference) -> InUse:
    return InUse(f"Containers are made of {image}.", "Remove them first.")
