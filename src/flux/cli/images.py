"""Pinning a spec's images to digests, with the logins that `docker login` stored."""

from pathlib import Path

from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.specs.docker_login import Login, logins_of_docker_config
from flux.specs.images import resolve
from flux.specs.loaded import LoadedSpec
from flux.specs.registry import RegistryClient


async def pin_images(context: CommandContext, loaded: LoadedSpec) -> LoadedSpec:
    """The spec with every image by digest. Raises ImagesRefused."""
    return await resolve(loaded, RegistryClient(_logins(context)))


def _logins(context: CommandContext) -> dict[str, Login]:
    folder = context.environment.get("DOCKER_CONFIG")
    path = Path(folder) / "config.json" if folder else Path.home() / ".docker" / "config.json"
    try:
        return logins_of_docker_config(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror}", "registry logins are kept there") from error
