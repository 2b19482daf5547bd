"""Making and starting the embedded Postgres. Its lock is held; off the hot path."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from ledger.domain.errors import LedgerUnreachable
from ledger.files import sync_folder
from ledger.store.server_files import (
    DATABASE,
    PORT,
    SUPERUSER,
    PidFile,
    ServerFiles,
    is_server,
    process_lives,
    read_pid_file,
)
from ledger.store.server_programs import RunAs, reachable_programs, server_user
from ledger.store.server_socket import clear_socket, socket_folder

LOG_BYTES_MAX: Final = 10_000_000
POLL_SECONDS: Final = 0.005

_CONFIGURATION: Final = """
# rollout-ledger's settings. Yours may follow; they take effect at the next start.
timezone = 'UTC'
log_timezone = 'UTC'
fsync = on
full_page_writes = on
synchronous_commit = on
wal_level = minimal
max_wal_senders = 0
max_logical_replication_workers = 0
shared_buffers = 128MB
max_connections = 100
# The log says what went wrong, and no statement or row, which could hold what is nobody's business.
log_checkpoints = off
log_error_verbosity = terse
log_min_error_statement = panic
"""

# Arguments: the log, its largest size, then the server's words. The server is left to init, so that
# it is no child of a command; the log is put aside when it has grown too long.
_START: Final = """
umask 077
log=$1; largest=$2; shift 2
if [ -f "$log" ] && [ "$(wc -c < "$log")" -gt "$largest" ]; then mv -f "$log" "$log.old"; fi
"$@" < /dev/null >> "$log" 2>&1 &
echo $!
"""

_LOG_PREFIX: Final = re.compile(r"^\S+ \S+ \S+ \[\d+\] ")
_TROUBLE: Final = re.compile(r"(?:FATAL|PANIC|ERROR|[Ee]rror):")
_HINTS: Final = (
    ("No space left", "Free some disk space, then run the command again; nothing is lost."),
    ("File too large", "The file size is limited (ulimit -f); raise it and run the command again."),
    ("incompatible with server", "The data was made by another major version of PostgreSQL."),
    ("could not look up effective user", "Give this user id a line in /etc/passwd."),
    ("shared memory", "Look at the limits on shared memory (/dev/shm, sysctl kernel.shm*)."),
)


def start_server(
    files: ServerFiles,
    programs: Path,
    settings: Mapping[str, str],
    *,
    lock: int,
    deadline: float,
) -> PidFile:
    """Make the data folder if there is none, start the server over it and wait until it is ready.

    ``lock`` is the descriptor of the lock that the caller holds and the server is to inherit;
    ``deadline`` is on the monotonic clock. ``settings`` go before those in the configuration file.

    Raises:
        LedgerUnreachable: it can't be done, or not by ``deadline``; it may come up later.
    """
    run_as = server_user(files)
    _prepare_folder(files, run_as)
    programs = reachable_programs(programs, files, run_as, deadline)
    if not (files.data / "PG_VERSION").exists():
        _initialise(files, programs, run_as, lock, deadline)
    pid = _clear_what_a_dead_server_left(files)
    log_start = _size(files.log)
    if pid is None:
        folder = socket_folder(files, run_as)
        clear_socket(folder)
        words = _server_words(files, programs, settings, folder)
        pid = _spawn(files, run_as, words, lock, deadline)
    return _wait_until_ready(files, pid, log_start, deadline)


def _prepare_folder(files: ServerFiles, run_as: RunAs) -> None:
    closed = run_as.closed_folder(files.home) if run_as.step_down else None
    if closed is not None:
        raise LedgerUnreachable(
            f"The user whom PostgreSQL runs as can't enter {closed}, on the way to {files.home}.",
            hint="Keep ROLLOUT_HOME out of home directories when running as root,"
            " e.g. ROLLOUT_HOME=/var/lib/rollout-ledger",
        )
    try:
        files.folder.mkdir(0o700, exist_ok=True)
        status = files.folder.stat()
        if run_as.step_down and status.st_uid == 0:
            os.chown(files.folder, run_as.uid, run_as.gid, follow_symlinks=False)
        if status.st_mode & 0o077:
            files.folder.chmod(0o700)
    except OSError as error:
        raise LedgerUnreachable(
            f"The folder {files.folder} can't be made: {error.strerror}.",
            hint="Set ROLLOUT_HOME to a folder that you can write to.",
        ) from None


def _initialise(
    files: ServerFiles, programs: Path, run_as: RunAs, lock: int, deadline: float
) -> None:
    """Make the data folder beside its place and rename it there: it is whole or not there."""
    if files.data.exists() and any(files.data.iterdir()):
        raise LedgerUnreachable(
            f"{files.data} holds files but no database (PG_VERSION is missing).",
            hint="Put back what is missing from a backup, or move the folder away.",
        )
    shutil.rmtree(files.staging, ignore_errors=True)  # What an interrupted attempt left.
    create = [programs / "initdb", "--pgdata", files.staging, "--username", SUPERUSER]
    # Trust is sound here: only its owner (and root) can enter the folder that the socket is in.
    create += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--data-checksums"]
    name = [programs / "postgres", "--single", "-D", files.staging]
    name += ["-c", "exit_on_error=on", "template1"]
    steps = ((create, ""), (name, f"CREATE DATABASE {DATABASE};\n"))
    for arguments, typed in steps:
        done = run_as.run(
            arguments, timeout_seconds=deadline - monotonic(), typed=typed, keep_open=[lock]
        )
        if done.returncode != 0:
            reason = _last_useful_line(done.stdout + done.stderr)
            raise _trouble(files, f"The data folder {files.data} can't be made", reason)
    try:
        with (files.staging / "postgresql.conf").open("a") as configuration:
            configuration.write(_CONFIGURATION)
            configuration.flush()
            os.fsync(configuration.fileno())
        files.staging.rename(files.data)
        sync_folder(files.folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise _trouble(files, f"The data folder {files.data} can't be made", reason) from None


def _clear_what_a_dead_server_left(files: ServerFiles) -> int | None:
    """Remove the pid file of a dead server; return the pid of one that lives without our lock.

    Postgres leaves that to a person when the pid is another program's by now or the file is
    half-written. We hold the lock, so no server that we started lives, and Postgres' own
    check of shared memory still stands behind this.
    """
    server = read_pid_file(files)
    if server is not None and is_server(server.pid, files):
        return server.pid  # Started by hand, or on a file system whose locks can't be inherited.
    files.pid_file.unlink(missing_ok=True)
    return None


def _server_words(
    files: ServerFiles, programs: Path, settings: Mapping[str, str], folder: Path
) -> list[str | Path]:
    # What keeps others out is said here, where no edit of the configuration file can undo it.
    closed = {"listen_addresses": "", "unix_socket_permissions": "0700", "port": str(PORT)}
    words: list[str | Path] = [programs / "postgres", "-D", files.data, "-k", folder]
    for key, value in {**settings, **closed}.items():
        words += ["-c", f"{key}={value}"]
    return words


def _spawn(
    files: ServerFiles, run_as: RunAs, words: Sequence[str | Path], lock: int, deadline: float
) -> int:
    started = run_as.run(
        ["/bin/sh", "-c", _START, "sh", files.log, str(LOG_BYTES_MAX), *words],
        timeout_seconds=deadline - monotonic(),
        keep_open=[lock],
    )
    if not started.stdout.strip().isdigit():
        raise _trouble(files, "PostgreSQL can't be started", _last_useful_line(started.stderr))
    return int(started.stdout)


def _wait_until_ready(files: ServerFiles, pid: int, log_start: int, deadline: float) -> PidFile:
    while True:
        alive = process_lives(pid)
        server = read_pid_file(files)
        if alive and server is not None and server.pid == pid and server.ready:
            return server
        reason = _last_useful_line(_log_since(files, log_start))
        if not alive:
            raise _trouble(files, f"PostgreSQL did not start in {files.folder}", reason)
        if monotonic() > deadline:
            raise LedgerUnreachable(
                f"PostgreSQL in {files.folder} is still starting: {reason}",
                hint=f"After a crash it first replays its log. Run again; see {files.log}.",
            )
        sleep(POLL_SECONDS)


def _log_since(files: ServerFiles, start: int) -> str:
    try:
        descriptor = os.open(files.log, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    with open(descriptor, "rb") as log:  # noqa: PTH123  # Path can't open without following links.
        size = log.seek(0, os.SEEK_END)
        log.seek(start if start <= size else 0)
        return log.read(65_536).decode(errors="replace")


def _last_useful_line(text: str) -> str:
    lines = [_LOG_PREFIX.sub("", line).strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if _TROUBLE.search(line)] or lines
    return telling[-1] if telling else "it said nothing"


def _trouble(files: ServerFiles, what: str, reason: str) -> LedgerUnreachable:
    default = f"Read {files.log}; ROLLOUT_DSN can name another PostgreSQL."
    hint = next((hint for needle, hint in _HINTS if needle in reason), default)
    return LedgerUnreachable(f"{what}: {reason}", hint=hint)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
