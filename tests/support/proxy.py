"""A wire to Postgres that can be cut at the worst moment: after the commit, before the answer."""

from __future__ import annotations

import socket
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class Proxy:
    """Forwards connections to the server of ``dsn``; ``self.dsn`` leads through it."""

    def __init__(self, dsn: str) -> None:
        parts = conninfo_to_dict(dsn)
        self._server = f"{parts['host']}/.s.PGSQL.{parts.get('port') or 5432}"
        self._folder = tempfile.TemporaryDirectory(prefix="proxy-", dir="/tmp")
        self.dsn = make_conninfo(dsn, host=self._folder.name, port=5432)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(Path(self._folder.name) / ".s.PGSQL.5432"))
        self._listener.listen(64)
        self._cut_after_next_request = False
        self._down = False
        self.cuts = 0
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for open_socket in [self._listener, *self._sockets]:
            with suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
            open_socket.close()
        self._folder.cleanup()

    def cut_next(self) -> None:
        """Let the next request through, swallow its answer, and cut the connection."""
        self._cut_after_next_request = True

    def go_down(self) -> None:
        """Cut all connections, and take no new one."""
        self._down = True
        for open_socket in self._sockets:
            with suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    def come_back(self) -> None:
        """Take connections again."""
        self._down = False

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._down:
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._sockets += [client, server]
                wire = _Wire(self, client, server)
                threading.Thread(target=wire.requests, daemon=True).start()
                threading.Thread(target=wire.answers, daemon=True).start()

    def take_cut(self) -> bool:
        """Tell whether this request is the one; it is so once."""
        cut, self._cut_after_next_request = self._cut_after_next_request, False
        return cut


class _Wire:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._swallow = False

    def requests(self) -> None:
        with suppress(OSError):
            while content := self._client.recv(65536):
                if self._proxy.take_cut():
                    self._swallow = True
                self._server.sendall(content)
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_WR)

    def answers(self) -> None:
        with suppress(OSError):
            while content := self._server.recv(65536):
                if self._swallow:
                    self._proxy.cuts += 1
                    break
                self._client.sendall(content)
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
