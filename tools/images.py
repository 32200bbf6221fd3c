"""Build the images of `tools.recipes` into `.flux/images`, and push them into a registry.

`python -m tools.images` builds those that are missing or whose recipe has changed. Building and pushing need no Docker
Engine: an image is a few layers (`tools.layers`), a configuration and a manifest.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from tools.errors import run_tool
from tools.layers import Layer, compile_python, compress, download_packages, merged_links
from tools.paths import ROOT, STATE
from tools.recipes import BUSYBOX_COMMANDS, BUSYBOX_PACKAGE, RECIPES, USERS, Recipe
from tools.registry_client import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE, RegistryClient, digest_of

CACHE = STATE / "images"
_BUILDERS = ("images.py", "layers.py", "recipes.py")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"


@dataclass(frozen=True, slots=True)
class _PackedLayer:
    diff_id: str
    """Digest of the uncompressed tar."""
    digest: str
    """Digest of the compressed one, under which it is stored."""
    size: int


def push_images(host: str, recipes: Iterable[Recipe] = RECIPES) -> dict[str, str]:
    """Push images into the registry at `host`, building what is missing; returns name → digest of the manifest."""
    build_images(recipes)
    client = RegistryClient(host)
    try:
        return {recipe.name: _push(client, recipe) for recipe in recipes}
    finally:
        client.close()


def build_images(recipes: Iterable[Recipe] = RECIPES) -> None:
    """Build the images that the cache lacks."""
    missing = [recipe for recipe in recipes if not _manifest_file(recipe).exists()]
    if not missing:
        return
    print(f"Building container images from Debian packages: {', '.join(recipe.name for recipe in missing)}", flush=True)
    (CACHE / "blobs").mkdir(parents=True, exist_ok=True)
    base = _pack(_base_layer())
    packed: dict[tuple[str, ...], _PackedLayer] = {}
    for recipe in missing:
        layers = [base]
        if recipe.packages:
            if recipe.packages not in packed:
                packed[recipe.packages] = _pack(_package_layer(recipe.packages))
            layers.append(packed[recipe.packages])
        if recipe.files or recipe.directories:
            layers.append(_pack(_file_layer(recipe)))
        _write_manifest(recipe, layers)


def _push(client: RegistryClient, recipe: Recipe) -> str:
    manifest = _manifest_file(recipe).read_bytes()
    content = json.loads(manifest)
    digests = [layer["digest"] for layer in content["layers"]] + [content["config"]["digest"]]
    blobs = (_blob_file(digest).read_bytes() for digest in digests)
    return client.push(recipe.repository, recipe.tag, manifest, blobs)


def _manifest_file(recipe: Recipe) -> Path:
    """Named by all that goes into the image, so that an image whose recipe has changed is a missing one."""
    digest = sha256(json.dumps(asdict(recipe), sort_keys=True).encode())
    for path in [ROOT / "tools" / name for name in _BUILDERS] + [ROOT / name for name in recipe.files.values()]:
        digest.update(path.read_bytes())
    return CACHE / f"{recipe.repository.replace('/', '-')}-{digest.hexdigest()[:16]}.json"


def _blob_file(digest: str) -> Path:
    return CACHE / "blobs" / digest.removeprefix("sha256:")


def _store(data: bytes) -> str:
    digest = digest_of(data)
    _write(_blob_file(digest), data)
    return digest


def _write(path: Path, data: bytes) -> None:
    """All or nothing: an interrupted build must not leave half a file that looks like a whole one."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(data)
    unfinished.rename(path)


def _pack(layer: Layer) -> _PackedLayer:
    archive = layer.archive()
    compressed = compress(archive)
    return _PackedLayer(digest_of(archive), _store(compressed), len(compressed))


def _base_layer() -> Layer:
    """What every image has: busybox as shell and tools, users, the directories that programs expect."""
    layer = Layer()
    layer.add_packages(_download((BUSYBOX_PACKAGE,)))
    for directory in ("etc", "root", "run", "usr", "usr/bin", "usr/lib", "usr/sbin", "var"):
        layer.add_directory(directory)
    layer.add_directory("tmp", mode=0o1777)
    for path, target in merged_links().items():
        layer.add_directory(target)
        layer.add_link(path, target)
    for command in BUSYBOX_COMMANDS:
        layer.add_link(f"usr/bin/{command}", "busybox")
    users = "".join(f"{name}:x:{number}:{number}::/:/bin/sh\n" for name, number in USERS.items())
    layer.add("etc/passwd", users.encode())
    layer.add("etc/group", "".join(f"{name}:x:{number}:\n" for name, number in USERS.items()).encode())
    layer.add("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    return layer


def _package_layer(packages: tuple[str, ...]) -> Layer:
    layer = Layer()
    layer.add_packages(_download(packages))
    compile_python(layer)
    return layer


def _file_layer(recipe: Recipe) -> Layer:
    layer = Layer()
    for path, owner in recipe.directories.items():
        layer.add_directory(path, owner=owner)
    for path, source in recipe.files.items():
        layer.add(path, (ROOT / source).read_bytes(), mode=0o755 if path.endswith(".sh") else 0o644)
    return layer


def _download(packages: tuple[str, ...]) -> list[Path]:
    return download_packages(packages, CACHE / "packages")


def _write_manifest(recipe: Recipe, layers: list[_PackedLayer]) -> None:
    configuration = json.dumps(_configuration(recipe, layers), sort_keys=True).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "size": len(configuration), "digest": _store(configuration)},
        "layers": [{"mediaType": LAYER_TYPE, "size": layer.size, "digest": layer.digest} for layer in layers],
    }
    _write(_manifest_file(recipe), json.dumps(manifest, indent=2).encode())


def _configuration(recipe: Recipe, layers: list[_PackedLayer]) -> dict[str, object]:
    environment = {"PATH": _PATH, **recipe.environment}
    run: dict[str, object] = {
        "User": "" if recipe.user == "root" else recipe.user,
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Entrypoint": list(recipe.entrypoint) or None,
        "Cmd": list(recipe.command),
        "WorkingDir": recipe.working_directory,
    }
    if recipe.port is not None:
        run["ExposedPorts"] = {f"{recipe.port}/tcp": {}}
    if recipe.volume is not None:
        run["Volumes"] = {recipe.volume: {}}
    return {
        "architecture": _architecture(),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": recipe.name} for _ in layers],
    }


def _architecture() -> str:
    """Debian and Docker mostly use the same words for processors."""
    command = ["dpkg", "--print-architecture"]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return {"i386": "386", "armhf": "arm"}.get(name, name)


def main() -> int:
    """Build what is missing and drop the downloads."""
    build_images()
    shutil.rmtree(CACHE / "packages", ignore_errors=True)
    return 0


if __name__ == "__main__":
    run_tool(main)
