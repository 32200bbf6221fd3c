"""Turns the tags of a spec into digests before anything is sent, so that all instances run the same bytes."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import msgspec

from flux.contracts.apps.types import AppSpec, RegistryCredential
from flux.specs.findings import Finding, Severity
from flux.specs.image_reference import ImageReference, parse_image_reference
from flux.specs.loaded import LoadedSpec, SpecError, with_private
from flux.specs.placement import ARCHITECTURES
from flux.specs.registry import RegistryError, RegistryUnreachable, ResolvedImage


class ImageResolver(Protocol):
    """Knows what an image's name stands for; `registry.RegistryClient` asks the registries."""

    async def resolve(self, reference: ImageReference) -> ResolvedImage:
        """Raises RegistryError."""
        ...


class ImagesRefused(SpecError):
    """Some image can't be used; `errors` has what went wrong with each."""

    def __init__(self, errors: tuple[SpecError, ...]) -> None:
        self.errors = errors
        super().__init__("; ".join(str(error) for error in errors))

    @property
    def is_unreachable(self) -> bool:
        """Whether nothing is wrong but that registries did not answer."""
        return all(isinstance(error, RegistryUnreachable) for error in self.errors)


async def resolve(loaded: LoadedSpec, resolver: ImageResolver) -> LoadedSpec:
    """The spec with every image by digest, the architectures that all images support, and the logins they need.

    Raises ImagesRefused with everything that is wrong. A node that stands by has no lease, so no logins: what it is to
    hold must be public.
    """
    names = sorted({component.image for component in loaded.app_spec.components})
    results = await asyncio.gather(*(_attempt(name, resolver) for name in names))
    errors = tuple(result for result in results if isinstance(result, RegistryError))
    if errors:
        raise ImagesRefused(errors)
    images = {
        name: result for name, result in zip(names, results, strict=True) if not isinstance(result, RegistryError)
    }
    app_spec = _pinned(loaded.app_spec, images, loaded.options.architectures)
    credentials = tuple(
        RegistryCredential(host, login.username, login.password)
        for host, login in sorted(
            {image.reference.host: image.login for image in images.values() if image.login is not None}.items()
        )
    )
    if app_spec.standby and credentials:
        raise ImagesRefused(tuple(_private_standby(credential.host) for credential in credentials))
    private = msgspec.structs.replace(loaded.private, registries=credentials or loaded.private.registries)
    findings = (*loaded.findings, *(_login_finding(loaded, credential.host) for credential in credentials))
    return with_private(replace(loaded, app_spec=app_spec, findings=findings), private)


def _private_standby(host: str) -> SpecError:
    return SpecError(
        f"x-flux.standby needs images that anybody may pull, and {host} asks for a login: nodes that stand by run "
        "nothing and get no secrets; leave standby out, or make the images public"
    )


def _login_finding(loaded: LoadedSpec, host: str) -> Finding:
    """Whoever runs the app can read its logins, however they travelled."""
    file = loaded.findings[0].file if loaded.findings else ""
    message = f"the login of {host} goes, encrypted, to the nodes that run the app: use one that may only read"
    return Finding(Severity.WARNED, file, 0, 0, "", message)


async def _attempt(name: str, resolver: ImageResolver) -> ResolvedImage | RegistryError:
    try:
        return await resolver.resolve(parse_image_reference(name))
    except RegistryError as error:
        return error


def _pinned(spec: AppSpec, images: Mapping[str, ResolvedImage], wished: tuple[str, ...]) -> AppSpec:
    components = tuple(
        msgspec.structs.replace(component, image=str(images[component.image].reference))
        for component in spec.components
    )
    common = frozenset(wished or ARCHITECTURES).intersection(*(image.architectures for image in images.values()))
    if not common:
        wish = f"the file asks for {', '.join(wished)}; " if wished else ""
        offers = "; ".join(
            f"{name} is for {', '.join(sorted(image.architectures)) or 'none'}" for name, image in images.items()
        )
        raise ImagesRefused(
            (
                SpecError(
                    f"no node can run these images together: {wish}{offers}; nodes are {' or '.join(ARCHITECTURES)}"
                ),
            )
        )
    constraints = msgspec.structs.replace(spec.constraints, architectures=tuple(sorted(common)))
    return msgspec.structs.replace(spec, components=components, constraints=constraints)
