"""Secrets of a Compose file become files in the private half, and nothing of them is public."""

from pathlib import Path, PurePosixPath

import pytest

from flux.contracts.apps.types import Secret, encode_spec
from flux.specs.load import load
from flux.specs.loaded import LoadedSpec, SpecRefused

FILE = """\
services:
  web:
    image: nginx:1
    secrets:
      - password
      - {source: key, target: /etc/app/key, mode: 0400}
      - {source: key, target: sub/key, mode: "0440", uid: "1000"}
  worker:
    image: nginx:1
    secrets: [password]
secrets:
  password: {file: ./password.txt}
  key: {environment: THE_KEY}
  unused: {file: ./not-there}
"""


def read(text: str = FILE, **variables: str) -> LoadedSpec:
    def read_file(path: PurePosixPath) -> bytes:
        if path.name == "password.txt":
            return b"p4ss\x00\n"
        raise FileNotFoundError(2, "No such file or directory")

    return load(text, {"THE_KEY": "k3y", **variables}, read_file=read_file)


def test_each_service_gets_its_secrets_at_its_paths() -> None:
    loaded = read()
    assert loaded.private.secrets == (
        Secret("key", b"k3y", ("web",), path="/etc/app/key", mode=0o400),
        Secret("key", b"k3y", ("web",), path="/run/secrets/sub/key", mode=0o440),
        Secret("password", b"p4ss\x00\n", ("web",)),
        Secret("password", b"p4ss\x00\n", ("worker",)),
    )
    assert loaded.app_spec.private
    assert b"p4ss" not in encode_spec(loaded.app_spec)
    assert "p4ss" not in repr(loaded) + str(loaded.findings)
    assert [finding.message for finding in loaded.findings if finding.key.endswith("uid")]


def test_an_external_secret_is_left_to_the_command_line(tmp_path: Path) -> None:
    loaded = read(FILE.replace("{file: ./password.txt}", "{external: true}"))
    assert {secret.name for secret in loaded.private.secrets} == {"key"}
    assert any("flux app secret set APP password" in finding.message for finding in loaded.findings)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("{file: ./password.txt}", "{file: ./gone.txt}", "can't be read"),
        ("{file: ./password.txt}", "{}", "its value is missing"),
        ("{environment: THE_KEY}", "{environment: NOT_SET}", "is not set"),
        ("target: sub/key", "target: /etc/app/key", "mounted at /etc/app/key already"),
        ("[password]", "[passwort]", "did you mean password"),
        ("password: {", "pass/word: {", "rename it"),
        ("[password]", "[{source: password, target: ../../etc/shadow/}]", "path of a file"),
    ],
)
def test_what_cannot_be_given_is_refused(before: str, after: str, words: str) -> None:
    text = FILE.replace(before, after)
    if "pass/word" in after:
        text = text.replace("- password\n", "- pass/word\n").replace("[password]", "[pass/word]")
    with pytest.raises(SpecRefused) as caught:
        read(text)
    assert any(words in finding.message for finding in caught.value.findings), caught.value.findings
    assert "p4ss" not in str(caught.value)


def test_a_secret_that_is_too_large_is_refused() -> None:
    with pytest.raises(SpecRefused, match="32 KiB"):
        read(THE_KEY="x" * 40_000)
