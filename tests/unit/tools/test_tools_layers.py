"""Layers are reproducible and hold what packages have, less what no container needs."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tools.layers import Layer, compile_python, compress, merged_path


def names(layer: Layer) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(layer.archive())) as archive:
        return archive.getnames()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    root = tmp_path / "greeter"
    for directory in ("DEBIAN", "bin", "usr/share/doc/greeter"):
        (root / directory).mkdir(parents=True)
    control = (
        "Package: greeter\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@localhost>\nDescription: greets\n"
    )
    (root / "DEBIAN/control").write_text(control)
    (root / "usr/share/doc/greeter/README").write_text("Read me.")
    (root / "bin/greet").write_text("#!/bin/sh\necho hello\n")
    (root / "bin/greet").chmod(0o755)
    (root / "bin/a-second-name").hardlink_to(root / "bin/greet")
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(root)], check=True, capture_output=True)
    return tmp_path / "greeter.deb"


def test_the_order_in_which_files_are_added_does_not_change_the_bytes() -> None:
    first, second = Layer(), Layer()
    first.add("a", b"1")
    first.add("b", b"2")
    second.add("b", b"2")
    second.add("a", b"1")
    assert compress(first.archive()) == compress(second.archive())


def test_a_package_gives_its_programs_under_usr_and_not_its_documentation(package: Path) -> None:
    layer = Layer()
    layer.add_packages([package])
    assert "usr/bin/greet" in names(layer)
    assert [name for name in names(layer) if "doc" in name] == []


def test_a_hard_link_of_a_package_becomes_a_file_with_the_same_content(package: Path) -> None:
    layer = Layer()
    layer.add_packages([package])
    with tarfile.open(fileobj=io.BytesIO(layer.archive())) as archive:
        contents = {name: archive.extractfile(f"usr/bin/{name}") for name in ("greet", "a-second-name")}
        assert {file.read() for file in contents.values() if file is not None} == {b"#!/bin/sh\necho hello\n"}
        assert archive.getmember("usr/bin/a-second-name").mode == 0o755


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("./bin/sh", "usr/bin/sh"),
        ("./lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libc.so.6"),
        ("./usr/bin/env", "usr/bin/env"),
        ("./etc/passwd", "etc/passwd"),
        ("./bin/", "bin"),
        ("./", ""),
    ],
)
def test_paths_of_packages_are_those_of_a_merged_system(name: str, expected: str) -> None:
    assert merged_path(name) == expected


def test_byte_code_is_added_beside_each_module_of_the_standard_library() -> None:
    layer = Layer()
    directory = f"usr/lib/python{sys.version_info.major}.{sys.version_info.minor}"
    layer.add(f"{directory}/this_module.py", b"ANSWER = 42\n")
    compile_python(layer)
    assert f"{directory}/__pycache__/this_module.{sys.implementation.cache_tag}.pyc" in names(layer)


def test_a_module_that_cannot_be_compiled_is_left_as_it_is() -> None:
    layer = Layer()
    path = f"usr/lib/python{sys.version_info.major}.{sys.version_info.minor}/broken.py"
    layer.add(path, b"def (:\n")
    compile_python(layer)
    assert names(layer) == [path]
