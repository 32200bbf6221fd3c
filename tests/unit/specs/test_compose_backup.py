"""`x-flux.backup`: commands around a backup, which are private."""

from collections.abc import Callable
from typing import Any

import pytest

from flux.contracts.apps.types import encode_spec

FILE = """
services:
  web:
    image: nginx
  database:
    image: postgres
    volumes: ["data:/var/lib/data"]
volumes:
  data:
x-flux:
  backup:
    BACKUP
"""


def file(backup: str) -> str:
    return FILE.replace("BACKUP", backup)


def test_a_text_runs_in_a_shell_and_a_list_as_it_is(read: Callable[..., Any]) -> None:
    loaded = read(file('database: {pre: "dump > /x", post: [rm, -f, /x]}'))
    (private,) = loaded.private.components
    assert private.name == "database"
    assert private.backup_pre == ("/bin/sh", "-c", "dump > /x")
    assert private.backup_post == ("rm", "-f", "/x")
    assert loaded.app_spec.private
    assert b"dump" not in encode_spec(loaded.app_spec)
    assert not any("dump" in finding.message for finding in loaded.findings)


def test_a_file_without_them_has_no_private_half(read: Callable[..., Any]) -> None:
    assert not read(file("{}")).app_spec.private


@pytest.mark.parametrize(
    ("backup", "says"),
    [
        ('databse: {pre: "true"}', "did you mean database"),
        ("database: {before: x}", "before"),
        ("database: {pre: [rm, {a: b}]}", "pre"),
        ("database: [x]", ""),
        ("database: {pre: {a: b}}", ""),
    ],
)
def test_mistakes_are_refused_with_their_place(refusals: Callable[..., Any], backup: str, says: str) -> None:
    assert any(says in str(finding) for finding in refusals(file(backup)))
