"""The embedded default: a real PostgreSQL in the home folder, found or started when needed.

It is left running, so that the next command finds it in less than a millisecond, and it survives
whatever happens to it: two commands at once, a killed server, a stale pid file, a reboot.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from time import monotonic, sleep

from ledger.domain.errors import LedgerUnreachable
from ledger.store.dsn import quote_value
from ledger.store.home import default_home, ensure_home, real_home
from ledger.store.server_files import (
    DATABASE,
    PORT,
    SUPERUSER,
    PidFile,
    ServerFiles,
    is_locked,
    is_server,
    process_lives,
    read_pid_file,
    take_lock,
)

__all__ = ["EmbeddedPostgres", "ServerState", "ServerStatus", "default_home"]

POLL_SECONDS = 0.01
DEAF_SECONDS_MAX = 2.0
STOP_TIMEOUT_SECONDS = 60.0


class ServerState(StrEnum):
    """How the server is doing."""

    ABSENT = "absent"
    """It was never started here."""
    STOPPED = "stopped"
    STARTING = "starting"
    """Or stopping: alive, and not to be connected to yet or any more."""
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What `rollout doctor` tells of the server."""

    state: ServerState
    data: Path
    log: Path
    pid: int | None
    socket_folder: str | None
    major_version: str | None


class EmbeddedPostgres:
    """The server of one home folder. Making one of these opens and starts nothing."""

    def __init__(
        self,
        home: Path,
        *,
        programs: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Take the home folder; ``programs`` and ``settings`` are for other servers, as in tests.

        Raises:
            BadInput: the path of ``home`` can't be used.
        """
        self.files = ServerFiles(real_home(home))
        self._programs = programs
        self._settings = settings or {}

    def find(self) -> str | None:
        """Return the conninfo of the running server; None if it isn't up. No program, no network.

        A server that hangs is found all the same: whoever connects needs a timeout.
        """
        server = self._ready()
        return None if server is None else self._conninfo(server)

    def ensure_running(self, timeout_seconds: float = 30) -> str:
        """Return the conninfo of the server, having made and started it if need be.

        Any number of commands may do this at once: one of them starts it, the others wait for it.

        Raises:
            LedgerUnreachable: it can't be started, or isn't ready in time.
        """
        deadline = monotonic() + timeout_seconds
        deaf_since: float | None = None
        while True:
            server = self._ready()
            if server is not None and _answers(server):
                return self._conninfo(server)
            server = self._start_unless_locked(deadline)
            if server is not None:
                return self._conninfo(server)
            # Alive, and says that it is ready: then its socket was taken away, and a server
            # doesn't make it a second time.
            deaf = self._claims_to_be_ready() is not None
            deaf_since = (deaf_since or monotonic()) if deaf else None
            if deaf_since is not None and monotonic() - deaf_since > DEAF_SECONDS_MAX:
                self._interrupt()
                deaf_since = None
            if monotonic() > deadline:
                raise LedgerUnreachable(
                    f"PostgreSQL in {self.files.folder} is not ready after {timeout_seconds:g} s.",
                    hint=f"Another command is starting it. Run again; see {self.files.log}.",
                )
            sleep(POLL_SECONDS)

    def stop(self, timeout_seconds: float = STOP_TIMEOUT_SECONDS) -> bool:
        """Shut the server down, rolling back what others have open; return False if none was up.

        Raises:
            LedgerUnreachable: it doesn't stop in time, or belongs to another user.
        """
        deadline = monotonic() + timeout_seconds
        socket_folder = None
        interrupted = set[int]()
        while is_locked(self.files):
            server = read_pid_file(self.files)
            if server is not None and server.pid not in interrupted and self._interrupt():
                interrupted.add(server.pid)
                socket_folder = server.socket_folder or socket_folder
            if monotonic() > deadline:
                raise LedgerUnreachable(
                    f"PostgreSQL in {self.files.folder} did not stop in {timeout_seconds:g} s.",
                    hint=f"See {self.files.log}.",
                )
            sleep(POLL_SECONDS)
        if socket_folder is not None and Path(socket_folder) != self.files.folder:
            with suppress(OSError):
                Path(socket_folder).rmdir()
        return bool(interrupted)

    def status(self) -> ServerStatus:
        """Return how the server is doing, without changing it."""
        server = read_pid_file(self.files)
        alive = is_locked(self.files)
        if self._ready() is not None:
            state = ServerState.RUNNING
        elif alive:
            state = ServerState.STARTING
        else:
            state = ServerState.STOPPED if self.files.data.exists() else ServerState.ABSENT
        version = None
        with suppress(OSError):
            version = (self.files.data / "PG_VERSION").read_text().strip()
        return ServerStatus(
            state=state,
            data=self.files.data,
            log=self.files.log,
            pid=server.pid if server and alive else None,
            socket_folder=server.socket_folder or None if server and alive else None,
            major_version=version,
        )

    def _claims_to_be_ready(self) -> PidFile | None:
        if not is_locked(self.files):
            return None
        server = read_pid_file(self.files)
        return server if server and server.ready and process_lives(server.pid) else None

    def _ready(self) -> PidFile | None:
        server = self._claims_to_be_ready()
        if server is None:
            return None
        try:
            # In a folder shared with others, a socket that isn't the data's owner's is no answer.
            same_owner = server.socket.lstat().st_uid == self.files.pid_file.stat().st_uid
        except OSError:
            return None
        return server if same_owner else None

    def _conninfo(self, server: PidFile) -> str:
        host = quote_value(server.socket_folder)
        return f"host={host} port={PORT} dbname={DATABASE} user={SUPERUSER}"

    def _start_unless_locked(self, deadline: float) -> PidFile | None:
        """Start the server; return None while another command is at it, or the server lives."""
        ensure_home(self.files.home)
        lock = take_lock(self.files)
        if lock is None:
            return None
        try:
            from ledger.store.server_programs import packaged_programs
            from ledger.store.server_start import start_server

            programs = self._programs or packaged_programs()
            return start_server(self.files, programs, self._settings, lock=lock, deadline=deadline)
        finally:
            os.close(lock)  # The server has inherited it, and holds it for as long as it lives.

    def _interrupt(self) -> bool:
        """Ask for a fast shutdown; return whether there was a server to ask."""
        server = read_pid_file(self.files)
        if server is None or not is_server(server.pid, self.files):
            return False
        try:
            os.kill(server.pid, signal.SIGINT)
        except ProcessLookupError:
            return False
        except PermissionError:
            raise LedgerUnreachable(
                f"PostgreSQL in {self.files.folder} belongs to another user.",
                hint="Run the command as that user or as root.",
            ) from None
        return True


def _answers(server: PidFile) -> bool:
    """Return whether somebody listens at the socket. No login, so it costs some microseconds."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(DEAF_SECONDS_MAX)
        try:
            probe.connect(str(server.socket))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:  # EAGAIN, say: so many callers that the queue is full.
            return True
    return True
