"""HTTP, bounded in time and size: switches of modes, and what is watched and notified, go this one way.

Why no library: this runs within ``rollout pause``, whose whole process may take 1.6 x ``import psycopg,
click`` (200 ms where that takes 125). On top of what a pause imports anyway (140 ms), ``http.client`` was
measured to cost up to 2 ms, ``urllib3`` 20 and ``httpx`` 45. And their timeouts are between two bytes, where
a pause needs an end: a system that sends a byte a second must not hold it up. A watch asks for months, so
nothing outlives a request but the process' one TLS context.
"""

from __future__ import annotations

import base64
import http.client
import json as json_text
import queue
import re
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit

from ledger.clock import SystemClock
from ledger.domain.clock import Clock
from ledger.domain.errors import BadInput, Unreachable

if TYPE_CHECKING:
    from ssl import SSLContext

ADMIN_BYTES_MAX: Final = 64 * 1024
ANSWER_BYTES_MAX: Final = 16 * 2**20
_CONNECT_ATTEMPTS_MAX: Final = 3
_CONNECT_WAIT_SECONDS: Final = 0.1
_PRINTABLE: Final = re.compile(r"[!-~]+")
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")
_LATE: Final = "gave no answer within {:g} s"
_LEFT_AS_IT_IS: Final = "/%:=&?~+!$,;'@()*[]"

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


class TooLate(NoAnswer):
    """The time was over before the answer was whole."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body; of a body that is too large, one byte more than is allowed."""

    status: int
    body: bytes
    cut_off: bool = False
    """The connection ended before the body did."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, how often and how much."""

    connect_seconds: float
    answer_seconds: float
    whole_seconds: float | None = None
    """For connecting and answering together."""
    attempts: int = 1
    bytes_max: int = ANSWER_BYTES_MAX


class HttpExchange:
    """Talks to one address: no proxy, no redirect, no cookie, a new connection each time."""

    def __init__(self, host: str, port: int, *, is_tls: bool, limits: Limits, clock: Clock) -> None:
        """Take where to, and how long at the most."""
        self.host: Final = host
        self._port: Final = port
        self._is_tls: Final = is_tls
        self._limits: Final = limits
        self._clock: Final = clock

    @property
    def place(self) -> str:
        """Return host and port, for messages."""
        return f"[{self.host}]:{self._port}" if ":" in self.host else f"{self.host}:{self._port}"

    def exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Send a request and return the answer.

        Raises:
            NotReached, NoAnswer: with a sentence.
        """
        began = self._clock.monotonic()
        channel = self._connected()
        cut_off = threading.Event()

        def cut() -> None:
            cut_off.set()
            with suppress(OSError):
                # Past the TLS layer, which must not be used from two threads.
                socket.socket.shutdown(channel, socket.SHUT_RDWR)

        seconds, whole = self._limits.answer_seconds, self._limits.whole_seconds
        if whole is not None:
            seconds = max(0.0, whole - (self._clock.monotonic() - began))
        watchdog = threading.Timer(seconds, cut)
        watchdog.daemon = True
        watchdog.start()
        connection = http.client.HTTPConnection(self.host, self._port)
        if self._is_tls:
            connection = http.client.HTTPSConnection(self.host, self._port, context=_tls())
        try:
            connection.sock = self._secured(channel)
            connection.request(method, path, body=body, headers={**headers, "Connection": "close"})
            response = connection.getresponse()
            content = response.read(self._limits.bytes_max + 1)
            answer = Answer(response.status, content, cut_off=bool(response.length))
        except (OSError, http.client.HTTPException) as error:
            if cut_off.is_set() or isinstance(error, TimeoutError):
                raise TooLate(self._late) from error
            fault = (str(error) or type(error).__name__).lower()
            raise NoAnswer(f"{self.place} broke off: {fault}") from error
        finally:
            watchdog.cancel()
            connection.close()
            channel.close()
        if cut_off.is_set():  # what was read may be a part
            raise TooLate(self._late)
        return answer

    @property
    def _late(self) -> str:
        return f"{self.place} gave no whole answer within {self._limits.answer_seconds:g} s"

    def _secured(self, channel: socket.socket) -> socket.socket:
        if not self._is_tls:
            return channel
        try:
            return _tls().wrap_socket(channel, server_hostname=self.host)
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
            stop=stop_after_attempt(self._limits.attempts),
            wait=wait_fixed(_CONNECT_WAIT_SECONDS),
            sleep=self._clock.sleep,
            reraise=True,
        )
        addresses = self._resolved()
        try:
            return retrying(self._connect_once, addresses)
        except TimeoutError as error:
            seconds = self._limits.connect_seconds
            raise NotReached(f"{self.place} did not answer within {seconds:g} s") from error
        except OSError as error:
            fault = (error.strerror or type(error).__name__).lower()
            raise NotReached(f"{self.place} can't be reached: {fault}") from error

    def _connect_once(self, addresses: _Addresses) -> socket.socket:
        deadline = self._clock.monotonic() + self._limits.connect_seconds
        fault: OSError = TimeoutError()
        for family, kind, protocol, _, address in addresses:
            remaining_seconds = deadline - self._clock.monotonic()
            if remaining_seconds <= 0:
                break
            channel = socket.socket(family, kind, protocol)
            try:
                channel.settimeout(remaining_seconds)
                channel.connect(address)
                channel.settimeout(self._limits.answer_seconds)
            except OSError as error:
                channel.close()
                fault = error
            else:
                return channel
        raise fault

    def _resolved(self) -> _Addresses:
        """Look the host up, in a thread, because a dead name server is waited for without end."""
        answers: queue.SimpleQueue[_Addresses | OSError] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                answers.put(socket.getaddrinfo(self.host, self._port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                answers.put(error if isinstance(error, OSError) else OSError(str(error)))

        threading.Thread(target=look_up, daemon=True).start()
        try:
            addresses = answers.get(timeout=self._limits.connect_seconds)
        except queue.Empty as error:
            late = TimeoutError()
            late.__cause__ = error
            seconds = self._limits.connect_seconds
            raise NotReached(f"{self.host} was not found within {seconds:g} s") from late
        if isinstance(addresses, OSError):
            raise NotReached(f"{self.host} can't be found: is the name right?") from addresses
        return addresses


@cache
def _tls() -> SSLContext:
    """Return what trusts whom this machine trusts: one for all requests, since each takes 0.7 MB."""
    import ssl  # most interfaces are on the same machine, without TLS

    return ssl.create_default_context()


class AdminInterface(HttpExchange):
    """The admin interface of a running system, at a URL that is recorded."""

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
        host, port, self._base_path = _admin_parts(url)
        limits = Limits(
            connect_timeout_seconds, answer_timeout_seconds, attempts=_CONNECT_ATTEMPTS_MAX,
            bytes_max=ADMIN_BYTES_MAX,
        )  # fmt: skip
        is_tls = url.lower().startswith("https:")
        super().__init__(host, port, is_tls=is_tls, limits=limits, clock=clock)

    def get(self, path: str) -> Answer:
        """Ask. Raises as `exchange` does."""
        return self.exchange("GET", f"{self._base_path}{path}", {"Accept": "application/json"})

    def post(self, path: str, body: bytes) -> Answer:
        """Send JSON. Raises as `exchange` does."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        return self.exchange("POST", f"{self._base_path}{path}", headers, body)


