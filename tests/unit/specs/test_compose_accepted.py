"""Ten Compose files of the kinds that people publish, and exactly what becomes of each."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flux.contracts.apps.types import (
    Component,
    Constraints,
    Dependency,
    Health,
    Http,
    Mount,
    Port,
    PrivateComponent,
    Volume,
)
from flux.primitives.types import flux
from flux.specs.findings import Severity
from flux.specs.loaded import LoadedSpec

Read = Callable[..., LoadedSpec]


def component(loaded: LoadedSpec, name: str) -> Component:
    return next(found for found in loaded.app_spec.components if found.name == name)


def private(loaded: LoadedSpec, name: str) -> PrivateComponent:
    return next(found for found in loaded.private.components if found.name == name)


def environment(loaded: LoadedSpec, name: str) -> dict[str, str]:
    return dict(private(loaded, name).environment)


def warned(loaded: LoadedSpec) -> list[tuple[int, str]]:
    return [(finding.line, finding.key) for finding in loaded.findings if finding.severity is Severity.WARNED]


def test_wordpress_with_mysql(read: Read, vectors: Path) -> None:
    loaded = read(vectors / "accepted" / "wordpress.yaml", {"DB_PASSWORD": "p4ss"})
    assert loaded.options.name == "my-blog"
    assert loaded.options.deposit == flux(25)
    assert component(loaded, "db") == Component(
        name="db",
        image="docker.io/library/mysql:8.0",
        cpu_milli=750,
        memory_mib=768,
        disk_mib=1024,
        mounts=(Mount("db_data", "/var/lib/mysql"),),
        health=Health("command", interval_ms=10_000, timeout_ms=5_000, retries=10, start_period_ms=90_000),
    )
    assert component(loaded, "wordpress").ports == (Port(80),)
    assert component(loaded, "wordpress").depends_on == (Dependency("db", "healthy"),)
    assert loaded.app_spec.volumes == (Volume("db_data", 5120), Volume("wp_content", 2048))
    assert loaded.app_spec.http == Http("wordpress", 80)
    assert loaded.app_spec.constraints == Constraints(geo=("acEU", "a!cEU_GB"), max_price_gwei_hour=50_000_000)
    assert private(loaded, "db").command == (
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_unicode_ci",
    )
    assert private(loaded, "db").health_command == ("mysqladmin", "ping", "-h", "localhost")
    assert environment(loaded, "wordpress") == {
        "WORDPRESS_DB_HOST": "db:3306",
        "WORDPRESS_DB_NAME": "blog",
        "WORDPRESS_DB_USER": "writer",
        "WORDPRESS_DB_PASSWORD": "p4ss",
        "WORDPRESS_CONFIG_EXTRA": "define('WP_CACHE', true);\ndefine('PRICE_SIGN', '$');\n",
    }
    assert warned(loaded) == [(34, "services.wordpress.ports")]


def test_nextcloud_with_postgres_redis_and_a_cron_that_repeats_the_app(read: Read, vectors: Path) -> None:
    loaded = read(vectors / "accepted" / "nextcloud.yaml", {"POSTGRES_PASSWORD": "s3cret"})
    app, cron = component(loaded, "app"), component(loaded, "cron")
    assert [found.name for found in loaded.app_spec.components] == ["postgres", "redis", "app", "cron"]
    assert (
        app.mounts
        == cron.mounts
        == (
            Mount("nextcloud", "/var/www/html"),
            Mount("nextcloud_data", "/var/www/html/data"),
        )
    )
    assert (app.ports, cron.ports) == ((Port(80),), ())
    assert app.depends_on == (Dependency("redis"), Dependency("postgres"))
    assert set(cron.depends_on) == {Dependency("redis"), Dependency("app")}
    assert component(loaded, "postgres").shm_mib == 128
    assert component(loaded, "redis").tmpfs == ("/data",)
    assert {found.restart for found in loaded.app_spec.components} == {"always"}
    assert loaded.app_spec.volumes == (
        Volume("pgdata", 4096),
        Volume("nextcloud", 3072),
        Volume("nextcloud_data", 51_200),
    )
    assert loaded.app_spec.http == Http("app", 80)
    assert loaded.app_spec.constraints.min_tier == 2
    assert private(loaded, "cron").entrypoint == ("/cron.sh",)
    assert private(loaded, "redis").command == ("redis-server", "--requirepass", "hunter2", "--save", "")
    assert private(loaded, "postgres").health_command == ("/bin/sh", "-c", "pg_isready -U nextcloud")
    assert environment(loaded, "app") == environment(loaded, "cron")
    assert environment(loaded, "app")["POSTGRES_PASSWORD"] == "s3cret"
    assert environment(loaded, "app")["POSTGRES_DB"] == "nextcloud"


def test_gitea_with_its_own_ssh_port(read: Read, vectors: Path) -> None:
    loaded = read(vectors / "accepted" / "gitea.yaml")
    assert component(loaded, "server").image == "docker.gitea.com/gitea:1.22.6"
    assert component(loaded, "server").ports == (Port(3000), Port(22))
    assert component(loaded, "server").mounts == (Mount("gitea", "/data"),)
    assert loaded.app_spec.http == Http("server", 3000)
    assert loaded.app_spec.volumes == (Volume("gitea", 20_480), Volume("mysql", 1024))
    assert environment(loaded, "server")["GITEA__database__HOST"] == "db:3306"
    assert {key for _, key in warned(loaded)} >= {
        "services.server.container_name",
        "services.server.networks",
        "services.server.volumes[1]",
        "services.server.volumes[2]",
        "volumes.mysql",
    }


def test_ghost_with_the_older_keys_for_sizes(read: Read, vectors: Path) -> None:
    loaded = read(vectors / "accepted" / "ghost.yaml", {"GHOST_DB_PASSWORD": ""})
    ghost, db = component(loaded, "ghost"), component(loaded, "db")
    assert loaded.options.name == "newsletter"
    assert (ghost.cpu_milli, ghost.memory_mib) == (500, 512)
    assert (db.cpu_milli, db.memory_mib) == (500, 1024)
    assert ghost.depends_on == (Dependency("db", "started"),)
    assert loaded.app_spec.http == Http("ghost", 2368)
    assert environment(loaded, "ghost")["security__staffDeviceVerification"] == "false"
    assert environment(loaded, "ghost")["mail__options__port"] == "587"
    assert environment(loaded, "db") == {"MYSQL_ROOT_PASSWORD": "example"}


def test_n8n_whose_worker_is_merged_from_an_extension_field(read: Read, vectors: Path) -> None:
    loaded = read(vectors / "accepted" / "n8n.yaml", {"ENCRYPTION_KEY": "k3y"})
    main, worker = component(loaded, "n8n"), component(loaded, "n8n-worker")
    assert main.image == worker.image == "docker.n8n.io/n8nio/n8n:1.70.0"
    assert main.depends_on == (Dependency("redis", "healthy"), Dependency("postgres", "healthy"))
    assert set(worker.depends_on) == {*main.depends_on, Dependency("n8n", "started")}
    assert (main.ports, worker.ports) == ((Port(5678),), ())
    assert private(loaded, "n8n").command is None
    assert private(loaded, "n8n-worker").command == ("worker",)
    assert private(loaded, "postgres").health_command == (
        "/bin/sh",
        "-c",
        "pg_isready -h localhost -U $POSTGRES_USER -d $POSTGRES_DB",
    )
    assert environment(loaded, "n8n-worker")["N8N_ENCRYPTION_KEY"] == "k3y"
    assert loaded.app_spec.http == Http("n8n", 5678)


def test_grafana_with_prometheus_where_the_file_says_which_one_visitors_reach(read: Read, vectors: Path) -> None:
    loaded = read(vectors / "accepted" / "monitoring.yaml")
    prometheus, grafana = loaded.app_spec.components
    assert loaded.app_spec.http == Http("grafana", 3000, sticky=False)
    assert (prometheus.user, grafana.user) == ("65534:65534", "472")
    assert (prometheus.stop_grace_seconds, prometheus.stop_signal) == (60, "SIGTERM")
    assert prometheus.ports == (Port(9090),)
    assert grafana.labels == (("org.label-schema.group", "monitoring"),)
    command = private(loaded, "prometheus").command
    assert command is not None
    assert command[0] == "--config.file=/etc/prometheus/prometheus.yml"
    assert environment(loaded, "grafana")["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert (20, "services.prometheus.ulimits") in warned(loaded)


def test_vaultwarden_with_a_file_of_variables(read: Read, vectors: Path) -> None:
    loaded = read(vectors / "accepted" / "vaultwarden.yaml", {"MAIL_DOMAIN": "example.net"})
    only = loaded.app_spec.components[0]
    assert only.image == "docker.io/vaultwarden/server:1.32.5"
    assert (only.init, only.read_only, only.hostname, only.working_dir) == (True, True, "vault", "/data")
    assert only.tmpfs == ("/tmp", "/run")
    assert only.mounts == (Mount("vw-data", "/data"),)
    assert loaded.app_spec.volumes == (Volume("vw-data", 512),)
    assert environment(loaded, "vaultwarden") == {
        "SIGNUPS_ALLOWED": "false",
        "ADMIN_TOKEN": "$argon2id$v=19$m=65540,t=3,p=4$abc",
        "SMTP_HOST": "mail.example.org",
        "SMTP_FROM": "vault@example.net",
        "DOMAIN": "https://vault.example.org",
    }


def test_uptime_kuma_whose_replicas_are_instances(read: Read, vectors: Path) -> None:
    loaded = read(vectors / "accepted" / "uptime-kuma.yaml")
    only = loaded.app_spec.components[0]
    assert loaded.options.instances == 3
    assert loaded.options.architectures == ("arm64",)
    assert loaded.app_spec.constraints == Constraints(
        geo=("acNA_US", "acEU_DE", "acAS"), architectures=("arm64",), spread="country"
    )
    assert (only.cpu_milli, only.memory_mib, only.restart) == (250, 192, "always")
    assert only.mounts == (Mount("uptime-kuma-app-data", "/app/data"),)
    assert loaded.app_spec.http == Http("uptime-kuma", 3001)
    assert not loaded.app_spec.private
    assert loaded.private.components == ()


def test_matomo_with_a_migration_that_ends_and_a_profile_that_is_off(read: Read, vectors: Path) -> None:
    loaded = read(vectors / "accepted" / "matomo.yaml", {"MARIADB_ROOT_PASSWORD": "root"})
    assert [found.name for found in loaded.app_spec.components] == ["db", "migrate", "app", "web"]
    assert component(loaded, "app").depends_on == (Dependency("migrate", "completed"),)
    assert component(loaded, "migrate").restart == "no"
    assert (
        component(loaded, "web").image
        == f"registry.example.org:5000/team/matomo-nginx:1.4@sha256:{'0123456789abcdef' * 4}"
    )
    assert component(loaded, "web").ports == (Port(80), Port(443))
    assert component(loaded, "web").mounts == (Mount("matomo", "/var/www/html", read_only=True),)
    assert loaded.app_spec.http == Http("web", 80)
    assert component(loaded, "db").health is None
    assert environment(loaded, "db") == {"MARIADB_ROOT_PASSWORD": "root", "MARIADB_AUTO_UPGRADE": "1"}
    assert {key for _, key in warned(loaded)} >= {
        "services.adminer",
        "services.db.environment[2]",
        "services.web.ports[0]",
    }


def test_minio_and_metabase_on_a_big_node_with_gpus(read: Read, vectors: Path) -> None:
    loaded = read(vectors / "accepted" / "minio-metabase.yaml", {"FALLBACK_PASSWORD": "fallback"})
    minio, metabase = loaded.app_spec.components
    assert minio.image == "quay.io/minio/minio:RELEASE.2024-11-07T00-52-20Z"
    assert minio.disk_mib == 3072
    assert (metabase.cpu_milli, metabase.memory_mib) == (2000, 2048)
    assert metabase.ports == (Port(3000), Port(3001))
    assert loaded.app_spec.http == Http("metabase", 3001)
    assert loaded.app_spec.constraints == Constraints(
        min_tier=3, architectures=("amd64",), gpu_model="RTX 4090", gpu_count=2, static_ip=True
    )
    assert private(loaded, "minio").command == ("server", "/data", "--console-address", ":9001")
    assert environment(loaded, "minio")["MINIO_ROOT_PASSWORD"] == "fallback"
    assert loaded.app_spec.volumes == (Volume("objects", 512_000), Volume("metabase", 10_240))


@pytest.mark.parametrize("name", ["wordpress", "nextcloud", "gitea", "ghost", "n8n", "vaultwarden", "minio-metabase"])
def test_no_finding_ever_shows_a_value_of_the_private_half(read: Read, vectors: Path, name: str) -> None:
    loaded = read(vectors / "accepted" / f"{name}.yaml", {"DB_PASSWORD": "p4ss-planted"})
    said = "\n".join(str(finding) for finding in loaded.findings)
    for component in loaded.private.components:
        for variable, value in component.environment:
            if len(value) > 5 and value not in (vectors / "accepted").name:
                assert f"{variable}={value}" not in said
                assert "planted" not in said


def test_every_key_of_a_file_is_either_honoured_or_warned_about(read: Read, vectors: Path) -> None:
    loaded = read(vectors / "accepted" / "wordpress.yaml", {"DB_PASSWORD": "x"})
    said = {finding.key for finding in loaded.findings}
    for key in ("image", "environment", "volumes", "depends_on", "ports", "restart"):
        assert f"services.wordpress.{key}" in said
