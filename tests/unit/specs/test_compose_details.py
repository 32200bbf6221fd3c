"""Choices that a Compose file leaves open, and how each is made."""

from collections.abc import Callable

import pytest

from flux.contracts.apps.types import Component, Dependency, Http, Port, PrivateComponent, Update
from flux.specs.findings import Finding, Severity
from flux.specs.loaded import LoadedSpec

Read = Callable[..., LoadedSpec]
Refusals = Callable[..., list[Finding]]


def service(read: Read, keys: str, *, more: str = "") -> Component:
    return read(
        f"services:\n  web:\n    image: nginx\n    {keys}\n  db: {{image: postgres}}\n{more}"
    ).app_spec.components[0]


def private(read: Read, keys: str) -> PrivateComponent:
    return read(f"services:\n  web:\n    image: nginx\n    {keys}\n").private.components[0]


def warnings(loaded: LoadedSpec) -> dict[str, str]:
    return {finding.key: finding.message for finding in loaded.findings if finding.severity is Severity.WARNED}


def test_defaults_are_half_a_core_256_mib_and_1_gib(read: Read) -> None:
    loaded = read("services: {web: {image: nginx, volumes: ['data:/data']}}\nvolumes: {data: }\n")
    component = loaded.app_spec.components[0]
    assert (component.cpu_milli, component.memory_mib, component.disk_mib) == (500, 256, 1024)
    assert loaded.app_spec.volumes[0].size_mib == 1024
    assert (component.restart, component.stop_grace_seconds) == ("always", 10)
    assert "restarted always" in warnings(loaded)["services.web"]
    assert loaded.options.instances == 1
    assert loaded.options.name is None


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("ports: [80]", (Port(80),)),
        ("ports: ['8080:80']", (Port(80),)),
        ("ports: ['0.0.0.0:8080:80/tcp']", (Port(80),)),
        ("ports: ['[::]:8080:80']", (Port(80),)),
        ("ports: ['53:53/udp', '53:53/tcp']", (Port(53, "udp"), Port(53))),
        ("ports: ['8000-8002:9000-9002']", (Port(9000), Port(9001), Port(9002))),
        ("ports: ['8000-8010:80']", (Port(80),)),
        ("ports: ['127.0.0.1:5432:5432']", ()),
        ("ports: ['127.0.0.1:80:80', '80:80']", (Port(80),)),
        ("ports: ['localhost:80:80']", ()),
        ("ports: ['127.0.0.1::80']", ()),
        ("ports: [':80']", (Port(80),)),
        ("ports: [{target: 80, published: '8080', app_protocol: http, name: web}]", (Port(80),)),
        ("ports: [{target: 80, host_ip: 127.0.0.1}]", ()),
        ("ports: [22:22]", (Port(22),)),
    ],
)
def test_ports_in_every_form(read: Read, keys: str, expected: tuple[Port, ...]) -> None:
    assert service(read, keys).ports == expected


@pytest.mark.parametrize(
    ("web", "extension", "http"),
    [
        ("ports: ['8080:8080']", "", Http("web", 8080)),
        ("ports: ['80:80', '443:443']", "", Http("web", 80)),
        ("ports: ['80:3000', '8081:8081']", "", Http("web", 3000)),
        ("ports: ['3000:3000', '8081:80']", "", Http("web", 80)),
        ("ports: ['5432:5432']", "", None),
        ("ports: ['3000:3000', '3001:3001']", "", None),
        ("ports: ['3000:3000', '3001:3001']", "3001", Http("web", 3001)),
        ("ports: ['9000:3000']", "9000", Http("web", 3000)),
        ("ports: ['127.0.0.1:3000:3000']", "3000", Http("web", 3000)),
        ("expose: [3000]", "3000", Http("web", 3000)),
        ("expose: [3000]", "web:3001", Http("web", 3001)),
        ("expose: [3000]", "", None),
        ("ports: ['80:80/udp']", "", None),
    ],
)
def test_the_port_behind_the_url(read: Read, web: str, extension: str, http: Http | None) -> None:
    more = f"x-flux: {{http_port: '{extension}'}}\n" if extension else ""
    loaded = read(f"services:\n  web:\n    image: nginx\n    {web}\n  db: {{image: postgres}}\n{more}")
    assert loaded.app_spec.http == http
    if http is not None:
        assert Port(http.port) in loaded.app_spec.components[0].ports


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("web:x", "neither a port"),
        ("wep:80", "did you mean web"),
        ("99999", "neither a port"),
        ("1234", "several services"),
    ],
)
def test_a_port_that_cannot_be_found_is_refused(refusals: Refusals, value: str, words: str) -> None:
    text = f"services: {{web: {{image: nginx}}, db: {{image: postgres}}}}\nx-flux: {{http_port: '{value}'}}\n"
    (found,) = refusals(text)
    assert found.key == "x-flux.http_port"
    assert words in found.message


