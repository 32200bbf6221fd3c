"""In Gitea's place: names of repositories in MySQL, their folders in the volume, and a second port that greets."""

import json
import os
import signal
import socketserver
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pymysql

FOLDER = Path("/data")
SETTINGS = {name.removeprefix("GITEA__database__"): value for name, value in os.environ.items()}
HOST, PORT = SETTINGS["HOST"].split(":")


def ask_database(statement: str, *values: object) -> list[Any]:
    """Run one statement in a connection of its own."""
    connection = pymysql.connect(
        host=HOST,
        port=int(PORT),
        database=SETTINGS["NAME"],
        user=SETTINGS["USER"],
        password=SETTINGS["PASSWD"],
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS repositories (name VARCHAR(100))")
        cursor.execute(statement, values)
        return list(cursor.fetchall())


class Web(BaseHTTPRequestHandler):
    """POST makes a repository, GET lists them."""

    def do_GET(self) -> None:
        """Those that the database and the volume both have; 503 until the database answers."""
        try:
            names = {name for (name,) in ask_database("SELECT name FROM repositories")}
        except pymysql.Error as error:
            self.answer(503, str(error))
        else:
            self.answer(200, json.dumps(sorted(names & {path.name for path in FOLDER.iterdir()})))

    def do_POST(self) -> None:
        """The path is the name."""
        name = self.path.strip("/")
        (FOLDER / name).mkdir()
        ask_database("INSERT INTO repositories VALUES (%s)", name)
        self.answer(200, name)

    def answer(self, status: int, text: str) -> None:
        """Send one answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


class Shell(socketserver.StreamRequestHandler):
    """What a client of the second port sees first."""

    def handle(self) -> None:
        """Greet."""
        self.wfile.write(b"SSH-2.0-forge\r\n")


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
Thread(target=socketserver.ThreadingTCPServer(("", 22), Shell).serve_forever, daemon=True).start()
ThreadingHTTPServer(("", 3000), Web).serve_forever()
