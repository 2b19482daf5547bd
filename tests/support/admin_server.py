"""A small system with an HTTP admin interface, as a thread or (``python -m``) a process of its own.

It obeys, unless a test gives it another manner. It reads its mode from nowhere but its interface.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

Manner = Callable[["Handler"], None]


class System(ThreadingHTTPServer):
    """The system's state, and how it answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status: dict[str, object] = {"mode": "mock"}
        self.posts: list[dict[str, object]] = []
        self.on_post: Manner = obey
        self.on_get: Manner = tell

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the system's manner of the moment."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.system.posts.append(cast("dict[str, object]", json.loads(body)))
        with suppress(OSError):
            self.system.on_post(self)

    def do_GET(self) -> None:
        with suppress(OSError):
            self.system.on_get(self)

    @property
    def system(self) -> System:
        return cast("System", self.server)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's
        """Stay silent."""


def obey(handler: Handler) -> None:
    """Take the mode, if the path is right."""
    if handler.path != "/mode":
        handler.answer(404, b"")
        return
    handler.system.status = handler.system.posts[-1]
    handler.answer(200, b'{"ok": true}')


def ignore(handler: Handler) -> None:
    """Say yes and do nothing."""
    handler.answer(200, b"{}")


def tell(handler: Handler) -> None:
    """Tell the mode."""
    if handler.path != "/status":
        handler.answer(404, b"")
        return
    handler.answer(200, json.dumps(handler.system.status).encode())


def says(status: int, body: bytes = b"", **headers: str) -> Manner:
    """Answer always the same."""
    return lambda handler: handler.answer(status, body, **headers)


def hang(handler: Handler) -> None:
    """Never answer, for as long as a test lasts."""
    time.sleep(30)


def drip(handler: Handler) -> None:
    """Send a byte now and then, so that no pause between two of them is long."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.02)


def break_off(handler: Handler) -> None:
    """Close without an answer."""
    handler.close_connection = True


@contextmanager
def running_system() -> Iterator[System]:
    """Serve from a thread."""
    with System() as system:
        thread = threading.Thread(target=system.serve_forever, args=[0.01], daemon=True)
        thread.start()
        yield system
        system.shutdown()
        thread.join()


if __name__ == "__main__":
    with System() as own:
        sys.stdout.write(f"{own.url}\n")
        sys.stdout.flush()
        own.serve_forever()