@pytest.mark.parametrize(
    ("keys", "command"),
    [
        ("command: serve --name 'a b'", ("serve", "--name", "a b")),
        ("command: [serve, --port, 80, true]", ("serve", "--port", "80", "true")),
        ("command: []", ()),
        ("command: ''", ()),
        ("command: |\n      sh -c 'echo 1\n      echo 2'", ("sh", "-c", "echo 1\necho 2")),
        ("command: echo $$HOME", ("echo", "$HOME")),
    ],
)
def test_commands_are_split_as_a_shell_splits_words(read: Read, keys: str, command: tuple[str, ...]) -> None:
    assert private(read, keys).command == command


def test_no_command_leaves_the_image_s_own(read: Read) -> None:
    found = private(read, "command: null\n    environment: {A: b}")
    assert (found.command, found.entrypoint) == (None, None)


@pytest.mark.parametrize(
    ("test", "argv"),
    [
        ("curl -f http://localhost", ("/bin/sh", "-c", "curl -f http://localhost")),
        ("[CMD, curl, -f]", ("curl", "-f")),
        ("[CMD-SHELL, 'a || exit 1']", ("/bin/sh", "-c", "a || exit 1")),
        ("[NONE]", None),
        ("NONE", None),
    ],
)
def test_health_commands_in_every_form(read: Read, test: str, argv: tuple[str, ...] | None) -> None:
    loaded = read(f"services:\n  web:\n    image: nginx\n    healthcheck:\n      test: {test}\n")
    found = loaded.private.components[0].health_command if loaded.private.components else None
    assert found == argv
    assert (loaded.app_spec.components[0].health is None) == (argv is None)


@pytest.mark.parametrize(
    ("keys", "restart"),
    [
        ("restart: no", "no"),
        ("restart: 'no'", "no"),
        ("restart: false", "no"),
        ("restart: unless-stopped", "always"),
        ("restart: on-failure:3", "on-failure"),
        ("deploy: {restart_policy: {condition: none}}", "no"),
        ("deploy: {restart_policy: {condition: on-failure, max_attempts: 3}}", "on-failure"),
        ("deploy: {restart_policy: {}}", "always"),
    ],
)
def test_restart_policies_old_and_new(read: Read, keys: str, restart: str) -> None:
    assert service(read, keys).restart == restart


def test_what_others_wait_for_to_end_is_not_restarted_when_it_succeeds(read: Read, refusals: Refusals) -> None:
    text = (
        "services:\n  migrate: {image: app%s}\n"
        "  web: {image: app, depends_on: {migrate: {condition: service_completed_successfully}}}\n"
    )
    assert read(text % "").app_spec.components[0].restart == "on-failure"
    (found,) = refusals(text % ", restart: always")
    assert "never completes" in found.message


def test_of_two_conditions_the_stricter_holds(read: Read) -> None:
    text = (
        "services:\n  db: {image: postgres, healthcheck: {test: x}}\n"
        "  web:\n    image: nginx\n    links: [db]\n    depends_on: {db: {condition: service_healthy}}\n"
    )
    assert read(text).app_spec.components[1].depends_on == (Dependency("db", "healthy"),)


def test_a_dependency_that_is_not_required_may_be_absent(read: Read, refusals: Refusals) -> None:
    text = (
        "services:\n  web:\n    image: nginx\n    depends_on: {db: {condition: service_started%s}}\n"
        "  db: {image: a, profiles: [x]}\n"
    )
    assert read(text % ", required: false").app_spec.components[0].depends_on == ()
    (found,) = refusals(text % "")
    assert "left out" in found.message


