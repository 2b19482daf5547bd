"""The local spool: what was done while the ledger was out of reach, kept until the ledger has it.

A pause acts even with Postgres down (I5). Its events wait here, one JSON line each, flushed to the
disk before the command says that it is done. The spool knows nothing of their content; that an
event is appended once, however often it is sent, is the event id's business (I4). So the order is:
read, append to the ledger, settle. After a crash between the last two, the same records are read
again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from ledger import files
from ledger.clock import SystemClock
from ledger.domain.clock import Clock
from ledger.domain.errors import invariant

_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700
# Far above what an outage can leave (a record is some hundred bytes); it bounds what is read.
_SPOOL_BYTES_MAX: Final = 256 * 1024 * 1024
_SYSTEM_CLOCK: Final = SystemClock()


@dataclass(frozen=True, slots=True)
class Spooled:
    """What waits, oldest first, and the files with what could not be read, for a person to look at.

    A crash while writing can leave half a line. It belongs to a command that never said it was
    done, but it is not thrown away: it is moved to a file of its own, and named here until a person
    removes that.
    """

    records: tuple[bytes, ...]
    set_aside: tuple[Path, ...]


class Spool:
    """An append-only file of JSON lines, shared by processes, in a folder of its own."""

    def __init__(
        self, folder: Path, *, lock_timeout_seconds: float = 5.0, clock: Clock = _SYSTEM_CLOCK
    ) -> None:
        """Make nothing yet: the folder appears with the first record."""
        self.folder: Final = folder
        self._file: Final = folder / "spool.jsonl"
        self._lock_timeout_seconds: Final = lock_timeout_seconds
        self._clock: Final = clock

    def append(self, records: Sequence[bytes]) -> None:
        """Add records, each one JSON value without a line break. On return they are on the disk.

        Raises:
            FileNotWritten: none of them is kept.
            OperationInProgress: another process has held the spool for too long.
        """
        for record in records:
            invariant(_is_record(record), "a spooled record is one line of JSON")
        with self._locked(), files.told_as_not_written(self._file):
            # A record after half a line would be lost with it.
            if self._ends_in_half_a_line():
                _ = self._heal()
            is_new = not self._file.exists()
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self._file, flags, _PRIVATE_FILE)
            try:
                _append_or_undo(descriptor, b"".join(record + b"\n" for record in records))
            finally:
                os.close(descriptor)
            if is_new:
                files.sync_folder(self.folder)

    def read(self) -> Spooled:
        """Return what waits. Half a line, or one that is no JSON, is set aside first.

        Raises:
            FileProblem: the spool can't be read, or the damage can't be set aside.
            OperationInProgress: another process has held the spool for too long.
        """
        if not self._file.exists():
            return Spooled((), self._set_aside())
        with self._locked():
            records = self._heal()
            return Spooled(tuple(records), self._set_aside())

    def set_aside(self, records: Collection[bytes]) -> None:
        """Move records that are JSON, and nothing that can be appended, to a file of their own.

        Raises:
            FileProblem: all of them stay, and are read again.
            OperationInProgress: another process has held the spool for too long.
        """
        with self._locked():
            waiting = self._heal()
            self._put_aside(b"\n".join(record for record in waiting if record in records))
            self._replace([record for record in waiting if record not in records])

    def settle(self, records: Collection[bytes]) -> int:
        """Forget records that the ledger has; return how many wait still.

        Records that are not here, because another process settled them, are no error; what was
        added meanwhile stays.

        Raises:
            FileProblem: all of them stay, and are read again.
            OperationInProgress: another process has held the spool for too long.
        """
        settled = set(records)
        with self._locked():
            waiting = [record for record in self._heal() if record not in settled]
            if waiting:
                self._replace(waiting)
            elif self._file.exists():
                with files.told_as_not_written(self._file):
                    self._file.unlink()
                    files.sync_folder(self.folder)
            return len(waiting)

    @contextmanager
    def _locked(self) -> Generator[None]:
        with files.told_as_not_written(self.folder):
            self.folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        lock = files.exclusive_lock(
            self.folder / "spool.lock",
            timeout_seconds=self._lock_timeout_seconds,
            what="spool",
            clock=self._clock,
        )
        with lock:
            yield

    def _ends_in_half_a_line(self) -> bool:
        if not self._file.exists() or self._file.stat().st_size == 0:
            return False
        with self._file.open("rb") as file:
            _ = file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"

    def _heal(self) -> list[bytes]:
        """Return the whole records, after moving everything else to a file of its own."""
        content = files.read_bounded(self._file, bytes_max=_SPOOL_BYTES_MAX) or b""
        *lines, tail = content.split(b"\n")
        records = [line for line in lines if _is_record(line)]
        broken = [line for line in lines if line and not _is_record(line)]
        damage = b"\n".join([*broken, tail] if tail else broken)
        if damage:
            self._put_aside(damage)
            self._replace(records)
        return records

    def _put_aside(self, damage: bytes) -> None:
        # Named by its content, so that a crash before the next step sets nothing aside twice.
        name = f"set-aside-{hashlib.sha256(damage).hexdigest()[:16]}.txt"
        files.write_atomically(self.folder / name, damage, new_file_mode=_PRIVATE_FILE)

    def _replace(self, records: Sequence[bytes]) -> None:
        content = b"".join(record + b"\n" for record in records)
        files.write_atomically(self._file, content, new_file_mode=_PRIVATE_FILE)

    def _set_aside(self) -> tuple[Path, ...]:
        return tuple(sorted(self.folder.glob("set-aside-*.txt")))


def _is_record(line: bytes) -> bool:
    if not line or b"\n" in line:
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _append_or_undo(descriptor: int, content: bytes) -> None:
    size = os.fstat(descriptor).st_size
    try:
        remaining = memoryview(content)
        while remaining:
            remaining = remaining[os.write(descriptor, remaining) :]
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):  # what stays then is half a line, and set aside by the next one
            os.ftruncate(descriptor, size)
        raise
