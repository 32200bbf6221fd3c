"""A small web service that says where it runs. Flux sets the FLUX_* variables in every container."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PLACE = {
    "app": os.environ.get("FLUX_APP", "hello"),
    "instance": os.environ.get("FLUX_INSTANCE", "0"),
    "node": os.environ.get("FLUX_NODE", "this machine"),
    "country": os.environ.get("FLUX_COUNTRY", "nowhere"),
    "region": os.environ.get("FLUX_REGION", ""),
}
GREETING = os.environ.get("GREETING", "Hello")


class Handler(BaseHTTPRequestHandler):
    """GET / for people, GET /whoami for programs, GET /health for the health check."""

    protocol_version = "HTTP/1.1"
    server_version = "hello"

    def do_GET(self) -> None:
        """Answer one of the three paths."""
        if self.path == "/":
            words = f"{GREETING} from instance {PLACE['instance']} of {PLACE['app']}, on {PLACE['node']} in "
            self.answer(200, f"{words}{PLACE['country']}.\n", "text/plain; charset=utf-8")
        elif self.path == "/whoami":
            self.answer(200, json.dumps(PLACE) + "\n", "application/json")
        elif self.path == "/health":
            self.answer(200, "ok\n", "text/plain; charset=utf-8")
        else:
            self.answer(404, "Nothing is here.\n", "text/plain; charset=utf-8")

    do_HEAD = do_GET

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log requests, but not those of the health check."""
        if self.path != "/health":
            super().log_request(code, size)

    def answer(self, status: int, text: str, content_type: str) -> None:
        """Send one answer; every answer names its instance and country in headers too."""
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Instance", PLACE["instance"])
        self.send_header("X-Country", PLACE["country"])
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def main() -> None:
    """Serve until SIGTERM, which the first process of a container only gets if it asks for it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer(("", 8000), Handler).serve_forever()


if __name__ == "__main__":
    main()