def test_replicas_of_one_service_among_several_are_warned_about(read: Read) -> None:
    text = (
        "services:\n  web: {image: nginx, deploy: {replicas: 3}}\n  db: {image: postgres}\n"
        "  off: {image: x, scale: 0}\n"
    )
    loaded = read(text)
    assert loaded.options.instances == 1
    assert "x-flux.instances" in warnings(loaded)["services.web.deploy.replicas"]
    assert [found.name for found in loaded.app_spec.components] == ["web", "db"]


def test_x_flux_instances_go_before_replicas(read: Read) -> None:
    text = "services: {web: {image: nginx, scale: 3}}\nx-flux: {instances: 5}\n"
    assert read(text).options.instances == 5


@pytest.mark.parametrize(
    ("keys", "mounts", "tmpfs"),
    [
        ("volumes: ['data:/a/../b//c/']", [("data", "/b/c", False)], ()),
        ("volumes: ['data:/a:ro,z']", [("data", "/a", True)], ()),
        ("volumes: [{type: volume, source: data, target: /a, read_only: true}]", [("data", "/a", True)], ()),
        ("volumes: [{type: volume, target: /a, volume: {nocopy: true}}]", [("web-a", "/a", False)], ()),
        ("volumes: [{type: tmpfs, target: /a, tmpfs: {size: 5}}]", [], ("/a",)),
        ("volumes: ['/var/lib/x']", [("web-var-lib-x", "/var/lib/x", False)], ()),
        ("tmpfs: /run", [], ("/run",)),
        ("tmpfs: [/run, /tmp:rw, /run]", [], ("/run", "/tmp")),
    ],
)
def test_volumes_and_tmpfs_in_every_form(
    read: Read, keys: str, mounts: list[tuple[str, str, bool]], tmpfs: tuple[str, ...]
) -> None:
    component = service(read, keys, more="volumes: {data: }\n")
    assert [(mount.volume, mount.path, mount.read_only) for mount in component.mounts] == mounts
    assert component.tmpfs == tmpfs


@pytest.mark.parametrize("source", ["./a", "../a", "/srv/a", "~/a", "C:\\data", "c:/data", ".", "a/b"])
def test_every_path_of_a_host_is_refused_with_a_way_out(refusals: Refusals, source: str) -> None:
    (found,) = refusals(f"services:\n  web:\n    image: nginx\n    volumes: ['{source}:/target']\n")
    assert found.line == 4
    assert "use a named volume" in found.message


@pytest.mark.parametrize(
    ("volume", "size"),
    [("{x-flux-size: 2g}", 2048), ("{driver_opts: {size: 3g}}", 3072), ("{driver: local}", 1024), ("", 1024)],
)
def test_the_size_of_a_volume(read: Read, volume: str, size: int) -> None:
    text = f"services: {{web: {{image: nginx, volumes: ['data:/d']}}}}\nvolumes:\n  data: {volume}\n"
    assert read(text).app_spec.volumes[0].size_mib == size
    assert read(text + "x-flux: {volumes: {data: 7g}}\n").app_spec.volumes[0].size_mib == 7168


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ("{external: {name: x}}", "without external"),
        ("{driver: nfs}", "remove the driver"),
        ("{driver_opts: {type: nfs, o: addr=1.2.3.4, device: ':/x'}}", "can't be tied"),
        ("{driver_opts: {size: big}}", "expected a size"),
        ("{x-flux-size: 0}", "leave the key out"),
        ("{x-flux-sise: 1g}", "x-flux-size"),
        ("{drivr: local}", "did you mean 'driver'?"),
    ],
)
def test_a_volume_that_cannot_be_made_is_refused(refusals: Refusals, volume: str, words: str) -> None:
    text = f"services: {{web: {{image: nginx, volumes: ['data:/d']}}}}\nvolumes:\n  data: {volume}\n"
    assert all(words in finding.message and finding.line == 3 for finding in refusals(text))


