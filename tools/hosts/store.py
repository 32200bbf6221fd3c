"""A service that keeps what it acknowledges: each write is a line on its volume, on the disk before the answer.

It is made into an image of its own (`tools.recipes`), for tests that count what was lost.
"""

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOG = "/data/log"
LONGEST = 200
WHO = {
    "node": os.environ.get("FLUX_NODE", ""),
    "instance": os.environ.get("FLUX_INSTANCE", ""),
    "boot": os.urandom(8).hex(),
}
"""`boot` is another one after each start."""
_turn = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """POST /write keeps a line, GET /all lists them, GET anything else says who answers."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer 200 only for what would outlive a loss of power."""
        line = self.rfile.read(min(LONGEST, int(self.headers.get("Content-Length", "0")))).strip() + b"\n"
        try:
            with _turn:
                keep(line)
        except OSError as error:
            self.answer(507, {**WHO, "error": str(error)})
            return
        self.answer(200, WHO)

    def do_GET(self) -> None:
        """Read the file each time: what is in memory proves nothing."""
        lines: list[str] = []
        if self.path == "/all" and os.path.exists(LOG):
            with open(LOG, encoding="ascii", errors="replace") as file:
                lines = file.read().splitlines()
        self.answer(200, {**WHO, "lines": lines})

    do_HEAD = do_GET

    def answer(self, status: int, document: object) -> None:
        """Send one answer."""
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the disk is for what was written."""


def keep(line: bytes) -> None:
    """Append a line, whole or not at all."""
    descriptor = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        before = os.fstat(descriptor).st_size
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError("the disk is full")
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, before)
            raise
    finally:
        os.close(descriptor)


def main() -> None:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer(("", 8000), Handler).serve_forever()


if __name__ == "__main__":
    main()
