"""The private half of a deployed app as its owner has it: opened with the seed that this machine keeps, and replaced.

A new version gets a new seed each time: whoever ran an older version, or keeps shares of it, cannot open the new one.
"""

import msgspec

from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.cli.seeds import find_seed, open_seeds
from flux.contracts.apps.types import App, AppSpec, AppUpdated, PrivateSpec, Revision, Secret, decode_spec, encode_spec
from flux.primitives.types import U32
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.client import FluxClient, Receipt
from flux.sdk.signer import Signer


class SeedMissing(CliError):
    """This machine has not got the seed of an app's current revision."""

    def __init__(self, app: App, folder: str) -> None:
        super().__init__(
            f"the seed of {app.name}, revision {app.revision}, is not on this machine: its secrets cannot be read here",
            f"go to where it was last changed, or copy {folder} from there; `flux app update {app.name} FILE` starts"
            " anew, with the file's secrets only",
        )


async def read_private(context: CommandContext, client: FluxClient, app: App) -> tuple[AppSpec, PrivateSpec]:
    """Both halves of what an app runs now. Raises SeedMissing."""
    from flux.specs.private_half import decrypt

    spec = decode_spec(await Apps(client).spec(app.id, app.revision))
    if not spec.private:
        return spec, PrivateSpec()
    seeds = await open_seeds(context, client)
    ciphertext = await Secrets(client).ciphertext(app.id, app.revision)
    seed = seeds.find(app.name, ciphertext)
    if seed is None:
        raise SeedMissing(app, str(seeds.folder))
    return spec, decrypt(ciphertext, seed)


async def find_private(context: CommandContext, client: FluxClient, app: App, revision: Revision) -> PrivateSpec | None:
    """The private half of any kept revision; None where there is none, or its seed is not on this machine."""
    from flux.specs.private_half import decrypt

    seed = await find_seed(context, client, app.id, app.name, revision)
    return None if seed is None else decrypt(await Secrets(client).ciphertext(app.id, revision), seed)


async def with_kept_secrets(context: CommandContext, client: FluxClient, app: App, private: PrivateSpec) -> PrivateSpec:
    """The private half of a file, and the secrets that `flux app secret set` gave the app; the file's go before."""
    try:
        _, current = await read_private(context, client, app)
    except SeedMissing as error:
        context.output.note(f"warning: {error}; secrets that were set with `flux app secret set` are left out")
        return private
    own = {secret.name for secret in private.secrets}
    for name in sorted({secret.name for secret in current.secrets if secret.set_at and secret.name in own}):
        context.output.note(f"warning: {name} comes from the file again; what `flux app secret set` gave is replaced")
    kept = [secret for secret in current.secrets if secret.set_at and secret.name not in own]
    return with_secrets(private, [*private.secrets, *kept])


def with_secrets(private: PrivateSpec, secrets: list[Secret]) -> PrivateSpec:
    """The private half with these secrets."""
    ordered = tuple(sorted(secrets, key=lambda secret: (secret.name, secret.components)))
    return msgspec.structs.replace(private, secrets=ordered)


async def lock(context: CommandContext, client: FluxClient, app: App, private: PrivateSpec) -> bytes:
    """The private half of the next revision, encrypted under a new seed, which is kept before anything is sent."""
    from flux.specs.private_half import encrypt

    if private == PrivateSpec():
        return b""
    ciphertext, seed = encrypt(private)
    (await open_seeds(context, client)).keep(app.name, seed)
    return ciphertext


def next_revision(app: App) -> Revision:
    """The number that the next version of an app gets, unless another command makes one first."""
    return Revision(U32(app.highest + 1))


def made_revision(receipt: Receipt) -> Revision:
    """The number of the version that a transaction made."""
    return receipt.event(AppUpdated).revision


async def replace_private(
    context: CommandContext, client: FluxClient, signer: Signer, app: App, spec: AppSpec, private: PrivateSpec
) -> Receipt:
    """A new revision that differs in its private half alone."""
    ciphertext = await lock(context, client, app, private)
    data = encode_spec(msgspec.structs.replace(spec, private=bool(ciphertext)))
    return await Apps(client).update(signer, app.id, app.instances, data, ciphertext)
