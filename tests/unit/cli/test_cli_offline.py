"""What works and what is said without any chain: help, specs, keys, unreachable endpoints, mistakes."""

import json
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from flux.cli.commands import NOUNS, Entry, Noun


def all_commands(entries: Mapping[str, Entry]) -> Iterator[tuple[tuple[str, ...], Entry]]:
    """What is typed, and what it means."""
    for name, entry in entries.items():
        if isinstance(entry, Noun):
            yield from (((name, *rest), verb) for rest, verb in all_commands(entry.verbs))
        else:
            yield (name,), entry


COMMANDS = [words for words, _ in all_commands(NOUNS)]
NEEDS_CHAIN = [
    ("status",), ("app", "ls", "--all"), ("app", "show", "shop"), ("node", "ls"), ("node", "show", "1"),
    ("wallet", "balance"), ("wallet", "send", "dev1", "1"), ("chain", "status"), ("chain", "block"),
    ("chain", "params"),
]  # fmt: skip
EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(offline: Any, command: tuple[str, ...]) -> None:
    output = offline.ok(*command, "--help")
    assert output.startswith(f"Usage: flux {' '.join(command)}")
    for option in ("--json", "--rpc", "--home", "--account", "--debug"):
        assert option in output


def test_volumes_are_not_waited_for_while_the_chain_is_away(offline: Any) -> None:
    offline.ok("node", "init")
    assert "127.0.0.1:1 does" in offline.json("node", "volumes", "ls", code=4)["error"]["message"]


def entries() -> list[Entry]:
    return [entry for _, entry in all_commands(NOUNS)]


def test_every_command_has_a_summary_that_fits_a_line_and_a_description() -> None:
    for entry in entries():
        assert 0 < len(entry.summary) <= 75, entry
        assert entry.summary[-1] != ".", entry
        assert (import_module(entry.module).run.__doc__ or "").strip(), entry


def test_help_imports_no_command(offline: Any) -> None:
    for entry in entries():
        sys.modules.pop(entry.module, None)
    output = offline.ok("--help")
    assert not {entry.module for entry in entries()} & sys.modules.keys()
    for entry in NOUNS.values():
        assert entry.summary.split(",")[0] in " ".join(output.split())


@pytest.mark.parametrize("command", NEEDS_CHAIN, ids=" ".join)
def test_an_endpoint_that_does_not_answer_is_exit_code_4_and_a_hint(offline: Any, command: tuple[str, ...]) -> None:
    result = offline.run(*command)
    assert result.exit_code == 4, result.output
    assert "http://127.0.0.1:1" in result.output
    assert "flux up" in result.output
    assert "Traceback" not in result.output


def test_the_endpoint_is_the_options_then_the_environments_then_the_local_clouds(offline: Any) -> None:
    (offline.home / "cloud").mkdir(parents=True)
    (offline.home / "cloud" / "state.json").write_text('{"rpc": "http://127.0.0.1:3"}')
    command = ("chain", "status")
    assert "127.0.0.1:2 does" in offline.run(*command, "--rpc", "http://127.0.0.1:2").output
    assert "127.0.0.1:1 does" in offline.run(*command).output
    assert "127.0.0.1:3 does" in offline.run(*command, FLUX_RPC="").output


def test_errors_are_documents_in_json_mode(offline: Any) -> None:
    error = offline.json("node", "ls", code=4)["error"]
    assert error["kind"] == "Unreachable"
    assert error["exit_code"] == 4
    assert "does not answer" in error["message"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("app", "lss"), "Did you mean 'ls'"),
        (("deplo",), "Did you mean 'deploy'"),
        (("app", "show"), "Missing argument"),
        (("app", "scale", "shop", "none"), "is not a valid int"),
        (("up", "--nodes", "0"), "--nodes"),
        (("app", "ls", "--colour"), "No such option"),
    ],
)
def test_a_mistyped_command_line_is_exit_code_2(offline: Any, arguments: tuple[str, ...], sentence: str) -> None:
    result = offline.run(*arguments)
    assert result.exit_code == 2
    assert sentence in result.output


def test_a_spec_is_checked_without_network(offline: Any) -> None:
    found = offline.json("spec", "check", str(EXAMPLES / "hello"))
    assert (found["accepted"], found["name"]) == (True, "hello")
    assert {finding["severity"] for finding in found["findings"]} <= {"honoured", "warned"}
    assert all(finding["line"] > 0 for finding in found["findings"])
    output = offline.ok("spec", "check", str(EXAMPLES / "guestbook"))
    assert "Accepted: guestbook" in output
    assert "please-change-me" not in output


