"""In Grafana's place: shows what Prometheus measured, and `/admin` to those who know the password."""

import base64
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import URLError
from urllib.request import urlopen

QUERY = "http://prometheus:9090/api/v1/query?query=up"
ADMIN = f"{os.environ['GF_SECURITY_ADMIN_USER']}:{os.environ['GF_SECURITY_ADMIN_PASSWORD']}"


class Handler(BaseHTTPRequestHandler):
    """GET only."""

    def do_GET(self) -> None:
        """The targets that Prometheus sees, as `job is up`."""
        if self.path == "/admin":
            expected = "Basic " + base64.b64encode(ADMIN.encode()).decode()
            known = self.headers.get("Authorization") == expected
            self.answer(200 if known else 401, "welcome\n" if known else "who are you?\n")
            return
        try:
            with urlopen(QUERY, timeout=3) as reply:
                found = json.load(reply)["data"]["result"]
        except (URLError, OSError) as error:
            self.answer(503, f"{error}\n")
            return
        self.answer(200, "".join(f"{item['metric']['job']} is {item['value'][1]}\n" for item in found) or "nothing yet")

    def answer(self, status: int, text: str) -> None:
        """Send one answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("", 3000), Handler).serve_forever()
