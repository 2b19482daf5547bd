"""A small HTTP server that answers as a test says, and keeps what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Site(ThreadingHTTPServer):
    """Answers by ``manner``; ``asked`` has every request so far."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[Asked] = []
        self.manner: Callable[[Handler], None] = lambda handler: handler.answer(200, b"")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def says(self, status: int, body: bytes = b"") -> None:
        """Answer like this from now on."""
        self.manner = lambda handler: handler.answer(status, body)


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the site's manner of the moment."""

    def do_POST(self) -> None:
        site = cast("Site", self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        site.asked.append(Asked(self.command, self.path, dict(self.headers), body))
        with suppress(OSError):
            site.manner(self)

    def do_GET(self) -> None:
        self.do_POST()

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's
        """Stay silent."""


@contextmanager
def open_site() -> Iterator[Site]:
    """A site while the context lasts."""
    site = Site()
    thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        site.shutdown()
        site.server_close()
        thread.join()
