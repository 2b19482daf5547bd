"""One HTTP exchange, bounded in time and size, with the standard library.

Why no library, as elsewhere: this runs within ``rollout pause``, whose whole process may take
1.6 x ``import psycopg, click`` (200 ms where that takes 125). On top of what a pause imports
anyway (140 ms), ``http.client`` was measured to cost up to 2 ms, ``urllib3`` 20 and ``httpx`` 45.
And their timeouts are between two bytes, where a pause needs an end: a system that sends a byte a
second must not hold it up.
"""

from __future__ import annotations

import http.client
import queue
import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from ledger.domain.clock import Clock
from ledger.domain.errors import BadInput

ANSWER_BYTES_MAX: Final = 64 * 1024
_CONNECT_ATTEMPTS_MAX: Final = 3
_CONNECT_WAIT_SECONDS: Final = 0.1
_PRINTABLE: Final = re.compile(r"[!-~]+")

# What `socket.getaddrinfo` gives: family, kind, protocol, canonical name, address.
_Addresses = list[
    tuple[
        socket.AddressFamily,
        socket.SocketKind,
        int,
        str,
        tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
    ]
]


class NotReached(Exception):
    """Nothing was sent."""


class NoAnswer(Exception):
    """It was sent, and no whole answer came: the other side may or may not have acted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body; of a body that is too large, one byte more than is allowed."""

    status: int
    body: bytes