def _admin_parts(url: str) -> tuple[str, int, str]:
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
        value_set = environment.get(match[1])
        if not value_set:
            raise BadInput(
                f"{where}: the variable {match[1]} is not set.",
                hint=f"export {match[1]}=… in the environment of this command",
            )
        return value_set

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
    limits = Limits(timeout_seconds, timeout_seconds, whole_seconds=timeout_seconds)
    try:
        parts = urlsplit(url)
        is_tls = {"http": False, "https": True}[parts.scheme]
        port = parts.port or (443 if is_tls else 80)
        sent = {"Accept": "*/*", "User-Agent": "rollout", **_authorization(parts)}
        body = None
        if json is not None:
            body = json_text.dumps(json, ensure_ascii=False, allow_nan=False).encode()
            sent["Content-Type"] = "application/json"
        there = HttpExchange(
            parts.hostname or "", port, is_tls=is_tls, limits=limits, clock=SystemClock()
        )
        answer = there.exchange(method, _target(parts, params), sent | dict(headers or {}), body)
    except NotReached as problem:
        late = isinstance(problem.__cause__, TimeoutError)
        problem_text = _LATE if late else "could not be reached (ConnectError)"
    except TooLate:
        problem_text = _LATE
    except NoAnswer as problem:
        problem_text = f"did not answer ({type(problem.__cause__).__name__})"
    except (KeyError, ValueError):
        problem_text = "is no address of HTTP"
    else:
        if len(answer.body) > ANSWER_BYTES_MAX:
            raise Unreachable(f"{place_of(url)} answers with more than 16 MiB.")
        if not answer.cut_off:
            return answer
        problem_text = "did not answer (IncompleteRead)"
    raise Unreachable(f"{place_of(url)} {problem_text.format(timeout_seconds)}.") from None


def _target(parts: SplitResult, params: Mapping[str, str] | None) -> str:
    """Return path and query as they are sent."""
    query = "&".join(filter(None, (parts.query, urlencode(params or {}))))
    text = f"{parts.path or '/'}?{query}" if query else parts.path or "/"
    return quote(text, safe=_LEFT_AS_IT_IS)


def _authorization(parts: SplitResult) -> dict[str, str]:
    """Return the header for a user and a password in the URL."""
    if parts.username is None:
        return {}
    said = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(said.encode()).decode()}"}
