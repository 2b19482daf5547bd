"""One HTTP request, bounded in time and size: for endpoints that are watched, checked and notified.

(A switch of modes talks through `ledger.actuators.http_exchange`, which a pause can afford to load.)
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from ledger.clock import SystemClock
from ledger.domain.errors import BadInput, Unreachable

ANSWER_BYTES_MAX: Final = 16 * 2**20
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and after how long."""

    status: int
    body: bytes
    seconds: float


def place_of(url: str) -> str:
    """Return scheme, host and port of ``url``: what may be shown. The rest may hold a token."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the URL"
    return f"{parts.scheme}://{parts.hostname or ''}{port}" if parts.hostname else "the URL"


def with_variables(text: str, environment: Mapping[str, str], where: str) -> str:
    """Return ``text`` with each ${NAME} filled in from the environment.

    Raises:
        BadInput: a variable is not set. ``where`` begins the message.
    """

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1])
        if not found:
            raise BadInput(
                f"{where}: the variable {match[1]} is not set.",
                hint=f"export {match[1]}=… in the environment of this command",
            )
        return found

    return _VARIABLE.sub(value, text)


def request(
    url: str,
    *,
    timeout_seconds: float,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    json: Any = None,
    params: Mapping[str, str] | None = None,
) -> Answer:
    """Send a request and return the answer, whatever its status. No redirect is followed.

    Raises:
        Unreachable: no whole answer came in time; the message names host and port, nothing else of the URL.
    """
    import httpx

    clock = SystemClock()
    began = clock.monotonic()
    deadline = _Deadline(timeout_seconds)
    try:
        with (
            deadline,
            httpx.Client(timeout=timeout_seconds, trust_env=False) as client,
            client.stream(
                method,
                url,
                headers=headers,
                json=json,
                params=params,
                extensions={"trace": deadline.watch},
            ) as response,
        ):
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > ANSWER_BYTES_MAX:
                    raise Unreachable(f"{place_of(url)} answers with more than 16 MiB.")
            if deadline.over:
                raise httpx.ReadTimeout("")
            return Answer(response.status_code, bytes(body), clock.monotonic() - began)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        if deadline.over or isinstance(error, httpx.TimeoutException):
            told = f"gave no answer within {timeout_seconds:g} s"
        elif isinstance(error, httpx.ConnectError):
            told = "could not be reached (ConnectError)"
        else:
            told = f"did not answer ({type(error).__name__})"
        raise Unreachable(f"{place_of(url)} {told}.") from None


class _Deadline:
    """Ends a request as a whole: the library's time-outs begin anew with each byte that comes."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of the connection that a request goes over; given to httpx as ``trace``."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._sockets.append(info["return_value"].get_extra_info("socket"))

    def _end(self) -> None:
        self.over = True
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                # Not that of a TLS socket, which would take apart what another thread reads from.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
