"""A spec is accepted, or refused with one sentence that says what is wrong."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.contracts.apps import component_rules, rules
from flux.contracts.apps.types import (
    AppSpec,
    Constraints,
    Dependency,
    Health,
    Http,
    InvalidInstances,
    InvalidName,
    InvalidSpec,
    Mount,
    Port,
    Revision,
    Update,
    Volume,
    encode_spec,
)
from flux.primitives.types import U32
from flux.protocol.params import DEFAULT
from support.contract_lab import IMAGE, component, spec

PARAMS = DEFAULT.apps
DATA = Volume("data", 100)


def refusal(value: AppSpec | bytes) -> str:
    data = value if isinstance(value, bytes) else encode_spec(value)
    with pytest.raises(InvalidSpec) as caught:
        rules.check_spec(data, PARAMS)
    return caught.value.reason


def accept(value: AppSpec) -> None:
    assert rules.check_spec(encode_spec(value), PARAMS) == value


def with_component(**changes: Any) -> AppSpec:
    return spec(component(**changes), volumes=(DATA,))


def with_constraints(**changes: Any) -> AppSpec:
    return spec(constraints=Constraints(**changes))


def test_a_full_spec_is_accepted() -> None:
    database = component(
        "db",
        disk_mib=10,
        mounts=(Mount("data", "/var/lib/db"),),
        tmpfs=("/tmp",),
        health=Health("command", interval_ms=1000),
        restart="on-failure",
        user="999:999",
        working_dir="/srv",
        hostname="db.local",
        stop_signal="SIGINT",
        shm_mib=64,
        labels=(("org.example.team", "ops"),),
    )
    web = component(
        ports=(Port(80), Port(443), Port(443, "udp")),
        depends_on=(Dependency("db", "healthy"),),
        health=Health("http", port=80, path="/health"),
        working_dir="/",
    )
    accept(
        AppSpec(
            (web, database),
            (DATA,),
            Http("web", 80),
            Constraints(
                geo=("acEU", "a!cEU_CZ"),
                min_tier=2,
                max_price_gwei_hour=5,
                architectures=("amd64", "arm64"),
                spread="country",
                gpu_model="NVIDIA H200",
                gpu_count=1,
            ),
            private=True,
        )
    )


@pytest.mark.parametrize("name", ["a", "shop", "my-shop-2", "a" * 63])
def test_a_dns_label_is_a_name(name: str) -> None:
    rules.check_name(name)


@pytest.mark.parametrize(
    "name", ["", "1shop", "-a", "a-", "Shop", "a_b", "a.b", "a" * 64, "a b", "ä", "a\n", "\u202ea"]
)
def test_anything_else_is_no_name(name: str) -> None:
    with pytest.raises(InvalidName) as caught:
        rules.check_name(name)
    assert "\n" not in caught.value.name
    assert "\u202e" not in caught.value.name


@pytest.mark.parametrize("count", [0, 101, 2**16 - 1])
def test_a_number_of_instances_has_bounds(count: int) -> None:
    rules.check_instances(1, PARAMS)
    rules.check_instances(100, PARAMS)
    with pytest.raises(InvalidInstances):
        rules.check_instances(count, PARAMS)


CANONICAL = encode_spec(spec())


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: b"{}",
        lambda data: b"null",
        lambda data: b"[" * 5000,
        lambda data: data + b" ",
        lambda data: b" " + data,
        lambda data: data.replace(b":", b": ", 1),
        lambda data: data[:-1],
        lambda data: data.replace(b"1000", b"1000.0"),
        lambda data: data.replace(b"1000", b"1e3"),
        lambda data: data.replace(b"1000", b'"1000"'),
        lambda data: data.replace(b"1000", b"true"),
        lambda data: data.replace(b"1000", b"9" * 4000),
        lambda data: data.replace(b'"web"', b'"\\u0077eb"'),
        lambda data: data.replace(b'"web"', b'"\\ud800"'),
        lambda data: data.replace(b'"web"', b'"\xff"'),
        lambda data: data[:-1] + b',"private":false}',
        lambda data: data[:-1] + b',"unknown":1}',
        lambda data: data[:-1] + b',"x\\u001b[31m":1}',
        lambda data: data[:-1] + data[1:],
    ],
)
def test_bytes_that_are_not_canonical_are_refused(change: Callable[[bytes], bytes]) -> None:
    changed = change(CANONICAL)
    assert changed != CANONICAL
    assert "\x1b" not in refusal(changed)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data: bytes) -> None:
    assert refusal(data)


@given(st.integers(0, len(CANONICAL) - 1), st.integers(0, 255))
def test_a_flipped_byte_is_refused_or_is_another_canonical_spec(place: int, byte: int) -> None:
    changed = CANONICAL[:place] + bytes([byte]) + CANONICAL[place + 1 :]
    try:
        accepted = rules.check_spec(changed, PARAMS)
    except InvalidSpec:
        return
    assert encode_spec(accepted) == changed


def test_size_and_number_of_components_are_limited() -> None:
    assert "bytes; at most" in refusal(b" " * (PARAMS.max_spec_bytes + 1))
    assert "components; 1 to" in refusal(AppSpec(()))
    assert "components; 1 to" in refusal(spec(*[component(f"c{number}") for number in range(11)]))


@pytest.mark.parametrize(
    "image",
    [
        "registry.test/hello@sha256:" + "ab" * 32,
        "127.0.0.1:5000/a/b_c/d.e-f@sha256:" + "00" * 32,
        "docker.io/library/nginx@sha256:" + "ff" * 32,
        "[::1]:5000/hello@sha256:" + "ab" * 32,
    ],
)
def test_a_pinned_image_is_accepted(image: str) -> None:
    accept(with_component(image=image))


@pytest.mark.parametrize(
    "image",
    [
        "",
        "nginx",
        "docker.io/library/nginx:1.27",
        "docker.io/library/nginx:1.27@sha256:" + "ab" * 32,
        "nginx@sha256:" + "ab" * 32,
        "docker.io/nginx@sha256:" + "AB" * 32,
        "docker.io/nginx@sha256:" + "ab" * 31,
        "docker.io/nginx@sha512:" + "ab" * 64,
        "docker.io/Nginx@sha256:" + "ab" * 32,
        "docker.io/a//b@sha256:" + "ab" * 32,
        "docker.io/a/@sha256:" + "ab" * 32,
        "docker.io/-a@sha256:" + "ab" * 32,
        "docker.io/a b@sha256:" + "ab" * 32,
        "docker.io/" + "a/" * 200 + "a@sha256:" + "ab" * 32,
        IMAGE + "\n",
    ],
)
def test_an_image_without_its_digest_is_refused(image: str) -> None:
    assert "@sha256:" in refusal(with_component(image=image))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Web"}, "component 'Web'"),
        ({"name": ""}, "the name is not"),
        ({"name": "a" * 64}, "the name is not"),
        ({"name": "web\x1b[31m"}, "web?[31m"),
        ({"cpu_milli": 9}, "cpu_milli"),
        ({"cpu_milli": -1}, "cpu_milli"),
        ({"memory_mib": 5}, "memory_mib"),
        ({"disk_mib": -1}, "disk_mib"),
        ({"shm_mib": 65}, "shm_mib"),
        ({"shm_mib": -1}, "shm_mib"),
        ({"ports": (Port(0),)}, "port must be between"),
        ({"ports": (Port(65536),)}, "port must be between"),
        ({"ports": (Port(80, "sctp"),)}, "protocol must be one of"),
        ({"ports": (Port(80), Port(80))}, "port '80/tcp' occurs twice"),
        ({"ports": tuple(Port(1 + number) for number in range(65))}, "65 ports"),
        ({"mounts": (Mount("cache", "/x"),)}, "volume 'cache'"),
        ({"mounts": (Mount("data", "x"),)}, "absolute path"),
        ({"mounts": (Mount("data", "/"),)}, "absolute path"),
        ({"mounts": (Mount("data", "/a/../b"),)}, "absolute path"),
        ({"mounts": (Mount("data", "/a//b"),)}, "absolute path"),
        ({"mounts": (Mount("data", "/a/"),)}, "absolute path"),
        ({"mounts": (Mount("data", "/a\x00"),)}, "absolute path"),
        ({"mounts": (Mount("data", "/" + "a" * 255),)}, "absolute path"),
        ({"mounts": (Mount("data", "/x"), Mount("data", "/x"))}, "mount path '/x' occurs twice"),
        ({"mounts": (Mount("data", "/x"),), "tmpfs": ("/x",)}, "mount path '/x' occurs twice"),
        ({"tmpfs": ("tmp",)}, "absolute path"),
        ({"tmpfs": tuple(f"/t{number}" for number in range(65))}, "65 mounts"),
        ({"depends_on": (Dependency("db"),)}, "depends on 'db'"),
        ({"depends_on": (Dependency("web"),)}, "circle"),
        ({"depends_on": (Dependency("web", "ready"),)}, "condition must be one of"),
        ({"depends_on": (Dependency("web"), Dependency("web"))}, "dependency 'web' occurs twice"),
        ({"restart": "unless-stopped"}, "restart must be one of"),
        ({"user": "a:b:c"}, "no user"),
        ({"hostname": "-a"}, "no hostname"),
        ({"stop_signal": "sigterm"}, "no stop_signal"),
        ({"working_dir": "srv"}, "absolute path"),
        ({"stop_grace_seconds": 601}, "stop_grace_seconds"),
        ({"stop_grace_seconds": -1}, "stop_grace_seconds"),
        ({"labels": (("", "x"),)}, "label"),
        ({"labels": (("a" * 129, "x"),)}, "label"),
        ({"labels": (("a", "x" * 1025),)}, "label"),
        ({"labels": (("flux.app", "1"),)}, "belongs to the node"),
        ({"labels": (("a", "1"), ("a", "2"))}, "label 'a' occurs twice"),
        ({"labels": tuple((f"l{number}", "") for number in range(65))}, "65 labels"),
        ({"health": Health("ping")}, "health kind"),
        ({"health": Health("command")}, "private half"),
        ({"health": Health("http", path="/")}, "health port"),
        ({"health": Health("http", port=80)}, "health path"),
        ({"health": Health("http", port=80, path="/" + "a" * 255)}, "health path"),
        ({"health": Health("tcp", port=80, path="/")}, "no path"),
        ({"health": Health("tcp", port=70000)}, "health port"),
        ({"health": Health("tcp", port=80, interval_ms=99)}, "interval_ms"),
        ({"health": Health("tcp", port=80, interval_ms=2**40)}, "interval_ms"),
        ({"health": Health("tcp", port=80, timeout_ms=0)}, "timeout_ms"),
        ({"health": Health("tcp", port=80, retries=0)}, "retries"),
        ({"health": Health("tcp", port=80, retries=101)}, "retries"),
        ({"health": Health("tcp", port=80, start_period_ms=-1)}, "start_period_ms"),
    ],
)
def test_a_component_is_refused_with_its_reason(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(with_component(**changes))


def test_a_health_command_has_no_port() -> None:
    checked = msgspec.structs.replace(with_component(health=Health("command", port=1)), private=True)
    assert "neither port nor path" in refusal(checked)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"geo": ("EU",)}, "geolocation rule"),
        ({"geo": ("acXX",)}, "continent"),
        ({"geo": tuple(f"acEU_F{letter}" for letter in "ABCDEFGHIJK")}, "11 geo rules"),
        ({"min_tier": 0}, "min_tier"),
        ({"min_tier": 4}, "min_tier"),
        ({"max_price_gwei_hour": -1}, "max_price"),
        ({"max_price_gwei_hour": 2**53 + 1}, "max_price"),
        ({"architectures": ()}, "architectures"),
        ({"architectures": ("arm64", "amd64")}, "architectures"),
        ({"architectures": ("amd64", "amd64")}, "architectures"),
        ({"architectures": ("amd64", "riscv64")}, "architectures"),
        ({"spread": "continent"}, "spread"),
        ({"gpu_count": 65}, "gpu_count"),
        ({"gpu_count": -1}, "gpu_count"),
        ({"gpu_model": "H200"}, "GPU"),
        ({"gpu_count": 1, "gpu_model": "a" * 65}, "GPU"),
        ({"gpu_count": 1, "gpu_model": "a\n"}, "GPU"),
    ],
)
def test_constraints_are_refused_with_their_reason(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(with_constraints(**changes))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (spec(volumes=(Volume("a/b", 1),)), "volume 'a/b'"),
        (spec(volumes=(Volume("data", 0),)), "at least 1 MiB"),
        (spec(volumes=(DATA, DATA)), "volume 'data' occurs twice"),
        (spec(volumes=tuple(Volume(f"v{number}", 1) for number in range(65))), "65 volumes"),
        (spec(component(), component()), "component 'web' occurs twice"),
        (spec(http=Http("db", 80)), "no component 'db'"),
        (spec(http=Http("web", 80)), "does not offer the tcp port 80"),
        (spec(component(ports=(Port(80, "udp"),)), http=Http("web", 80)), "does not offer"),
        (spec(component(cpu_milli=8000), component("db", cpu_milli=8000)), "cpu_milli 16000"),
        (spec(component(memory_mib=59_001)), "memory_mib 59001"),
        (spec(component(disk_mib=1), volumes=(Volume("v", 820 * 1024),)), "disk_mib"),
    ],
)
def test_a_whole_is_refused_with_its_reason(value: AppSpec, words: str) -> None:
    assert words in refusal(value)


def test_a_circle_of_dependencies_names_who_is_in_it() -> None:
    parts = (
        component("a", depends_on=(Dependency("b"),)),
        component("b", depends_on=(Dependency("c"),)),
        component("c", depends_on=(Dependency("a"),)),
        component("d"),
        component("e", depends_on=(Dependency("a"), Dependency("d"))),
    )
    assert "a, b, c, e" in refusal(spec(*parts))
    accept(spec(*parts[2:4], msgspec.structs.replace(parts[1]), component("a")))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_an_order_is_accepted_exactly_when_following_dependencies_ends(edges: list[tuple[int, int]]) -> None:
    needs = {number: sorted({target for source, target in edges if source == number}) for number in range(6)}
    parts = [
        component(f"c{number}", depends_on=tuple(Dependency(f"c{need}") for need in needs[number])) for number in needs
    ]

    def ends(number: int, path: tuple[int, ...]) -> bool:
        return number not in path and all(ends(need, (*path, number)) for need in needs[number])

    whole = spec(*parts)
    if all(ends(number, ()) for number in needs):
        accept(whole)
    else:
        assert "circle" in refusal(whole)


def test_a_ciphertext_is_sent_exactly_when_it_is_announced() -> None:
    public = spec()
    private = spec(private=True)
    rules.check_ciphertext(public, b"", PARAMS)
    rules.check_ciphertext(private, b"x", PARAMS)
    for value, data in ((public, b"x"), (private, b""), (private, b"x" * (PARAMS.max_ciphertext_bytes + 1))):
        with pytest.raises(InvalidSpec):
            rules.check_ciphertext(value, data, PARAMS)


@pytest.mark.parametrize(
    ("highest", "used", "kept"),
    [(1, [], [1]), (4, [], [2, 3, 4]), (4, [4], [2, 3, 4]), (9, [2, 5], [2, 5, 7, 8, 9])],
)
def test_old_specs_stay_while_they_are_new_enough_or_used(highest: int, used: list[int], kept: list[int]) -> None:
    numbers = [Revision(U32(number)) for number in range(1, highest + 1)]
    in_use = [Revision(U32(number)) for number in used]
    assert [number for number in numbers if rules.is_kept(number, Revision(U32(highest)), 3, in_use)] == kept


@pytest.mark.parametrize(
    ("update", "words"),
    [
        (Update(parallelism=0), "parallelism"),
        (Update(delay_seconds=86_401), "delay_seconds"),
        (Update(monitor_seconds=-1), "monitor_seconds"),
        (Update(order="both"), "order"),
        (Update(on_failure="weep"), "on_failure"),
    ],
)
def test_an_update_is_within_bounds_and_uses_known_words(update: Update, words: str) -> None:
    assert words in refusal(spec(update=update))


def test_no_volume_is_opened_twice_for_an_update() -> None:
    volumes = (Volume("data", 10),)
    assert "volume" in refusal(spec(volumes=volumes, update=Update(order="start-first")))
    accept(spec(volumes=volumes, update=Update(order="stop-first")))


def test_foreign_text_is_shown_short_and_without_control_characters() -> None:
    assert component_rules.shown("a\x1b\u202eb") == "'a??b'"
    assert len(component_rules.shown("a" * 1000)) < 70
