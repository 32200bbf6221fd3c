"""What commands show with --verify is what the chain has, and a lie about any of it is caught and named."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from flux.chain.state_root import leaf_of as chain_leaf_of
from flux.chain.state_root import slot_of
from flux.cli.context import Wiring
from flux.cli.main import app
from flux.primitives.keccak import keccak256
from flux.protocol.params import minimal
from flux.sdk.light.parse import to_document
from flux.sdk.light.state import leaf_of, slot_path
from flux.sdk.light.types import SECOND
from flux.sdk.transport import HttpTransport, Transport
from flux.verification.trust import TRUST_FILE
from support.light_chain import GENESIS_TIME, LightChain
from support.local_chain import LocalChain, local_chain

POWERS = {0: 10, 1: 10, 2: 10, 3: 10}
COMPOSE = """\
services:
  web:
    image: ${REGISTRY}/test/web:1
    environment: {WORDS: hello}
    deploy: {resources: {limits: {cpus: "0.5", memory: 64M}}}
x-flux: {instances: 2, deposit: "100"}
"""
Lie = Callable[[str, Sequence[object], Any], Any]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalChain]:
    """Five nodes, one app, and validators that sign."""
    folder = tmp_path_factory.mktemp("chain")
    with local_chain(folder, powers=POWERS) as chain:
        file = folder / "compose.yaml"
        file.write_text(COMPOSE)
        deployed = Flux(folder / "home", chain).run("deploy", str(file), "--name", "shop", "--account", "dev0")
        assert deployed.exit_code == 0, deployed.output
        yield chain


class LyingTransport:
    """An endpoint that changes answers on their way."""

    def __init__(self, inner: Transport, lie: Lie) -> None:
        self._inner = inner
        self._lie = lie
        self.url = inner.url

    async def request(self, method: str, *params: object) -> Any:
        return self._lie(method, params, await self._inner.request(method, *params))

    async def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        return [await self.request(method, *params) for method, params in calls]

    def subscribe(self, *params: object) -> AsyncIterator[Any]:
        return self._inner.subscribe(*params)


class Flux:
    """Runs commands against the chain, through a liar if one is given."""

    def __init__(self, home: Path, chain: LocalChain, lie: Lie | None = None) -> None:
        self.home = home
        self.chain = chain
        self.lie = lie
        self.late = 0

    def run(self, *arguments: str) -> Result:
        @asynccontextmanager
        async def open_transport(url: str) -> AsyncIterator[Transport]:
            async with HttpTransport(url) as transport:
                yield transport if self.lie is None else LyingTransport(transport, self.lie)

        light = self.chain.light
        assert light is not None
        environment = {
            "FLUX_HOME": str(self.home),
            "FLUX_RPC": self.chain.rpc,
            "REGISTRY": self.chain.registry,
            "DOCKER_CONFIG": str(self.home),
        }
        wiring = Wiring(open_transport, environment, lambda: light.now() + self.late)
        return CliRunner().invoke(app, list(arguments), obj=wiring, env=environment, prog_name="flux")

    def document(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def refused(self, *arguments: str) -> Any:
        """The error of a command that must fail."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == 1, result.output
        return json.loads(result.stdout)["error"]


@pytest.fixture
def flux(tmp_path: Path, chain: LocalChain) -> Flux:
    return Flux(tmp_path / "home", chain)


READS = [
    ("wallet", "balance", "dev3"),
    ("wallet", "balance", "0x00000000000000000000000000000000000000aa"),
    ("node", "ls"),
    ("node", "show", "1"),
    ("app", "ls", "--all"),
    ("app", "show", "shop"),
]