def test_a_refused_spec_names_line_and_key_and_ends_with_1(offline: Any) -> None:
    file = offline.compose('services:\n  web:\n    image: nginx\n    privileged: true\n    volumes: ["/etc:/etc"]\n')
    result = offline.run("spec", "check", file)
    assert result.exit_code == 1
    assert f"{file}:4" in result.output
    assert "services.web.privileged" in result.output
    document = offline.json("spec", "check", file, code=1)
    assert document["accepted"] is False
    assert {4, 5} <= {finding["line"] for finding in document["findings"] if finding["severity"] == "refused"}


def test_deploying_a_refused_spec_names_all_refusals_and_needs_no_chain(offline: Any) -> None:
    file = offline.compose("services:\n  web:\n    image: nginx\n    privilegd: true\n")
    result = offline.run("deploy", file)
    assert result.exit_code == 1
    assert "privileged" in result.output
    assert f"{file}:4" in result.output


def test_a_file_that_is_not_there_is_wrong_usage(offline: Any) -> None:
    for command in (("spec", "check"), ("deploy",), ("plan",)):
        result = offline.run(*command, "/nowhere/compose.yaml")
        assert result.exit_code == 2
        assert "/nowhere/compose.yaml" in result.output


def test_keys_are_made_listed_signed_with_and_exported(offline: Any, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    environment = {"FLUX_PASSWORD_FILE": str(password)}
    made = offline.json("wallet", "new", "main", **environment)
    assert len(made["mnemonic"].split()) == 12
    listed = offline.json("wallet", "ls")
    assert [(key["name"], key["address"], key["balance"]) for key in listed] == [("main", made["address"], None)]
    signed = offline.json("wallet", "sign", "hello", **environment)
    assert signed["address"] == made["address"]
    keystore = json.loads(offline.ok("wallet", "export", "main"))
    assert keystore["version"] == 3
    private = offline.json("wallet", "export", "main", "--private-key", **environment)["private_key"]
    taken = offline.run("wallet", "import", "copy", "--private-key", input=private + "\n", **environment)
    assert taken.exit_code == 0, taken.output
    assert made["address"] in taken.output
    words = offline.run("wallet", "import", "words", input=made["mnemonic"] + "\n", **environment)
    assert made["address"] in words.output
    several = offline.run("wallet", "sign", "hello", **environment)
    assert several.exit_code == 1
    assert "--account" in several.output


def test_a_wrong_password_is_a_sentence(offline: Any, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("right")
    wrong.write_text("wrong")
    offline.ok("wallet", "new", "main", FLUX_PASSWORD_FILE=str(right))
    result = offline.run("wallet", "sign", "hello", FLUX_PASSWORD_FILE=str(wrong))
    assert result.exit_code == 1
    assert "password" in result.output
    missing = offline.run("wallet", "sign", "hello", FLUX_PASSWORD_FILE=str(tmp_path / "none"))
    assert missing.exit_code == 1
    assert "FLUX_PASSWORD_FILE" in missing.output
    nobody = offline.run("wallet", "sign", "hello")
    assert nobody.exit_code == 1
    assert "FLUX_PASSWORD_FILE" in nobody.output


def test_development_accounts_sign_without_a_wallet(offline: Any) -> None:
    signed = offline.json("wallet", "sign", "hello", "--account", "dev3")
    assert signed["address"] == "0x90F79bf6EB2c4f870365E785982E1f101E93b906"


def test_nothing_to_stop_is_no_error(offline: Any) -> None:
    assert offline.json("down") == {"stopped": False, "purged": False}


def test_the_version_is_printed(offline: Any) -> None:
    from flux import __version__

    assert offline.ok("--version") == f"flux {__version__}\n"


def test_a_local_cloud_that_cannot_have_its_port_names_the_option(offline: Any) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = offline.json("up", "--no-ingress", "--rpc-port", str(port), code=1)["error"]
    assert error["message"] == f"port {port} is taken by another program"
    assert error["hint"] == "choose another with --rpc-port"


def test_a_local_cloud_without_an_engine_says_so(offline: Any) -> None:
    error = offline.json(
        "up", "--no-ingress", "--rpc-port", "1025", "--agent-port", "1026", code=4, DOCKER_HOST="unix:///nowhere.sock"
    )["error"]
    assert error["kind"] == "RuntimeUnavailable"
    assert error["hint"]


@pytest.mark.parametrize(
    ("shell", "variables"),
    [
        ("bash", {"COMP_WORDS": "flux app ", "COMP_CWORD": "2"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "flux app "}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "flux app ", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)
def test_completion_knows_the_verbs_of_a_noun(offline: Any, shell: str, variables: dict[str, str]) -> None:
    output = offline.run(_FLUX_COMPLETE=f"complete_{shell}", **variables).output
    for verb in ("show", "logs", "why", "move"):
        assert verb in output
    assert "Traceback" not in output
