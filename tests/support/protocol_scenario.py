"""Random users of the real protocol: operators, agents and tenants whose signed transactions make a chain."""

import random
from collections.abc import Callable

from flux.chain.application import Application
from flux.chain.ports import Genesis as ChainGenesis
from flux.contracts import addresses
from flux.contracts.apps.types import AppSpec, Constraints, encode_spec
from flux.contracts.market.types import FailReason, PortBinding
from flux.contracts.nodes.types import Ask, Endpoint, Location
from flux.kernel.context import World
from flux.primitives.types import NO_WEI, U64, U256, Address, Gas, Hash, Nonce, Timestamp, Wei
from flux.protocol import chain_ids
from flux.protocol.genesis import Allocation, local
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.machine import ProtocolMachine
from flux.protocol.params import minimal
from flux.protocol.registry import CONTRACTS, ProtocolFactory
from flux.sdk.call import Call
from flux.sdk.signer import LocalSigner
from flux.sdk.transaction import Draft, Fees, sign_transaction
from support.chain_lab import START, address, signer
from support.contract_lab import FLUX, component, hardware

TENANTS = range(6)
OPERATORS = range(10, 18)
AGENT_OFFSET = 100
GAS = Gas(U64(3_000_000))
PRICE = Wei(U256(5 * 10**9))

PLACES = (Location("EU", "FR", ""), Location("EU", "DE", ""), Location("NA", "US", ""), Location("AS", "JP", ""))


class ProtocolScenario:
    """Transfers, registrations, deployments, reports of agents, valid and not."""

    params = minimal().chain

    def __init__(self) -> None:
        users = [Allocation(address(number), Wei(U256(100_000 * FLUX)), "user") for number in (*TENANTS, *OPERATORS)]
        self._genesis = local(Timestamp(U64(START)), minimal(), users)
        self._factory = ProtocolFactory(self._genesis.params)
        self._nonces: dict[int, int] = {}
        self._deployed = 0

    def genesis(self) -> ChainGenesis:
        return chain_genesis(self._genesis, ProtocolFactory(self._genesis.params))

    def machine(self, world: World) -> ProtocolMachine:
        return self._factory(world)

    def transactions(self, application: Application, draw: random.Random) -> list[bytes]:
        """What comes for the next block."""
        agents = [AGENT_OFFSET + number for number in OPERATORS]
        with application.ledger.state_at() as view:
            self._nonces = {number: view.nonce(address(number)) for number in (*TENANTS, *OPERATORS, *agents)}
        return [self._one(draw) for _ in range(draw.randrange(9))]

    def _one(self, draw: random.Random) -> bytes:
        makers: list[Callable[[random.Random], bytes]] = [
            self._transfer, self._register, self._activate, self._activate, self._deploy, self._deploy,
            self._report, self._report, self._report, self._suspect, self._tenant, self._leave,
        ]  # fmt: skip
        return draw.choice(makers)(draw)

    def _transfer(self, draw: random.Random) -> bytes:
        return self._sign(draw.choice(TENANTS), Address(draw.randbytes(20)), b"", draw.randrange(10**18))

    def _register(self, draw: random.Random) -> bytes:
        operator = draw.choice(OPERATORS)
        endpoint = Endpoint(f"10.{operator}.0.1", 16127, Hash(b"c" * 32), Hash(b"s" * 32), False, True)  # type: ignore[arg-type]
        ask = Ask(*(U64(draw.randrange(10**7)) for _ in range(4)))
        place = draw.choice(PLACES)
        machine = hardware(4_000, 8_192, 300_000)
        data = _data("register", addresses.NODES, (address(AGENT_OFFSET + operator), endpoint, place, machine, ask))
        return self._sign(operator, addresses.NODES, data, 1_000 * FLUX)

    def _activate(self, draw: random.Random) -> bytes:
        return self._report_of(draw, addresses.NODES, _data("activate", addresses.NODES, ()))

    def _leave(self, draw: random.Random) -> bytes:
        return self._sign(draw.choice(OPERATORS), addresses.NODES, _data("leave", addresses.NODES, (_id(draw),)))

    def _deploy(self, draw: random.Random) -> bytes:
        self._deployed += 1
        part = component(cpu_milli=draw.choice((100, 500, 1_500)))
        spec = AppSpec(components=(part,), constraints=Constraints(geo=draw.choice(((), ("acEU",)))))
        arguments = (f"app-{self._deployed}", draw.randrange(1, 4), encode_spec(spec), b"")
        return self._sign(draw.choice(TENANTS), addresses.APPS, _data("deploy", addresses.APPS, arguments), 5 * FLUX)

    def _tenant(self, draw: random.Random) -> bytes:
        name, arguments = draw.choice((("scale", (_id(draw), draw.randrange(4))), ("pause", (_id(draw),)),
                                       ("resume", (_id(draw),)), ("remove", (_id(draw),))))  # fmt: skip
        return self._sign(draw.choice(TENANTS), addresses.APPS, _data(name, addresses.APPS, arguments))

    def _report(self, draw: random.Random) -> bytes:
        lease = draw.randrange(1, 4 * self._deployed + 2)
        if draw.random() < 0.8:
            no_ports: list[PortBinding] = []
            return self._report_of(draw, addresses.MARKET, _data("confirm", addresses.MARKET, (lease, no_ports)))
        data = _data("fail", addresses.MARKET, (lease, FailReason.START, "x"))
        return self._report_of(draw, addresses.MARKET, data)

    def _suspect(self, draw: random.Random) -> bytes:
        name, arguments = draw.choice((("suspect", (_id(draw),)), ("reached", (_id(draw),)), ("alive", ())))
        return self._report_of(draw, addresses.PROBES, _data(name, addresses.PROBES, arguments))

    def _report_of(self, draw: random.Random, to: Address, data: bytes) -> bytes:
        return self._sign(AGENT_OFFSET + draw.choice(OPERATORS), to, data, price=NO_WEI)

    def _sign(self, number: int, to: Address, data: bytes, value: int = 0, price: Wei = PRICE) -> bytes:
        nonce = self._nonces[number]
        self._nonces[number] = nonce + 1
        key: LocalSigner = signer(number)
        draft = Draft(chain_ids.LOCAL, Nonce(U64(nonce)), Fees(price, NO_WEI), GAS, to, Wei(U256(value)), data)
        return sign_transaction(draft, key).raw


def _id(draw: random.Random) -> int:
    return draw.randrange(1, 10)


def _data(name: str, contract: Address, arguments: tuple[object, ...]) -> bytes:
    """Call data of a method, encoded by the contract's own declaration."""
    (kind,) = [item for item in CONTRACTS if item.address == contract]
    (method,) = [item for item in kind.methods.values() if item.name == name]
    return Call(contract, name, tuple(method.arguments.values()), None).encode(*arguments)
