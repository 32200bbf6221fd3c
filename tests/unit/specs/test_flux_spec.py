"""Specs of the Flux network, versions 1 to 8, read into the same spec as a Compose file."""

import contextlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux.contracts.apps.types import AppSpec, Component, Http, Mount, Port, PrivateComponent, Volume
from flux.specs.findings import Finding, Severity
from flux.specs.load import load
from flux.specs.loaded import LoadedSpec, SpecRefused

Read = Callable[..., LoadedSpec]
Refusals = Callable[..., list[Finding]]

V3 = {
    "version": 3,
    "name": "dibiFetch",
    "description": "A page",
    "owner": "196GJWyLxzAw3MirTT7Bqs2iGpUQio29GH",
    "repotag": "thetrunk/dibi-ui:latest",
    "ports": [31350],
    "containerPorts": [80],
    "domains": [""],
    "enviromentParameters": ["PASSWORD=hunter2=x", "EMPTY="],
    "commands": ["--serve", "all"],
    "containerData": "/tmp",
    "cpu": 0.5,
    "ram": 500,
    "hdd": 5,
    "instances": 4,
    "tiered": False,
    "cpubasic": 0.5,
    "rambasic": 500,
    "hddbasic": 5,
}


def part(**changes: object) -> dict[str, object]:
    """A component of versions 4 and later."""
    return {
        "name": "web",
        "description": "",
        "repotag": "nginx:1.27",
        "ports": [33333],
        "domains": [""],
        "environmentParameters": [],
        "commands": [],
        "containerPorts": [8080],
        "containerData": "/data",
        "cpu": 1.2,
        "ram": 1000,
        "hdd": 20,
        "repoauth": "",
        **changes,
    }


def app(*parts: dict[str, object], **changes: object) -> str:
    """A spec of version 8."""
    document = {
        "version": 8,
        "name": "shop",
        "description": "",
        "owner": "0x" + "11" * 20,
        "compose": list(parts),
        "instances": 1,
        "contacts": [],
        "geolocation": [],
        "expire": 88_000,
        "nodes": [],
        "staticip": False,
        "enterprise": "",
        **changes,
    }
    return json.dumps(document, indent=1)


def test_version_3_with_one_container(read: Read) -> None:
    loaded = read(json.dumps(V3))
    assert loaded.options.name == "dibifetch"
    assert loaded.options.instances == 4
    assert loaded.app_spec.components == (
        Component(
            name="dibifetch",
            image="docker.io/thetrunk/dibi-ui:latest",
            cpu_milli=500,
            memory_mib=500,
            disk_mib=1024,
            ports=(Port(80),),
            mounts=(Mount("dibifetch-data", "/tmp"),),
        ),
    )
    assert loaded.app_spec.volumes == (Volume("dibifetch-data", 5120),)
    assert loaded.app_spec.http == Http("dibifetch", 80)
    assert loaded.private.components == (
        PrivateComponent(
            "dibifetch", environment=(("EMPTY", ""), ("PASSWORD", "hunter2=x")), command=("--serve", "all")
        ),
    )
    assert loaded.app_spec.private
    assert "hunter2" not in "\n".join(map(str, loaded.findings))


def test_version_1_with_a_single_port_runs_three_times(read: Read) -> None:
    document = {
        key: value for key, value in V3.items() if key not in ("ports", "containerPorts", "domains", "instances")
    }
    loaded = read(json.dumps({**document, "version": 1, "port": 31350, "containerPort": 80}))
    assert loaded.app_spec.components[0].ports == (Port(80),)
    assert loaded.options.instances == 3


def test_version_8_whose_components_address_each_other_by_the_network_s_names(read: Read) -> None:
    loaded = read(
        app(
            part(
                name="WordPress",
                environmentParameters=["DB_HOST=fluxMySQL_shop:3306", "DB_PASS=pw"],
                containerData="/var/www/html",
            ),
            part(
                name="MySQL",
                repotag="mysql:8",
                ports=[],
                containerPorts=[],
                domains=[],
                containerData="/var/lib/mysql|m:backups:/backups",
                hdd=5,
            ),
            geolocation=["aEU", "bFR"],
            staticip=True,
        )
    )
    web, db = loaded.app_spec.components
    assert (web.name, db.name) == ("wordpress", "mysql")
    assert (web.cpu_milli, web.memory_mib) == (1200, 1000)
    assert dict(loaded.private.components[0].environment) == {"DB_HOST": "mysql:3306", "DB_PASS": "pw"}
    assert db.mounts == (Mount("mysql-data", "/var/lib/mysql"), Mount("mysql-backups", "/backups"))
    assert loaded.app_spec.volumes == (
        Volume("wordpress-data", 20_480),
        Volume("mysql-data", 5120),
        Volume("mysql-backups", 5120),
    )
    assert loaded.app_spec.constraints.geo == ("acEU_FR",)
    assert loaded.app_spec.constraints.static_ip
    assert loaded.app_spec.http == Http("wordpress", 8080)