def test_a_volume_nobody_mounts_is_warned_about_and_a_size_for_none_refused(read: Read, refusals: Refusals) -> None:
    text = "services: {web: {image: nginx}}\nvolumes: {data: }\n"
    loaded = read(text)
    assert loaded.app_spec.volumes == ()
    assert "not created" in warnings(loaded)["volumes.data"]
    (found,) = refusals(text + "x-flux: {volumes: {date: 1g}}\n")
    assert "did you mean data?" in found.message


@pytest.mark.parametrize(("stop_signal", "expected"), [("SIGINT", "SIGINT"), ("int", "SIGINT"), (15, "SIGTERM")])
def test_signals_by_name_and_number(read: Read, stop_signal: object, expected: str) -> None:
    assert service(read, f"stop_signal: {stop_signal}").stop_signal == expected


def test_labels_as_list_and_as_mapping_are_sorted(read: Read) -> None:
    expected = (("a", "1"), ("b", ""), ("c", "x=y"))
    assert service(read, "labels: [c=x=y, b, a=1]").labels == expected
    assert service(read, "labels: {c: x=y, b: null, a: 1}").labels == expected


def test_environment_as_list_and_as_mapping(read: Read) -> None:
    expected = (("A", "1"), ("B", ""), ("C", "x=y"), ("D", "1.10"), ("E", "true"))
    assert private(read, "environment: [C=x=y, B=, A=1, D=1.10, E=true]").environment == expected
    assert private(read, "environment: {C: x=y, B: '', A: 1, D: 1.10, E: true}").environment == expected


def test_variables_that_the_node_sets_are_left_to_it(read: Read) -> None:
    loaded = read("services:\n  web:\n    image: nginx\n    environment: {FLUX_APP: mine, A: b}\n")
    assert loaded.private.components[0].environment == (("A", "b"),)
    assert any("FLUX_APP is set by the node" in finding.message for finding in loaded.findings)


def test_an_image_that_is_also_built_is_taken_from_its_registry(read: Read) -> None:
    loaded = read("services: {web: {build: ., image: ghcr.io/me/web:1}}\n")
    assert "push it first" in warnings(loaded)["services.web.build"]


def test_the_engine_s_own_hardening_is_honoured(read: Read) -> None:
    loaded = read(
        "services:\n  web:\n    image: nginx\n    security_opt: ['no-new-privileges:true']\n    privileged: false\n"
    )
    assert "services.web.security_opt[0]" not in warnings(loaded)


@pytest.mark.parametrize(
    ("text", "architectures"),
    [("platform: linux/arm64/v8", ("arm64",)), ("platform: linux/amd64", ("amd64",)), ("init: true", ())],
)
def test_a_platform_restricts_the_nodes(read: Read, text: str, architectures: tuple[str, ...]) -> None:
    loaded = read(f"services:\n  web:\n    image: nginx\n    {text}\n")
    assert loaded.options.architectures == architectures
    assert loaded.app_spec.constraints.architectures == (architectures or ("amd64",))


def test_platforms_that_contradict_each_other_are_refused(refusals: Refusals) -> None:
    text = "services:\n  a: {image: x, platform: linux/amd64}\n  b: {image: y, platform: linux/arm64}\n"
    (found,) = refusals(text)
    assert "contradict" in found.message


def test_gpus_are_counted_over_the_instance(read: Read) -> None:
    reserve = "deploy: {resources: {reservations: {devices: [{driver: nvidia, count: %s, capabilities: [gpu]}]}}}"
    text = (
        f"services:\n  a:\n    image: x\n    {reserve % 2}\n  b:\n    image: y\n    {reserve % 'all'}\n"
        "  c: {image: z, gpus: all}\n"
    )
    assert read(text).app_spec.constraints.gpu_count == 4


def test_more_names_of_a_service_are_refused_only_where_they_are_used(read: Read, refusals: Refusals) -> None:
    text = (
        "services:\n  db:\n    image: postgres\n    networks: {back: {aliases: [pg]}}\n"
        "  web: {image: nginx, environment: {DB_HOST: %s}}\nnetworks: {back: {internal: true}}\n"
    )
    assert read(text % "db").app_spec.components
    (found,) = refusals(text % "pg")
    assert found.key == "services.db.networks.back.aliases[0]"