def steady(value: Any) -> Any:
    """Without what goes on by the second."""
    if isinstance(value, dict):
        moving = ("balance", "spent", "lasts_seconds", "balance_lasts_seconds", "seconds", "earned", "now", "age")
        return {key: steady(item) for key, item in value.items() if key not in moving}
    return [steady(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("command", READS, ids=" ".join)
def test_verified_reading_shows_the_same(flux: Flux, command: tuple[str, ...]) -> None:
    assert steady(flux.document(*command, "--verify")) == steady(flux.document(*command))
    assert (flux.home / TRUST_FILE).exists()


def test_the_first_use_says_what_it_trusts(flux: Flux) -> None:
    first, second = (flux.run("--verify", "wallet", "balance", "dev3") for _ in range(2))
    assert "trusting the chain flux-19169-" in first.output
    assert "trusting" not in second.output


def test_later_uses_go_on_from_the_newest_block_seen(flux: Flux) -> None:
    flux.document("wallet", "balance", "dev3", "--verify")
    trusted = flux.document("chain", "trust")["trusted"]
    assert trusted["height"] > 5
    flux.lie = lambda method, params, answer: _fail() if (method, *params) == ("flux_lightBlock", "0x1") else answer
    flux.document("wallet", "balance", "dev3", "--verify")


def _fail() -> Any:
    raise AssertionError("the first block is not needed again")


def on(method: str, change: Callable[[Any], Any]) -> Lie:
    return lambda asked, params, answer: change(answer) if asked == method else answer


def _balance(answer: Any) -> Any:
    """A leaf with another balance, its hash and all above left as they were."""
    leaf = bytes.fromhex(answer["accountProof"][-1][2:])
    changed = leaf[:-60] + bytes([leaf[-60] ^ 1]) + leaf[-59:]
    return {**answer, "accountProof": [*answer["accountProof"][:-1], "0x" + changed.hex()]}


def _absent(answer: Any) -> Any:
    return {**answer, "accountProof": answer["accountProof"][:-1]}


def _values(answer: Any) -> Any:
    return {**answer, "values": ["0x01" if value is None else value + "00" for value in answer["values"]]}


def _forget_one(answer: Any) -> Any:
    return {**answer, "entries": answer["entries"][:-1]}


def _invent_one(answer: Any) -> Any:
    return {**answer, "entries": [*answer["entries"], ["0xfe", "0x01"]]}


def _change_one(answer: Any) -> Any:
    first, *rest = answer["entries"]
    return {**answer, "entries": [[first[0], first[1] + "01"], *rest]}


def _header_field(name: str, value: object) -> Callable[[Any], Any]:
    def change(answer: Any) -> Any:
        signed = answer["signed_header"]
        return {**answer, "signed_header": {**signed, "header": {**signed["header"], name: value}}}

    return change


def _one_signer(answer: Any) -> Any:
    signed = answer["signed_header"]
    absent = {"block_id_flag": 1, "validator_address": "", "timestamp": "0001-01-01T00:00:00Z", "signature": None}
    votes = [signed["commit"]["signatures"][0], absent, absent, absent]
    return {**answer, "signed_header": {**signed, "commit": {**signed["commit"], "signatures": votes}}}


LIES: list[tuple[str, Lie, tuple[str, ...], str]] = [
    ("a balance", on("flux_getProof", _balance), ("wallet", "balance", "dev3"), "BadProof"),
    ("an account left out", on("flux_getProof", _absent), ("wallet", "balance", "dev3"), "BadProof"),
    ("no proof", on("flux_getProof", lambda answer: {}), ("wallet", "balance", "dev3"), "Malformed"),
    ("nodes left out", on("flux_storage", _forget_one), ("node", "ls"), "BadProof"),
    ("nodes made up", on("flux_storage", _invent_one), ("node", "ls"), "BadProof"),
    ("a node changed", on("flux_storage", _change_one), ("node", "ls"), "BadProof"),
    ("a stored value", on("flux_getProof", _values), ("app", "show", "shop"), "BadProof"),
    ("an older header", on("flux_header", lambda raw: raw[:-2] + "ff"), ("node", "ls"), "BadHeader"),
    ("another app hash", on("flux_lightBlock", _header_field("app_hash", "AA" * 32)), ("node", "ls"), "BadHeader"),
    ("too few signers", on("flux_lightBlock", _one_signer), ("node", "ls"), "NotEnoughPower"),
    ("another chain", on("flux_lightBlock", _header_field("chain_id", "flux-1-x")), ("node", "ls"), "WrongChain"),
    ("not a light block", on("flux_lightBlock", lambda answer: []), ("node", "ls"), "Malformed"),
    ("a light block of nothing", on("flux_lightBlock", lambda answer: None), ("node", "ls"), "Malformed"),
    ("not a genesis", on("flux_genesis", lambda answer: "{}"), ("node", "ls"), "Malformed"),
]


@pytest.mark.parametrize(("name", "lie", "command", "kind"), LIES, ids=[lie[0] for lie in LIES])
def test_a_lie_is_caught_and_named(flux: Flux, name: str, lie: Lie, command: tuple[str, ...], kind: str) -> None:
    flux.lie = lie
    error = flux.refused(*command, "--verify")
    assert error["kind"] == kind
    assert f"{flux.chain.rpc} cannot be believed" in error["message"]


def test_a_genesis_with_other_parameters_is_another_chain(flux: Flux) -> None:
    def lie(answer: str) -> str:
        document = json.loads(answer)
        document["timestamp"] += 1
        return json.dumps(document)

    flux.document("node", "ls", "--verify")
    flux.lie = on("flux_genesis", lie)
    assert flux.refused("node", "ls", "--verify")["kind"] == "WrongChain"
    flux.run("chain", "trust", "--forget")
    assert flux.refused("node", "ls", "--verify")["kind"] == "WrongChain"


def test_wrong_hints_only_cost_time(flux: Flux) -> None:
    honest = flux.document("node", "show", "1")
    useless = {"accounts": [{"address": "0x" + "11" * 20, "keys": []}], "walked": []}
    for hint in ({"accounts": [], "walked": []}, useless):
        flux.lie = on("flux_accessList", lambda answer, hint=hint: hint)  # type: ignore[misc]
        assert steady(flux.document("node", "show", "1", "--verify")) == steady(honest)


def test_an_old_block_shown_as_the_newest_is_called_stale(flux: Flux) -> None:
    flux.document("node", "ls", "--verify")
    flux.late = 130 * SECOND
    error = flux.refused("node", "ls", "--verify")
    assert (error["kind"], "130 s old" in error["message"]) == ("Stale", True)


def test_an_endpoint_behind_what_was_seen_is_called_stale(flux: Flux) -> None:
    flux.document("node", "ls", "--verify")
    light = flux.chain.light
    assert light is not None
    old = light.light_block(2)
    flux.lie = lambda method, params, answer: old if method == "flux_lightBlock" and not params else answer
    error = flux.refused("node", "ls", "--verify")
    assert (error["kind"], "was seen before" in error["message"]) == ("Stale", True)


def test_trust_that_grew_old_is_not_used(flux: Flux) -> None:
    flux.document("node", "ls", "--verify")
    stored = flux.home / TRUST_FILE
    document = json.loads(stored.read_text())
    light = flux.chain.light
    assert light is not None
    document["light_block"] = light.light_block(1)
    stored.write_text(json.dumps(document))

    newer = LightChain(POWERS, light.chain.chain_id)
    far = minimal().validators.trust_period + 10
    newer.app_hashes[far] = bytes.fromhex("aa" * 32)
    flux.lie = on("flux_lightBlock", lambda answer: to_document(newer.block(far)))
    flux.late = GENESIS_TIME + (far + 1) * SECOND - light.now()
    error = flux.refused("node", "ls", "--verify")
    assert error["kind"] == "Expired"
    assert "flux chain trust --forget" in error["hint"]
    assert "cannot be believed" not in error["message"], "nobody lied"


def test_a_named_block_is_trusted_if_the_endpoint_has_it(flux: Flux) -> None:
    light = flux.chain.light
    assert light is not None
    light.light_block(4)
    wanted = light.chain.block(4).commit.block_id.hash.hex().upper()
    assert flux.refused("chain", "trust", "4", "AB" * 32)["kind"] == "BadHeader"
    assert flux.document("chain", "trust")["trusted"] is None
    assert flux.document("chain", "trust", "4", wanted)["trusted"]["hash"] == wanted
    flux.document("node", "ls", "--verify")
    assert flux.run("chain", "trust", "4").exit_code == 2
    assert flux.run("chain", "trust", "4", "xyz").exit_code == 2


def test_what_cannot_be_verified_is_refused(flux: Flux) -> None:
    error = flux.refused("chain", "status", "--verify")
    assert (error["kind"], "cannot be verified" in error["message"]) == ("NotVerifiable", True)
    sent = ("wallet", "send", "dev2", "1", "--account", "dev1", "--verify")
    assert flux.refused(*sent)["kind"] == "NotVerifiable"


def test_a_file_of_trust_that_is_damaged_is_said_to_be(flux: Flux) -> None:
    flux.home.mkdir()
    (flux.home / TRUST_FILE).write_text("{}")
    assert flux.refused("node", "ls", "--verify")["kind"] == "NothingTrusted"


def test_slots_and_leaves_are_those_of_the_chain() -> None:
    for size in (1, 31, 32, 33, 500):
        value = bytes(range(1, 256))[:1] * size
        assert leaf_of(value) == chain_leaf_of(value)
        assert slot_path(value) == keccak256(slot_of(value))
