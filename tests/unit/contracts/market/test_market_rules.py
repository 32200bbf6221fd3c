"""Pure decisions of the market: prices, ports, what a failure says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.contracts.apps.types import Http, Port, Volume
from flux.contracts.market import exchange, rules
from flux.contracts.market.exchange import Terms
from flux.contracts.market.rules import Needs
from flux.contracts.market.types import NO_USD_RATE, FailReason, PortBinding, RatePerSecond
from flux.contracts.nodes.types import Ask
from flux.contracts.oracle.types import NO_USD_PRICE
from flux.primitives.types import U16, U64, U256, Wei
from support.contract_lab import component, spec

WEB = spec(component("web", ports=(Port(80), Port(53, "udp"))), component("db"), http=Http("web", 80))
GOOD = (PortBinding("web", U16(80), U16(32_000), 6), PortBinding("web", U16(53), U16(32_000), 17))  # type: ignore[arg-type]


def binding(component: str = "web", container: int = 80, host: int = 32_001, protocol: int = 6) -> PortBinding:
    return PortBinding(component, U16(container), U16(host), protocol)  # type: ignore[arg-type]


@pytest.mark.parametrize("bindings", [GOOD, GOOD[::-1]])
def test_every_declared_port_once_is_in_order(bindings: tuple[PortBinding, ...]) -> None:
    assert rules.find_binding_fault(WEB, bindings) is None


@pytest.mark.parametrize(
    ("bindings", "fault"),
    [
        ((), "web:53/17 is declared by the spec but not bound"),
        (GOOD[:1], "web:53/17 is declared"),
        ((*GOOD, GOOD[0]), "web:80/6 is not declared by the spec or is named twice"),
        ((*GOOD, binding("db")), "db:80/6 is not declared"),
        ((*GOOD, binding(container=81)), "web:81/6 is not declared"),
        ((GOOD[1], binding(protocol=17)), "web:80/17 is not declared"),
        ((GOOD[1], binding(host=0)), "host port 0 of web:80/6 is zero or bound twice"),
    ],
)
def test_other_bindings_are_refused_with_the_port(bindings: tuple[PortBinding, ...], fault: str) -> None:
    found = rules.find_binding_fault(WEB, bindings)
    assert found is not None
    assert found.startswith(fault)


def test_two_ports_cannot_share_a_host_port_of_one_protocol() -> None:
    two = spec(component(ports=(Port(80), Port(81))))
    bindings = (binding(host=9), binding(container=81, host=9))
    assert rules.find_binding_fault(two, bindings) == "host port 9 of web:81/6 is zero or bound twice"


def test_needs_are_sums_over_components_and_volumes() -> None:
    of = spec(
        component("web", cpu_milli=100, memory_mib=10, disk_mib=5),
        component("db", cpu_milli=200, memory_mib=20),
        volumes=(Volume("data", 1000),),
    )
    assert rules.needs_of(of) == Needs(300, 30, 1005, 0)


def test_a_price_is_milli_gwei_per_hour_and_a_rate_wei_per_second() -> None:
    price = rules.price_of(Needs(1500, 2048, 1024, 2), Ask(U64(10), U64(100), U64(1000), U64(5)))
    assert price == 1500 * 10 + 2000 * 100 + 1000 * 1000 + 2000 * 5
    assert rules.rate_of(price) == price * 10**6 // 3600


def test_the_largest_price_is_far_below_no_price() -> None:
    asks = Ask(*(U64(most) for most in rules.MAX_ASK))
    assert rules.is_payable(asks)
    assert rules.price_of(rules.MAX_NEEDS, asks) < 1 << 62
    assert not rules.is_payable(asks.but(cpu=U64(asks.cpu + 1)))
    assert not rules.is_placeable(rules.MAX_NEEDS._replace(gpu_count=65))


def test_any_price_will_do_where_the_tenant_names_none() -> None:
    assert rules.price_limit(0) == rules.NO_PRICE - 1
    assert rules.price_limit(5) == 5000
    assert rules.price_limit(2**63) == rules.NO_PRICE - 1


prices = st.integers(0, 10**6).map(U64)


@given(st.builds(Ask, prices, prices, prices, prices), st.integers(1, 100), st.integers(1, 10**12))
def test_the_same_needs_never_cost_more_in_place(ask: Ask, factor: int, agreed: int) -> None:
    needs = Needs(1000 * factor, 64, 100, 0)
    terms = Terms(RatePerSecond(Wei(U256(agreed))), NO_USD_RATE)
    kept = exchange.terms_in_place(None, needs, needs, ask, NO_USD_PRICE, terms)
    asked = rules.rate_of(rules.price_of(needs, ask))
    assert kept == Terms(RatePerSecond(Wei(U256(min(asked, agreed)))), NO_USD_RATE)


def test_twice_the_needs_cost_twice_the_agreed_rate_in_place() -> None:
    small, large = Needs(1000, 0, 0, 0), Needs(2000, 0, 0, 0)
    before, dearer = Ask(U64(36), U64(0), U64(0), U64(0)), Ask(U64(3600), U64(0), U64(0), U64(0))
    agreed = exchange.terms_of(None, small, before, NO_USD_PRICE)
    kept = exchange.terms_in_place(None, large, small, dearer, NO_USD_PRICE, agreed)
    assert kept.rate == 2 * agreed.rate


@pytest.mark.parametrize(
    ("detail", "kept"),
    [
        ("", "no seed"),
        ("disk\nfull\x00", "no seed: disk full"),
        ("\u202egnp.exe", "no seed: gnp.exe"),
        ("Zürich 東京", "no seed: Zürich 東京"),
        ("\x1b\x1b", "no seed"),
    ],
)
def test_a_failure_is_kept_without_what_disturbs_a_terminal(detail: str, kept: str) -> None:
    assert rules.failure(FailReason.NO_SEED, detail) == kept


@pytest.mark.parametrize("geo", [(), ("acEU",), ("not a rule",)])
def test_rules_that_do_not_parse_allow_no_place(geo: tuple[str, ...]) -> None:
    found = rules.find_rules(geo)
    assert (found is None) == (geo == ("not a rule",))
