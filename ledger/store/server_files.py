"""The files that tell how the embedded Postgres is doing, read without starting any program.

One lock file says whether it lives. Who starts the server takes the lock, makes the data folder if
need be, and hands the lock on: the server and all its processes inherit it, and the kernel frees it
when the last of them is gone, however it went. So a pid file that is stale, half-written or names a
process that has nothing to do with us can't mislead: it counts only while the lock is held.
"""

from __future__ import annotations

import fcntl
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.domain.errors import LedgerUnreachable

PORT: Final = 5432
"""Names the socket's file; nothing listens on a network."""

DATABASE: Final = "ledger"
SUPERUSER: Final = "postgres"


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """Where the things of the server under ``home`` lie."""

    home: Path

    @property
    def lock(self) -> Path:
        """The lock file. It stays; whether it is locked is what counts."""
        return self.home / "postgres.lock"

    @property
    def folder(self) -> Path:
        """The folder that the server's user owns: data, log and, as a rule, socket."""
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        """Postgres' data folder."""
        return self.folder / "data"

    @property
    def staging(self) -> Path:
        """Where a data folder is made, to be renamed once it is whole."""
        return self.folder / "data.new"

    @property
    def log(self) -> Path:
        """What the server writes of itself."""
        return self.folder / "server.log"

    @property
    def pid_file(self) -> Path:
        """Postgres' own pid file."""
        return self.data / "postmaster.pid"


@dataclass(frozen=True, slots=True)
class PidFile:
    """What Postgres' pid file says; a half-written one has no socket folder and is not ready."""

    pid: int
    socket_folder: str
    ready: bool

    @property
    def socket(self) -> Path:
        """The socket's file."""
        return Path(self.socket_folder) / f".s.PGSQL.{PORT}"


def read_pid_file(files: ServerFiles) -> PidFile | None:
    """Return what the pid file says; None if there is none, or not even a pid in it."""
    try:
        lines = files.pid_file.read_text(errors="surrogateescape").split("\n")
    except OSError:
        return None
    if not lines[0].strip().isascii() or not lines[0].strip().isdigit() or int(lines[0]) <= 1:
        return None
    # pid, data folder, start time, port, socket folder, address, shared memory, status
    whole = len(lines) >= 8
    return PidFile(
        pid=int(lines[0]),
        socket_folder=lines[4] if whole else "",
        ready=whole and lines[7].strip() == "ready",
    )


def is_locked(files: ServerFiles) -> bool:
    """Return whether a server lives, or somebody is about to start one."""
    try:
        descriptor = os.open(files.lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    else:
        return False
    finally:
        os.close(descriptor)


def take_lock(files: ServerFiles) -> int | None:
    """Return the locked file's descriptor; None while another has it. Closing it lets go.

    Raises:
        LedgerUnreachable: the lock file can't be made or locked.
    """
    descriptor = None
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(files.lock, flags, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if descriptor is not None:
            os.close(descriptor)
        return None
    except OSError as error:
        if descriptor is not None:
            os.close(descriptor)
        raise LedgerUnreachable(
            f"The lock file {files.lock} can't be used: {error.strerror}.",
            hint="Set ROLLOUT_HOME to a folder of your own on a local disk, or ROLLOUT_DSN.",
        ) from None
    return descriptor


def process_lives(pid: int) -> bool:
    """Return whether ``pid`` is a running process (a zombie is not)."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    if sys.platform != "linux":
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[:1]
    except OSError:
        return True
    return state != [b"Z"]


def is_server(pid: int, files: ServerFiles) -> bool:
    """Return whether process ``pid`` is a Postgres over this data folder: pids are reused."""
    if not process_lives(pid):
        return False
    if sys.platform != "linux":
        return _command_of(pid, files)
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    if Path(os.fsdecode(words[0])).name not in ("postgres", "postmaster"):
        return False
    return any(_is_same(os.fsdecode(word), files.data) for word in words[1:] if word[:1] == b"/")


def _is_same(path: str, folder: Path) -> bool:
    try:
        return folder.samefile(path)
    except OSError:
        return False


def _command_of(pid: int, files: ServerFiles) -> bool:
    import subprocess

    answer = subprocess.run(
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return "postgres" in answer.stdout and str(files.data) in answer.stdout