def test_a_component_may_mount_the_data_of_another(read: Read) -> None:
    loaded = read(app(part(name="a"), part(name="b", ports=[], containerPorts=[], containerData="/own|0:/shared")))
    assert loaded.app_spec.components[1].mounts == (Mount("b-data", "/own"), Mount("a-data", "/shared"))


def test_what_the_network_keeps_and_this_one_does_not_is_warned_about(read: Read) -> None:
    loaded = read(app(part(domains=["shop.example.org"]), contacts=["me@example.org"], description="Shop"))
    warned = {finding.key for finding in loaded.findings if finding.severity is Severity.WARNED}
    assert warned == {"description", "owner", "contacts", "expire", "compose[0].domains", "compose[0].ports"}


def test_synchronised_data_is_accepted_for_one_instance_only(read: Read, refusals: Refusals) -> None:
    assert read(app(part(containerData="r:/data"))).app_spec.components[0].mounts == (Mount("web-data", "/data"),)
    (found,) = refusals(app(part(containerData="g:/data"), instances=3))
    assert found.key == "compose[0].containerData"
    assert "not synchronised" in found.message


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        (app(enterprise="abcd", contacts=[]), "enterprise", "deploy the original"),
        (app(part(), nodes=["1.2.3.4"]), "nodes", "geolocation"),
        (app(part(), datacenter=True), "datacenter", "data centre"),
        (app(part(), geolocation=["EU"]), "geolocation[0]", "acEU_FR"),
        (app(part(), instances=0), "instances", "from 1"),
        (app(part(), version=9), "version", "from 1 to 8"),
        (app(part(), version=2), "version", "does not fit"),
        (app(part(), expires=1), "expires", "did you mean 'expire'?"),
        (app(part(repotag="Nginx")), "compose[0].repotag", "lower case"),
        (app(part(repoauth="user:token")), "compose[0].repoauth", "docker login"),
        (app(part(secrets="-----BEGIN")), "compose[0].secrets", "docker login"),
        (app(part(cpu="many")), "compose[0].cpu", "expected a number"),
        (app(part(cpu=0)), "compose[0].cpu", "more than 0"),
        (app(part(ram=True)), "compose[0].ram", "expected a number"),
        (app(part(containerPorts=[99999])), "compose[0].containerPorts[0]", "from 1 to 65535"),
        (app(part(environmentParameters=["novalue"])), "compose[0].environmentParameters[0]", "NAME=value"),
        (app(part(environmentParameters=["F_S_ENV=https://x"])), "compose[0].environmentParameters[0]", "not fetched"),
        (app(part(commands=["F_S_CMD=https://x"])), "compose[0].commands[0]", "not fetched"),
        (app(part(containerData="data")), "compose[0].containerData", "/path"),
        (app(part(containerData="/")), "compose[0].containerData", "can't be kept"),
        (app(part(containerData="/a/../b")), "compose[0].containerData", "/path"),
        (app(part(containerData="/a|f:x.conf:/etc/x.conf")), "compose[0].containerData", "single file"),
        (app(part(containerData="/a|7:/b")), "compose[0].containerData", "no component 7"),
        (app(part(containerData="/a|m:x:/a")), "compose[0].containerData", "already"),
        (app(part(containerData="/a|nonsense")), "compose[0].containerData", "not understood"),
        (app(part(), part(name="WEB")), "compose[1]", "twice"),
        (app(part(name="a b")), "compose[0].name", "letters and digits"),
        (app(), "compose", "no component"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_key_and_line(
    refusals: Refusals, text: str, key: str, words: str
) -> None:
    found = refusals(text)
    assert [(finding.key, words in finding.message) for finding in found] == [(key, True)]
    assert found[0].line > 1


def test_a_missing_name_image_or_size_is_said(refusals: Refusals) -> None:
    found = refusals(json.dumps({"version": 8, "name": "x", "compose": [{}]}))
    assert {word for finding in found for word in ("repotag", "cpu", "ram", "hdd") if word in finding.message} == {
        "repotag",
        "cpu",
        "ram",
        "hdd",
    }


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_values_give_findings_or_a_spec_that_the_chain_accepts(
    accepted_on_chain: Callable[[AppSpec], None], data: st.DataObject
) -> None:
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(part())), _values, max_size=3))
    changes = data.draw(
        st.dictionaries(
            st.sampled_from(["name", "compose", "instances", "geolocation", "staticip", "version"]), _values
        )
    )
    with contextlib.suppress(SpecRefused):
        accepted_on_chain(load(app(part(**changed), **changes)).app_spec)