@pytest.mark.parametrize("name", ["Web", "my_db", "a.b", "-a", "x" * 64])
def test_a_service_name_that_does_not_resolve_is_refused_with_one_that_does(refusals: Refusals, name: str) -> None:
    assert any("rename it" in finding.message for finding in refusals(f"services:\n  {name}:\n    image: nginx\n"))


@pytest.mark.parametrize(("name", "expected"), [("my_project", "my-project"), ("Shop", "shop"), ("9lives", "lives")])
def test_a_project_name_becomes_the_nearest_app_name(read: Read, name: str, expected: str) -> None:
    assert read(f"name: {name}\nservices: {{web: {{image: nginx}}}}\n").options.name == expected


def test_x_flux_alone_decides_the_name_strictly(refusals: Refusals) -> None:
    (found,) = refusals("services: {web: {image: nginx}}\nx-flux: {name: My_App}\n")
    assert "write my-app" in found.message


def test_extension_fields_may_hold_anything(read: Read) -> None:
    read("x-a: ${UNSET:?not read}\nservices:\n  web: {image: nginx, x-b: [1, {c: $}]}\nx-: null\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("{}", None),
        ("{parallelism: 1, monitor: 10s, on_failure: rollback, order: auto}", None),
        ("{parallelism: 2, delay: 1m}", Update(parallelism=2, delay_seconds=60)),
        ("{monitor: 500ms}", Update(monitor_seconds=1)),
        ("{monitor: 3, on_failure: pause}", Update(monitor_seconds=3, on_failure="pause")),
        ("{order: stop-first, failure_action: continue}", Update(order="stop-first", on_failure="continue")),
    ],
)
def test_updates_are_said_in_composes_words(read: Read, words: str, expected: Update | None) -> None:
    own = read(f"services: {{web: {{image: nginx}}}}\nx-flux: {{update: {words}}}\n")
    assert own.app_spec.update == expected
    compose = read(f"services: {{web: {{image: nginx, deploy: {{update_config: {words}}}}}}}\n")
    assert compose.app_spec.update == expected


def test_the_apps_own_words_about_updates_go_before_a_services(read: Read) -> None:
    service = "services: {web: {image: nginx, deploy: {update_config: {parallelism: 0}}}}\n"
    assert read(service).app_spec.update == Update(parallelism=1_000)
    assert read(service + "x-flux: {update: {parallelism: 3}}\n").app_spec.update == Update(parallelism=3)


def test_components_of_one_instance_are_updated_together(read: Read) -> None:
    web = "web: {image: nginx, deploy: {update_config: {parallelism: 2}}}"
    loaded = read(f"services: {{{web}, db: {{image: pg, deploy: {{update_config: {{parallelism: 3}}}}}}}}\n")
    assert loaded.app_spec.update == Update(parallelism=2)
    assert "that of web, which counts" in warnings(loaded)["services.db"]


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("{parallelism: -1}", "x-flux.update.parallelism"),
        ("{order: both}", "x-flux.update.order"),
        ("{delay: soon}", "x-flux.update.delay"),
        ("{monitor: 25h}", "x-flux.update.monitor"),
        ("{on_failure: weep}", "x-flux.update.on_failure"),
        ("{speed: 3}", "x-flux.update.speed"),
    ],
)
def test_mistakes_about_updates_are_refused_with_their_place(refusals: Refusals, words: str, key: str) -> None:
    found = refusals(f"services: {{web: {{image: nginx}}}}\nx-flux: {{update: {words}}}\n")
    assert [finding.key for finding in found] == [key]


def test_no_volume_is_opened_twice_for_an_update(refusals: Refusals) -> None:
    text = "services: {web: {image: nginx, volumes: ['data:/data']}}\nvolumes: {data: }\n"
    (found,) = refusals(text + "x-flux: {update: {order: start-first}}\n")
    assert "stop-first" in found.message


@pytest.mark.parametrize("number", ["-1", "6", "two"])
def test_so_many_nodes_and_no_more_may_stand_by(read: Read, refusals: Refusals, number: str) -> None:
    text = "services: {web: {image: nginx}}\nx-flux: {standby: %s}\n"
    assert read(text % 3).app_spec.standby == 3
    (found,) = refusals(text % number)
    assert found.key == "x-flux.standby"
