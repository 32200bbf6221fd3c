"""A web page in one small container, as a Compose file: it tells which instance answers, on which node.

Every start adds a line to a file in its volume, and its logs are lines of their own for each request.
"""

IMAGE = "${REGISTRY}/flux/busybox:1"


def small_app(
    words: str = "hello",
    *,
    instances: int = 1,
    image: str = IMAGE,
    cpus: str = "0.2",
    memory: str = "16M",
    extra: str = "",
) -> str:
    """The file. `extra` are further lines of x-flux."""
    return f"""\
services:
  web:
    image: {image}
    environment: {{WORDS: "{words}"}}
    command:
      - sh
      - -c
      - |
        echo started >> /data/starts
        mkdir -p /tmp/www && cp /data/starts /tmp/www/starts
        echo "$$WORDS from instance $$FLUX_INSTANCE on node $$FLUX_NODE" > /tmp/www/index.html
        echo "this is instance $$FLUX_INSTANCE"
        (while true; do date; sleep 0.2; done) &
        exec httpd -f -p 8080 -h /tmp/www
    ports: ["8080"]
    volumes: ["data:/data"]
    stop_grace_period: 1s
    deploy: {{resources: {{limits: {{cpus: "{cpus}", memory: {memory}}}}}}}
volumes:
  data:
x-flux:
  instances: {instances}
  http_port: 8080
  volumes: {{data: 16M}}
{extra}"""
