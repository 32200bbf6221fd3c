"""Every method with every kind of parameter: a well-formed answer, and never an internal error."""

import asyncio
import json

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flux.rpc import eth, net, web3
from flux.rpc.dispatch import Dispatcher, Limits
from flux.rpc.filters import Filters
from flux.rpc.flux import Flux
from flux.rpc.intake import Intake
from flux.rpc.workers import Pool
from support.chain_lab import Lab, address
from support.counter import COUNTER, encode
from support.rpc_lab import HandEngine

KNOWN = ["0x" + COUNTER.hex(), "0x" + address(0).hex(), "0x" + "12" * 32, "latest", "pending", "earliest", "safe"]
KNOWN += ["0x0", "0x1", "0x2", "0x", "0x" + encode("count(address)", address(0)).hex(), "0x" + "f" * 16, "0x00"]
MEMBERS = ["to", "from", "data", "input", "gas", "value", "fromBlock", "toBlock", "blockHash", "address", "topics"]
MEMBERS += ["blockNumber", "requireCanonical", "nonce", "type"]

scalars = (
    st.sampled_from(KNOWN)
    | st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.binary(max_size=40).map(lambda data: "0x" + data.hex())
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5),
    max_leaves=8,
)


class Node:
    """A chain and its methods without a server: one answer at a time."""

    def __init__(self) -> None:
        lab = Lab()
        lab.block(lab.call(0, "add(uint64)", 5))
        lab.block()
        own = Flux(lab.application, HandEngine(), "0", lambda: int(lab.now))
        self.table = {
            **eth.table(lab.application, lambda: int(lab.now), {}),
            **Filters(lab.application, lambda: float(lab.now)).table(),
            **net.table(lab.application.chain_id),
            **web3.table("0"),
            **own.table(),
        }
        self.methods = [*self.table, "eth_sendRawTransaction", "eth_subscribe", "eth_unsubscribe"]
        self._lab = lab
        self._loop = asyncio.new_event_loop()
        self._dispatcher = self._loop.run_until_complete(self._build())

    async def _build(self) -> Dispatcher:
        self.intake = Intake(self._lab.application, lambda: int(self._lab.now), lambda: None)
        self.pools = Pool("read", 1, 10), Pool("scan", 1, 10)
        return Dispatcher(self.table, self.intake, *self.pools, {}, Limits())

    def handle(self, body: bytes) -> bytes:
        """The answer to a body."""
        return self._loop.run_until_complete(self._dispatcher.handle(body))

    def close(self) -> None:
        """End its threads."""
        self.intake.close()
        for pool in self.pools:
            pool.close()
        self._loop.close()


def test_no_parameters_whatever_make_a_method_fail_inside() -> None:
    node = Node()
    most = 4

    @settings(max_examples=800, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(node.methods), st.lists(values, max_size=most))
    def attack(method: str, params: list[object]) -> None:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        answer = json.loads(node.handle(body))
        assert answer["jsonrpc"] == "2.0"
        assert ("result" in answer) != ("error" in answer)
        if "error" in answer:
            assert answer["error"]["code"] in (-32700, -32602, -32601, -32000, -32005, 3), (method, params, answer)
            assert len(answer["error"]["message"]) < 400

    try:
        attack()
    finally:
        node.close()


def test_no_bytes_whatever_go_without_a_well_formed_answer() -> None:
    node = Node()

    @settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
    def attack(body: bytes) -> None:
        answer = node.handle(body)
        if answer:
            decoded = msgspec.json.decode(answer)
            for item in decoded if isinstance(decoded, list) else [decoded]:
                assert item["error"]["code"] in (-32700, -32600)

    try:
        attack()
    finally:
        node.close()


def test_every_method_answers_the_simplest_right_question() -> None:
    node = Node()
    plain = {"eth_call": [{"to": "0x" + "11" * 20}], "eth_estimateGas": [{"to": "0x" + "11" * 20}]}
    plain |= {"eth_getLogs": [{}], "eth_newFilter": [{}], "eth_feeHistory": ["0x1", "latest"]}
    plain |= {"web3_sha3": ["0x"], "eth_uninstallFilter": ["0x1"]}
    needs_more = {"eth_getFilterChanges", "eth_getFilterLogs"}
    kinds: dict[str, object] = {"address": "0x" + "11" * 20, "hash32": "0x" + "12" * 32, "slot": "0x0"}
    kinds |= {"block": "latest", "block_number": "latest", "quantity64": "0x0", "parse": []}
    for name in sorted(set(node.table) - needs_more):
        method = node.table[name]
        required = method.parsers[: method.required]
        params = plain[name] if name in plain else [kinds[parser.__name__] for parser in required]
        request = {"jsonrpc": "2.0", "id": 1, "method": name, "params": params}
        answer = json.loads(node.handle(json.dumps(request).encode()))
        assert "result" in answer, (name, answer)
    node.close()