class HttpExchange:
    """Talks to one address: no proxy, no redirect, no cookie, a new connection each time."""

    def __init__(
        self,
        url: str,
        *,
        connect_timeout_seconds: float,
        answer_timeout_seconds: float,
        clock: Clock,
    ) -> None:
        """Take ``http(s)://host[:port][/path]``.

        Raises:
            BadInput: the URL is another thing, or holds a password or a query.
        """
        self._is_tls: Final = url.lower().startswith("https:")
        self.host: Final[str]
        self._port: Final[int]
        self._base_path: Final[str]
        self.host, self._port, self._base_path = _parts(url)
        self._connect_timeout_seconds: Final = connect_timeout_seconds
        self._answer_timeout_seconds: Final = answer_timeout_seconds
        self._clock: Final = clock

    @property
    def place(self) -> str:
        """Return host and port, for messages."""
        return f"[{self.host}]:{self._port}" if ":" in self.host else f"{self.host}:{self._port}"

    def get(self, path: str) -> Answer:
        """Ask.

        Raises:
            NotReached, NoAnswer: with a sentence.
        """
        return self._exchange("GET", path, None)

    def post(self, path: str, body: bytes) -> Answer:
        """Send JSON. Raises as `get` does."""
        return self._exchange("POST", path, body)

    def _exchange(self, method: str, path: str, body: bytes | None) -> Answer:
        channel = self._connected()
        cut_off = threading.Event()

        def cut() -> None:
            cut_off.set()
            with suppress(OSError):
                # Past the TLS layer, which must not be used from two threads.
                socket.socket.shutdown(channel, socket.SHUT_RDWR)

        watchdog = threading.Timer(self._answer_timeout_seconds, cut)
        watchdog.daemon = True
        watchdog.start()
        connection = self._connection()
        try:
            connection.sock = self._secured(channel)
            headers = {"Accept": "application/json", "Connection": "close"}
            if body is not None:
                headers["Content-Type"] = "application/json"
            connection.request(method, f"{self._base_path}{path}", body=body, headers=headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.read(ANSWER_BYTES_MAX + 1))
        except (OSError, http.client.HTTPException) as error:
            fault = (str(error) or type(error).__name__).lower()
            late = cut_off.is_set() or isinstance(error, TimeoutError)
            raise NoAnswer(self._late if late else f"{self.place} broke off: {fault}") from error
        finally:
            watchdog.cancel()
            connection.close()
            channel.close()
        if cut_off.is_set():  # what was read may be a part
            raise NoAnswer(self._late)
        return answer

    @property
    def _late(self) -> str:
        return f"{self.place} gave no whole answer within {self._answer_timeout_seconds:g} s"

    def _connection(self) -> http.client.HTTPConnection:
        if self._is_tls:
            return http.client.HTTPSConnection(self.host, self._port)
        return http.client.HTTPConnection(self.host, self._port)

    def _secured(self, channel: socket.socket) -> socket.socket:
        if not self._is_tls:
            return channel
        import ssl  # most interfaces are on the same machine, without TLS

        try:
            return ssl.create_default_context().wrap_socket(channel, server_hostname=self.host)
        except OSError as error:
            raise NotReached(f"{self.place} offers no TLS that can be trusted: {error}") from error

    def _connected(self) -> socket.socket:
        from tenacity import (  # keeps what doesn't talk HTTP quick
            Retrying,
            retry_if_exception_type,
            stop_after_attempt,
            wait_fixed,
        )

        # A refusal is retried, because a system that is starting may open its door any moment. A
        # timeout is not: the time is used up.
        retrying = Retrying(
            retry=retry_if_exception_type(ConnectionError),
            stop=stop_after_attempt(_CONNECT_ATTEMPTS_MAX),
            wait=wait_fixed(_CONNECT_WAIT_SECONDS),
            sleep=self._clock.sleep,
            reraise=True,
        )
        addresses = self._resolved()
        try:
            return retrying(self._connect_once, addresses)
        except TimeoutError as error:
            seconds = self._connect_timeout_seconds
            raise NotReached(f"{self.place} did not answer within {seconds:g} s") from error
        except OSError as error:
            fault = (error.strerror or type(error).__name__).lower()
            raise NotReached(f"{self.place} can't be reached: {fault}") from error

    def _connect_once(self, addresses: _Addresses) -> socket.socket:
        deadline = self._clock.monotonic() + self._connect_timeout_seconds
        fault: OSError = TimeoutError()
        for family, kind, protocol, _, address in addresses:
            remaining_seconds = deadline - self._clock.monotonic()
            if remaining_seconds <= 0:
                break
            channel = socket.socket(family, kind, protocol)
            try:
                channel.settimeout(remaining_seconds)
                channel.connect(address)
                channel.settimeout(self._answer_timeout_seconds)
            except OSError as error:
                channel.close()
                fault = error
            else:
                return channel
        raise fault

    def _resolved(self) -> _Addresses:
        """Look the host up, in a thread, because a dead name server is waited for without end."""
        found: queue.SimpleQueue[_Addresses | OSError] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                found.put(socket.getaddrinfo(self.host, self._port, type=socket.SOCK_STREAM))
            except OSError as error:
                found.put(error)

        threading.Thread(target=look_up, daemon=True).start()
        try:
            addresses = found.get(timeout=self._connect_timeout_seconds)
        except queue.Empty as error:
            seconds = self._connect_timeout_seconds
            raise NotReached(f"{self.host} was not found within {seconds:g} s") from error
        if isinstance(addresses, OSError):
            raise NotReached(f"{self.host} can't be found: is the name right?") from addresses
        return addresses


def _parts(url: str) -> tuple[str, int, str]:
    """Split a URL into host, port and path; refuse what has no place in it.

    The URL is never quoted in full, since it may hold a password.
    """
    example = "give it like http://127.0.0.1:8001"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadInput("the HTTP admin URL can't be understood", hint=example) from error
    if parts.scheme not in {"http", "https"} or not host or not _PRINTABLE.fullmatch(url):
        raise BadInput("the HTTP admin URL is no http:// or https:// address", hint=example)
    if parts.username is not None or parts.password is not None:
        raise BadInput(
            f"the HTTP admin URL for {host} holds a user or a password, and it would be recorded",
            hint="leave it out: let the interface listen on 127.0.0.1 only",
        )
    if parts.query or parts.fragment:
        raise BadInput(f"the HTTP admin URL for {host} has more than a path", hint=example)
    return host, port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/")
