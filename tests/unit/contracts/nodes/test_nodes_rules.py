"""Declarations mean one thing to everybody; tiers follow stake and hardware."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.contracts.market.types import Usage
from flux.contracts.nodes import rules
from flux.contracts.nodes.types import Architecture, Ask, InvalidDeclaration, Location, Tier
from flux.primitives.types import U8, U16, U32, U64, U256, Hash, Wei
from flux.primitives.types import flux as whole
from flux.protocol.params import DEFAULT
from support.contract_lab import endpoint, hardware


@pytest.mark.parametrize(
    "host", ["192.0.2.7", "127.0.0.1", "2001:db8::1", "::1", "node-7.example.org", "localhost", "a", "1.example"]
)
def test_a_plain_host_is_accepted(host: str) -> None:
    rules.check_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a" * 254,
        "192.0.2.07",
        "192.0.2",
        "192.0.2.7.",
        "256.0.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::",
        "ff02::1",
        "2001:DB8::1",
        "2001:db8:0:0::1",
        "::ffff:c000:207",
        "::ffff:192.0.2.7",
        "fe80::1%eth0",
        "Node.example",
        "-a.example",
        "a-.example",
        "a..example",
        "example.",
        "a_b.example",
        "exämple.org",
        "example.42",
        "a b",
        "x" * 64 + ".example",
        "http://a",
        "a:80",
        "[::1]",
    ],
)
def test_an_ambiguous_or_unusable_host_is_refused(host: str) -> None:
    with pytest.raises(InvalidDeclaration):
        rules.check_host(host)


@given(st.text(alphabet="0123456789abcdef.:-xZ%/ é", max_size=40))
def test_a_host_that_is_accepted_lies_in_a_network_and_is_spelled_in_lower_case(host: str) -> None:
    with suppress(InvalidDeclaration):
        rules.check_host(host)
        assert host == host.lower()
        assert rules.network(host) == rules.network(host.upper().lower()) != ""


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("192.0.2.250", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("a.b.example.org", "example.org"),
        ("localhost", "localhost"),
    ],
)
def test_the_network_is_what_machines_of_one_place_share(host: str, network: str) -> None:
    assert rules.network(host) == network


@pytest.mark.parametrize(
    "location",
    [
        Location("XX", "FR", ""),
        Location("eu", "FR", ""),
        Location("EU", "fr", ""),
        Location("EU", "FRA", ""),
        Location("EU", "", ""),
        Location("EU", "FR", " Brittany"),
        Location("EU", "FR", "a\nb"),
        Location("EU", "FR", "\u202eab"),
        Location("EU", "FR", "x" * 41),
    ],
)
def test_a_place_without_its_codes_is_refused(location: Location) -> None:
    with pytest.raises(InvalidDeclaration) as caught:
        rules.check_location(location)
    assert caught.value.field == "location"


def test_a_region_may_be_empty_or_have_letters_of_any_script() -> None:
    rules.check_location(Location("EU", "FR", ""))
    rules.check_location(Location("EU", "FR", "Île-de-France"))


def test_blank_keys_and_port_zero_are_refused() -> None:
    rules.check_endpoint(endpoint())
    for change in ({"port": U16(0)}, {"certificate": Hash(bytes(32))}, {"seal_key": Hash(bytes(32))}):
        with pytest.raises(InvalidDeclaration):
            rules.check_endpoint(endpoint(**change))


def test_gpus_have_a_model_and_a_model_has_gpus() -> None:
    rules.check_hardware(hardware(gpu_count=U8(2), gpu_model="NVIDIA H200"))
    for count, model in ((1, ""), (0, "H200"), (65, "H200"), (1, "x" * 65), (1, "a\tb"), (1, " a")):
        with pytest.raises(InvalidDeclaration):
            rules.check_hardware(hardware(gpu_count=U8(count), gpu_model=model))


@given(st.builds(Ask, *[st.integers(0, 2**50).map(U64)] * 4))
def test_an_ask_is_refused_exactly_when_a_price_passes_its_cap(ask: Ask) -> None:
    limit = DEFAULT.nodes.max_ask
    fits = ask.cpu <= limit.cpu and ask.memory <= limit.memory and ask.disk <= limit.disk and ask.gpu <= limit.gpu
    if fits:
        rules.check_ask(ask, limit)
    else:
        with pytest.raises(InvalidDeclaration):
            rules.check_ask(ask, limit)


def test_the_caps_keep_the_dearest_instance_inside_64_bits() -> None:
    apps, cap = DEFAULT.apps, DEFAULT.nodes.max_ask
    gpus = 64
    dearest = (
        apps.max_cpu_milli * cap.cpu
        + apps.max_memory_mib * 1000 * cap.memory // 1024
        + apps.max_disk_mib * 1000 * cap.disk // 1024
        + gpus * 1000 * cap.gpu
    )
    assert dearest < 2**63


@pytest.mark.parametrize(
    ("stake", "cpu", "tier"),
    [
        (999, 16_000, Tier.NONE),
        (1_000, 16_000, Tier.CUMULUS),
        (12_499, 16_000, Tier.CUMULUS),
        (12_500, 16_000, Tier.NIMBUS),
        (40_000, 16_000, Tier.STRATUS),
        (40_000, 15_999, Tier.NIMBUS),
        (40_000, 4_000, Tier.CUMULUS),
        (40_000, 3_999, Tier.NONE),
    ],
)
def test_a_tier_needs_both_stake_and_hardware(stake: int, cpu: int, tier: Tier) -> None:
    assert rules.find_tier(DEFAULT.nodes, whole(stake), whole(stake), hardware(cpu)) is tier


@pytest.mark.parametrize(
    ("total", "own", "tier"),
    [
        (1_000, 99, Tier.NONE),
        (1_000, 100, Tier.CUMULUS),
        (12_500, 1_249, Tier.CUMULUS),
        (12_500, 1_250, Tier.NIMBUS),
        (500_000, 3_999, Tier.NIMBUS),
        (40_000, 4_000, Tier.STRATUS),
    ],
)
def test_a_tenth_of_a_tiers_stake_must_be_the_operators_own(total: int, own: int, tier: Tier) -> None:
    assert rules.find_tier(DEFAULT.nodes, whole(total), whole(own), hardware()) is tier


@given(st.integers(0, 50_000), st.integers(0, 50_000), st.integers(0, 20_000), st.integers(0, 70_000))
def test_more_stake_never_lowers_the_tier(stake: int, more: int, cpu: int, memory: int) -> None:
    machine = hardware(cpu, memory)
    params, own = DEFAULT.nodes, whole(stake)
    richer = Wei(U256(own + whole(more)))
    assert rules.find_tier(params, own, own, machine) <= rules.find_tier(params, richer, own, machine)
    assert rules.find_tier(params, richer, own, machine) <= rules.find_tier(params, richer, richer, machine)


def test_hardware_in_use_cannot_shrink_below_its_leases_or_change_its_kind() -> None:
    used = Usage(U32(1000), U32(1000), U32(1000), U8(0))
    before = hardware()
    rules.check_holds(hardware(1000, 1000, 1000), before, used)
    for smaller in (hardware(999), hardware(memory=999), hardware(disk=999)):
        with pytest.raises(InvalidDeclaration, match="hardware"):
            rules.check_holds(smaller, before, used)
    with pytest.raises(InvalidDeclaration):
        rules.check_holds(hardware(architecture=Architecture.ARM64), before, used)
    rules.check_holds(hardware(1, architecture=Architecture.ARM64), before, Usage(U32(0), U32(0), U32(0), U8(0)))
