"""A guestbook: POST adds an entry, GET lists them. The entries are in redis."""

import html
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO
from urllib.parse import parse_qs

REDIS = (os.environ.get("REDIS_HOST", "redis"), int(os.environ.get("REDIS_PORT", "6379")))
REDIS_PASSWORD = os.environ.get("REDIS_PASSWORD", "")
TITLE = os.environ.get("TITLE", "The guestbook")
INSTANCE = os.environ.get("FLUX_INSTANCE", "0")
COUNTRY = os.environ.get("FLUX_COUNTRY", "nowhere")
LONGEST_ENTRY = 500
SHOWN_ENTRIES = 100
KEY = "entries"

PAGE = """<!doctype html>
<title>{title}</title>
<h1>{title}</h1>
<form method="post" action="/"><input name="message" maxlength="{longest}" required><button>Sign</button></form>
<ul>
{entries}
</ul>
<p>Instance {instance}, {country}.</p>
"""


class RedisError(Exception):
    """Redis cannot be reached, or refused."""


def ask_redis(*commands: tuple[str, ...]) -> list[object]:
    """Send commands over a connection of their own and return the answer to each."""
    if REDIS_PASSWORD:
        commands = (("AUTH", REDIS_PASSWORD), *commands)
    request = b"".join(encode(command) for command in commands)
    try:
        with socket.create_connection(REDIS, timeout=3) as connection, connection.makefile("rb") as answers:
            connection.sendall(request)
            results = [read_answer(answers) for _ in commands]
    except (OSError, ValueError) as error:
        raise RedisError(str(error)) from error
    return results[1:] if REDIS_PASSWORD else results


def encode(command: tuple[str, ...]) -> bytes:
    """A command as redis reads it: an array of strings with their lengths."""
    parts = [part.encode() for part in command]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def read_answer(answers: BinaryIO) -> object:
    """One answer of redis: a string, a number, nothing, or a list of answers."""
    line = answers.readline()
    kind, rest = line[:1], line[1:-2]
    if kind == b"-" or not line:
        raise RedisError(rest.decode() or "the connection was closed")
    if kind == b"$":
        length = int(rest)
        return answers.read(length + 2)[:-2].decode(errors="replace") if length >= 0 else None
    if kind == b"*":
        return [read_answer(answers) for _ in range(int(rest))]
    return int(rest) if kind == b":" else rest.decode()


class Handler(BaseHTTPRequestHandler):
    """GET / for people, GET /entries for programs, POST to either, GET /health for the health check."""

    protocol_version = "HTTP/1.1"
    server_version = "guestbook"

    def do_GET(self) -> None:
        """List the newest entries first."""
        if self.path == "/health":
            self.answer(200, "ok\n")
        elif self.path in ("/", "/entries"):
            self.guarded(self.list_entries)
        else:
            self.answer(404, "Nothing is here.\n")

    def do_POST(self) -> None:
        """Add the form field `message`, or the field of that name in a JSON object."""
        if self.path in ("/", "/entries"):
            self.guarded(self.add_entry)
        else:
            self.answer(404, "Nothing is here.\n")

    def guarded(self, action: Callable[[], None]) -> None:
        """Say so when redis is away."""
        try:
            action()
        except RedisError as error:
            self.answer(503, f"The entries cannot be reached: {error}\n")

    def list_entries(self) -> None:
        """As a page, or as JSON."""
        answer = ask_redis(("LRANGE", KEY, "0", str(SHOWN_ENTRIES - 1)))[0]
        entries = [str(entry) for entry in answer] if isinstance(answer, list) else []
        if self.path == "/entries":
            self.answer(200, json.dumps(entries) + "\n", "application/json")
            return
        items = "\n".join(f"<li>{html.escape(entry)}</li>" for entry in entries)
        facts = {"title": html.escape(TITLE), "instance": html.escape(INSTANCE), "country": html.escape(COUNTRY)}
        page = PAGE.format(longest=LONGEST_ENTRY, entries=items, **facts)
        self.answer(200, page, "text/html; charset=utf-8")

    def add_entry(self) -> None:
        """Refuse what is empty or too long; answer 201 once redis has it."""
        message = self.read_message()
        if not message or len(message) > LONGEST_ENTRY:
            self.answer(400, f"Send a field `message` of 1 to {LONGEST_ENTRY} characters.\n")
            return
        count = ask_redis(("LPUSH", KEY, message))[0]
        self.answer(201, f"Thank you. That is entry {count}.\n")

    def read_message(self) -> str:
        """The message of the request, empty when it has none that can be read."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > 8 * LONGEST_ENTRY:
            self.close_connection = True
            return ""
        try:
            body = self.rfile.read(int(length)).decode()
            if self.headers.get_content_type() == "application/json":
                fields = json.loads(body)
                message = fields.get("message") if isinstance(fields, dict) else None
            else:
                message = parse_qs(body).get("message", [""])[0]
        except ValueError:
            return ""
        return message.strip() if isinstance(message, str) else ""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log requests, but not those of the health check."""
        if self.path != "/health":
            super().log_request(code, size)

    def answer(self, status: int, text: str, content_type: str = "text/plain; charset=utf-8") -> None:
        """Send one answer."""
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Instance", INSTANCE)
        self.send_header("X-Country", COUNTRY)
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until SIGTERM, which the first process of a container only gets if it asks for it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer(("", 8000), Handler).serve_forever()


if __name__ == "__main__":
    main()
