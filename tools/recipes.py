"""The container images of the examples and tests: which Debian packages, which files of the checkout, what runs.

Their users are not root and their ports are above 1023, so that they run with every privilege dropped.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one image is made."""

    repository: str
    tag: str
    packages: tuple[str, ...] = ()
    """Debian packages beside busybox, which is in every image; what they depend on comes along."""
    files: dict[str, str] = field(default_factory=dict)
    """Path in the image → file in the checkout."""
    directories: dict[str, int] = field(default_factory=dict)
    """Path in the image → user id that owns it."""
    user: str = "app"
    working_directory: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    port: int | None = None
    volume: str | None = None

    @property
    def name(self) -> str:
        """Repository and tag."""
        return f"{self.repository}:{self.tag}"


USERS = {"root": 0, "www-data": 33, "redis": 999, "app": 1000, "nobody": 65534}

BUSYBOX_PACKAGE = "busybox-static"
BUSYBOX_COMMANDS = (
    *(
        "sh",
        "ash",
        "cat",
        "ls",
        "cp",
        "mv",
        "rm",
        "mkdir",
        "rmdir",
        "ln",
        "chmod",
        "chown",
        "touch",
        "find",
        "du",
        "df",
    ),
    *("echo", "printf", "test", "[", "true", "false", "sleep", "date", "env", "id", "whoami", "hostname", "uname"),
    *("ps", "kill", "top", "free", "mount", "head", "tail", "grep", "sed", "awk", "cut", "sort", "uniq", "tr", "wc"),
    *("du", "xargs", "seq", "tee", "dd", "sync", "stat", "md5sum", "sha256sum", "tar", "gzip", "gunzip", "vi", "which"),
    *("wget", "nc", "ping", "nslookup", "ip", "netstat", "httpd"),
)

_PYTHON = ("python3", "python3-minimal")
_PYTHON_ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
_NGINX_DIRECTORIES = {"var/log/nginx": 33, "var/lib/nginx": 33}
_NGINX_COMMAND = ("nginx", "-e", "stderr", "-g", "daemon off;")

RECIPES = (
    Recipe("flux/busybox", "1", user="root", command=("sh",)),
    Recipe(
        "flux/python",
        "3",
        packages=_PYTHON,
        environment=_PYTHON_ENVIRONMENT,
        command=("python3",),
    ),
    Recipe(
        "flux/hello-web",
        "1",
        packages=_PYTHON,
        files={"app/app.py": "examples/hello/web/app.py"},
        environment=_PYTHON_ENVIRONMENT,
        command=("python3", "/app/app.py"),
        port=8000,
    ),
    Recipe(
        "flux/hello-proxy",
        "1",
        packages=("nginx",),
        files={"etc/nginx/nginx.conf": "examples/hello/proxy/nginx.conf"},
        directories=_NGINX_DIRECTORIES,
        user="www-data",
        command=_NGINX_COMMAND,
        port=8080,
    ),
    Recipe(
        "flux/guestbook-web",
        "1",
        packages=_PYTHON,
        files={"app/app.py": "examples/guestbook/web/app.py"},
        environment=_PYTHON_ENVIRONMENT,
        command=("python3", "/app/app.py"),
        port=8000,
    ),
    Recipe(
        "flux/store",
        "1",
        packages=_PYTHON,
        files={"app/app.py": "tools/hosts/store.py"},
        directories={"data": 1000},
        environment=_PYTHON_ENVIRONMENT,
        command=("python3", "/app/app.py"),
        port=8000,
        volume="/data",
    ),
    Recipe(
        "flux/redis",
        "7",
        packages=("redis-server",),
        files={"usr/local/bin/entrypoint.sh": "examples/guestbook/redis/entrypoint.sh"},
        directories={"data": 999},
        user="redis",
        working_directory="/data",
        entrypoint=("entrypoint.sh",),
        command=("redis-server",),
        port=6379,
        volume="/data",
    ),
)


def find_recipe(name: str) -> Recipe | None:
    """The recipe of an image by `repository:tag`."""
    return next((recipe for recipe in RECIPES if recipe.name == name), None)
