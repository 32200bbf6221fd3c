"""Ten Compose files that can't be honoured: each refusal names its key and line, and all are reported at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flux.specs.findings import Finding, Severity
from flux.specs.load import load
from flux.specs.loaded import SpecRefused

Refusals = Callable[..., list[Finding]]

EXPECTED = {
    "traefik-socket": [(8, "services.proxy.volumes[1]", "engine's socket")],
    "bind-mounts": [
        (6, "services.web.volumes[0]", "use a named volume, site:/usr/share/nginx/html"),
        (7, "services.web.volumes[1]", "~/nginx.conf"),
    ],
    "build": [(3, "services.api.build", "build and push the image")],
    "vpn": [
        (4, "services.wireguard.cap_add", "capabilities"),
        (7, "services.wireguard.sysctls", "kernel settings"),
        (13, "services.torrent.network_mode", "service:wireguard"),
    ],
    "home-assistant": [
        (4, "services.homeassistant.privileged", "privileged"),
        (5, "services.homeassistant.network_mode", "host"),
        (6, "services.homeassistant.devices", "devices"),
    ],
    "typos": [
        (4, "services.web.enviroment", "did you mean 'environment'?"),
        (6, "services.web.port", "did you mean 'ports'?"),
        (10, "services.web.healthcheck.intervall", "did you mean 'interval'?"),
        (13, "services.web.deploy.resources.limit", "did you mean 'limits'?"),
        (15, "volume", "did you mean 'volumes'?"),
        (18, "x-flux.instance", "did you mean 'instances'?"),
        (19, "x-flux.max_prize", "did you mean 'max_price'?"),
    ],
    "wrong-values": [
        (3, "services.web.image", "lower case"),
        (5, "services.web.ports[0]", "1 to 65535"),
        (6, "services.web.ports[1]", "8080:80"),
        (7, "services.web.restart", "unless-stopped"),
        (8, "services.web.cpus", "number of cores"),
        (9, "services.web.mem_limit", "512m"),
        (10, "services.web.stop_grace_period", "write 10s for seconds"),
        (13, "services.web.healthcheck.interval", "30s"),
        (14, "services.web.healthcheck.retries", "from 1 to 100"),
        (15, "services.web.command", "never closed"),
        (17, "x-flux.instances", "whole number"),
        (18, "x-flux.geo", "acEU_FR"),
        (19, "x-flux.max_price", "9 decimals"),
        (20, "x-flux.deposit", "amount of FLUX"),
        (21, "x-flux.tier", "cumulus, nimbus, stratus"),
    ],
    "secrets": [
        (7, "services.db.secrets[0]", "did you mean db_root_password?"),
        (9, "services.db.secrets[1].target", "path of a file"),
        (11, "services.db.secrets[2].mode", "such as 0440"),
        (12, "services.db.secrets[3]", "add source: name"),
        (13, "services.db.configs", "put the file into the image"),
        (20, "secrets.token.environment", "set it"),
        (22, "secrets.missing.file", "No such file"),
    ],
    "circle": [
        (5, "services.app.depends_on.worker", "in a circle"),
        (6, "services.app.depends_on.databse", "no such service"),
        (8, "services.app.volumes[0]", "add uploads:"),
        (12, "services.my_db", "for example to my-db"),
        (15, "services.my_db.environment.POSTGRES_PASSWORD", "set DB_PASSWORD"),
        (17, "services.my_db.volumes[0]", "did you mean pg_data?"),
        (20, "volumes.pg_data.external", "without external"),
    ],
    "names-and-hosts": [
        (4, "services.database.container_name", "write database there"),
        (9, "services.web.extra_hosts", "DNS"),
        (11, "services.web.extends", "anchor"),
        (15, "services.web.links[0]", "write database where db is used"),
        (16, "include", "put everything into this file"),
    ],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_that_cannot_be_honoured_is_refused_by_key_and_line(
    refusals: Refusals, vectors: Path, name: str
) -> None:
    found = refusals(vectors / "refused" / f"{name}.yaml")
    assert [(finding.line, finding.key) for finding in found] == [(line, key) for line, key, _ in EXPECTED[name]]
    for finding, (_, _, words) in zip(found, EXPECTED[name], strict=True):
        assert words in finding.message
        assert finding.file.endswith(f"{name}.yaml")
        assert finding.column > 0


def test_every_refused_file_is_tested(vectors: Path) -> None:
    assert {path.stem for path in (vectors / "refused").glob("*.yaml")} == set(EXPECTED)


_OFF = (
    "cap_add: []",
    "privileged: false",
    "devices: null",
    "pid: ''",
    "ipc: private",
    "extra_hosts: {}",
    "secrets: []",
)
_REFUSED = (
    "privileged: yes",
    "pid: host",
    "ipc: host",
    "uts: host",
    "userns_mode: host",
    "runtime: nvidia",
    "isolation: hyperv",
    "cgroup: host",
    "cgroup_parent: m-executor-abcd",
    "credential_spec: {file: a.json}",
    "device_cgroup_rules: ['c 1:3 mr']",
    "external_links: [redis]",
    "group_add: [mail]",
    "label_file: ./labels",
    "security_opt: [seccomp:unconfined]",
    "security_opt: ['apparmor=unconfined']",
    "sysctls: {net.core.somaxconn: 1024}",
    "volumes_from: [other]",
    "network_mode: none",
    "gpus: [{driver: nvidia}]",
    "post_start: [{command: a}]",
    "pre_stop: [{command: a}]",
    "provider: {type: x}",
    "use_api_socket: true",
    "platform: windows/amd64",
    "deploy: {mode: global}",
    "deploy: {placement: {constraints: [node.role==manager]}}",
    "networks: {default: {ipv4_address: 10.0.0.2}}",
    "labels: {flux.app: mine}",
    "user: 'root; rm'",
    "hostname: 'a b'",
    "working_dir: relative/path",
    "stop_signal: SIGNOTHING!",
    "shm_size: 2g",
    "mem_limit: 1m",
    "cpus: 0.001",
    "tmpfs: relative",
    "volumes: ['data:/']",
    "volumes: ['data:relative']",
    "volumes: ['da ta:/data']",
    "volumes: ['data:/data:rx']",
    "volumes: [{type: npipe, source: a, target: /b}]",
    "volumes: [{type: volume, source: data}]",
    "ports: [{published: 80}]",
    "ports: ['1-2:1-5']",
    "ports: ['80/sctp']",
    "ports: ['1000-2000']",
    "ports: ['999.1.1.1.1:80:80']",
    "restart: 'always:3'",
    "healthcheck: {interval: 5s}",
    "healthcheck: {test: [ping]}",
    "healthcheck: {test: ''}",
    "environment: [=value]",
    "environment: {A: [1]}",
    "env_file: missing.env",
    "depends_on: [web]",
    "depends_on: {db: {condition: service_ready}}",
    "scale: 5000",
    "profiles: {a: b}",
)


@pytest.mark.parametrize("key", _REFUSED)
def test_a_key_that_would_change_what_runs_is_refused_at_its_line(refusals: Refusals, key: str) -> None:
    text = f"services:\n  web:\n    image: nginx\n    {key}\nvolumes:\n  data:\n"
    found = refusals(text)
    assert found
    assert all(finding.line in (2, 4) for finding in found)
    assert any(finding.key.startswith("services.web") for finding in found)


@pytest.mark.parametrize("key", _OFF)
def test_a_key_that_is_off_is_not_mentioned(read: Callable[..., object], key: str) -> None:
    read(f"services:\n  web:\n    image: nginx\n    restart: always\n    {key}\n")


def test_what_is_refused_is_not_said_to_be_honoured_as_well() -> None:
    text = """\
services:
  web: {image: nginx:1}
x-flux:
  instances: -3
  deposit: 5
  update: {order: sideways}
"""
    with pytest.raises(SpecRefused) as caught:
        load(text)
    honoured = {item.key for item in caught.value.findings if item.severity is Severity.HONOURED}
    assert honoured == {"services.web.image", "x-flux.deposit"}
