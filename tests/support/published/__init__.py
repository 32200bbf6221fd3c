"""Images for Compose files as people publish them, from Debian packages, and the files with these images in them.

Databases, WordPress and Prometheus are the real ones; what Debian does not have (Gitea, Grafana) is a small program
that uses its neighbours through the same environment, ports and volumes.
"""

from pathlib import Path

from tools.images import push_images
from tools.recipes import Recipe

FILES = Path(__file__).parents[2] / "vectors" / "compose" / "accepted"
_HERE = "tests/support/published"
_PYTHON = ("python3", "python3-minimal")
_UNBUFFERED = {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}

_MARIADB = Recipe(
    "published/mariadb", "10",
    packages=("mariadb-server-core", "mariadb-client"),
    files={"usr/local/bin/entrypoint.sh": f"{_HERE}/mariadb.sh"},
    directories={"var/lib/mysql": 1000, "run/mysqld": 1000},
    entrypoint=("entrypoint.sh",), command=("mariadbd",), port=3306, volume="/var/lib/mysql",
)  # fmt: skip
_WORDPRESS = Recipe(
    "published/wordpress", "6",
    packages=("wordpress", "wordpress-theme-twentytwentythree", "php-cli", "php-mysql"),
    files={
        "usr/local/bin/entrypoint.sh": f"{_HERE}/wordpress.sh",
        "usr/share/published/wp-config.php": f"{_HERE}/wp-config.php",
        "etc/php/8.2/cli/conf.d/20-extensions.ini": f"{_HERE}/php.ini",
    },
    directories={"var/www/html": 33},
    user="www-data", working_directory="/var/www/html", environment={"PHP_CLI_SERVER_WORKERS": "3"},
    entrypoint=("entrypoint.sh",), command=("php8.2", "-S", "0.0.0.0:80"), port=80, volume="/var/www/html",
)  # fmt: skip
_FORGE = Recipe(
    "published/forge", "1",
    packages=(*_PYTHON, "python3-pymysql"),
    files={"app/forge.py": f"{_HERE}/forge.py"},
    directories={"data": 1000},
    environment=_UNBUFFERED, entrypoint=("python3", "/app/forge.py"), port=3000, volume="/data",
)  # fmt: skip
_PROMETHEUS = Recipe(
    "published/prometheus", "2",
    packages=("prometheus",),
    files={"etc/prometheus/prometheus.yml": f"{_HERE}/prometheus.yml"},
    directories={"prometheus": 65534},
    user="nobody", entrypoint=("prometheus",), port=9090, volume="/prometheus",
)  # fmt: skip
_DASHBOARDS = Recipe(
    "published/dashboards", "1",
    packages=_FORGE.packages,
    files={"app/dashboards.py": f"{_HERE}/dashboards.py"},
    directories={"var/lib/grafana": 472},
    environment=_UNBUFFERED, entrypoint=("python3", "/app/dashboards.py"), port=3000,
)  # fmt: skip
IMAGES = {
    "wordpress": {"mysql:8.0": _MARIADB, "wordpress:6.6-php8.3-apache": _WORDPRESS},
    "gitea": {"mariadb:10.11": _MARIADB, "docker.gitea.com/gitea:1.22.6": _FORGE},
    "monitoring": {"prom/prometheus:v3.0.1": _PROMETHEUS, "grafana/grafana-oss:11.3.0": _DASHBOARDS},
}
"""By file: the image that it names → the recipe that takes its place."""


def published(name: str, registry: str) -> str:
    """A published file, changed in nothing but where its images come from; they are in the registry afterwards."""
    text = (FILES / f"{name}.yaml").read_text()
    push_images(registry, {recipe.name: recipe for images in IMAGES.values() for recipe in images.values()}.values())
    for image, recipe in IMAGES[name].items():
        assert f"image: {image}\n" in text, image
        text = text.replace(f"image: {image}\n", f"image: {registry}/{recipe.name}\n")
    return text
